/**
 * A worker that is stopped (SIGSTOP, a debugger, a sleeping laptop) keeps its proof of life, so only its lease tells.
 * Once that is over another worker goes on with the run; what the first one does after it wakes up is refused.
 */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createEngine } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { expect, test } from "vitest";
import type { WorkerCommand, WorkerTold } from "./programs/worker.js";
import { inspect, inspectWithSql } from "./support/inspect.js";
import type { Program } from "./support/program.js";
import { startProgram } from "./support/program.js";
import { startProgress } from "./support/progress.js";
import { minutes, seconds, sized } from "./support/size.js";
import { median, printTable, quantile } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";
import { within } from "./support/within.js";

const stops = sized({ quick: 2, full: 20 });
const lease = 900;
const settings = JSON.stringify({ lease, heartbeat: 300 });

type Worker = Program<WorkerTold, WorkerCommand>;

test(`${stops} workers stopped past their lease: taken over, late writes refused`, {
  timeout: 5 * minutes,
}, async () => {
  const path = join(tempDir(), "runs.db");
  await using engine = createEngine({ storage: sqliteStorage(path) });
  await engine.start();
  const other = await startWorker(path);
  const takeovers: number[] = [];
  const refused: string[] = [];
  const progress = startProgress("stopped worker", stops);

  for (let count = 1; count <= stops; count++) {
    const worker = await startWorker(path);
    worker.on((message) => message.type === "refused" && refused.push(message.kind));
    // While it starts, the other one may be quicker at claiming what it accepts.
    await sleep(100);
    const thread = await engine.threads.create();
    const input = count % 2 === 0 ? "asleep" : "blocking";
    const running = within(
      5 * seconds,
      worker.next("running"),
      "the run was not claimed by the worker that started it",
    );
    worker.send({ type: "start", agent: "stopped", threadId: thread.id, input });
    const { runId, at } = await running;
    const takenOver = other.next("running", (message) => message.runId === runId);
    worker.signal("SIGSTOP");

    const second = await within(10 * seconds, takenOver, "nobody took the run over");
    takeovers.push(second.at - at);
    expect(second.attempt).toBe(2);
    const run = await engine.runs.get(runId);
    await expectRefusal(worker, runId);
    expect(await run.info()).toMatchObject({ status: "running", attempt: 2 });
    other.send({ type: "go_on" });
    expect(await run.result()).toBe(other.pid);
    expect(await run.info()).toMatchObject({ status: "succeeded", attempt: 2, crashes: 1, output: other.pid });
    expect(await thread.values()).toEqual({ by: 2 });
    progress.at(count);
  }

  await other.kill();
  await engine.close();
  await inspect(path);
  inspectWithSql(path);
  expect(refused, "writes that reached the storage late").toContain("record_progress");
  printTable("stopped worker", [
    ["stopped past the lease", stops],
    ["lease, ms", lease],
    ["taken over after, median, ms", median(takeovers)],
    ["taken over after, slowest, ms", quantile(takeovers, 1)],
    ["late writes that the storage refused", refused.length],
  ]);
  // A second past the lease: DESIGN section 8.
  expect(quantile(takeovers, 1)).toBeLessThanOrEqual(lease + 1_000);
});

async function startWorker(path: string): Promise<Worker> {
  const worker: Worker = startProgram("worker", [path, settings]);
  await worker.next("ready");
  return worker;
}

/** The worker goes on, and gets to know at its first write. */
async function expectRefusal(worker: Worker, runId: string): Promise<void> {
  const late = (what: string) => worker.next("late", (message) => message.runId === runId && message.what === what);
  const answers = Promise.all([late("emit"), late("checkpoint")]);
  worker.signal("SIGCONT");
  for (const { what, answer } of await within(5 * seconds, answers, "the stopped worker did not go on")) {
    expect(answer, `${what} after the lease`).toBe("LEASE_LOST");
  }
  await worker.kill();
}
