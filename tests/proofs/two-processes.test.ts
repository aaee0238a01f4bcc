/**
 * Two processes on one file behave like two workers: both take work, a cancel in one reaches the agent in the other,
 * events and results cross, and what one leaves behind when it is killed goes on in the other.
 */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Engine } from "@heddle/core";
import { createEngine, defineAgent } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { expect, test } from "vitest";
import type { WorkerCommand, WorkerTold } from "./programs/worker.js";
import { inspect, inspectWithSql } from "./support/inspect.js";
import type { Program } from "./support/program.js";
import { startProgram } from "./support/program.js";
import { startProgress } from "./support/progress.js";
import { minutes, seconds, sized } from "./support/size.js";
import { countBy, median, printTable, quantile } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";
import { within } from "./support/within.js";

const samples = sized({ quick: 20, full: 400 });
const kills = sized({ quick: 2, full: 30 });
/** The promise: DESIGN section 8, for cancel and events between processes on SQLite. */
const crossing = { p99: 500 };

type Worker = Program<WorkerTold, WorkerCommand>;

test("both processes take work", { timeout: 2 * minutes }, async () => {
  const { engine, path, stop } = await setUp();
  const workers = [await startWorker(path, { concurrency: 8 }), await startWorker(path, { concurrency: 8 })];
  const runs = await Promise.all(Array.from({ length: 200 }, () => engine.runs.start(napper, 20)));
  const outputs = await Promise.all(runs.map((run) => run.result()));
  const shares = countBy(outputs, String);
  printTable(
    "both take work",
    workers.map(({ pid }, index) => [`runs of process ${index + 1}, of ${runs.length}`, shares[pid] ?? 0]),
  );
  for (const { pid } of workers) expect(shares[pid] ?? 0, `runs of process ${pid}`).toBeGreaterThan(runs.length / 5);
  await stop(...workers);
});

test(`a cancel crosses: ${samples} samples, p99 within ${crossing.p99} ms`, { timeout: 5 * minutes }, async () => {
  const { path, stop } = await setUp();
  const [here, there] = [await startWorker(path), await startWorker(path)];
  const progress = startProgress("cancel crosses", samples);
  const times: number[] = [];
  for (let count = 1; count <= samples; count++) {
    const runId = await startWaiter(here, there);
    // Not in step with the other's polls.
    await sleep(60 * Math.random());
    const [canceling, aborted] = [there.next("canceling"), here.next("aborted")];
    there.send({ type: "cancel", runId });
    const { at, code } = await aborted;
    expect(code).toBe("RUN_CANCELED");
    times.push(at - (await canceling).at);
    progress.at(count);
  }
  reportCrossing("cancel in one process to signal in the other", times);
  await stop(here, there);
});

test(`events and results cross: ${samples} samples, p99 within ${crossing.p99} ms`, {
  timeout: 5 * minutes,
}, async () => {
  const { path, stop } = await setUp();
  const [here, there] = [await startWorker(path), await startWorker(path)];
  const events: number[] = [];
  const results: number[] = [];
  there.on(
    (message) => message.type === "event" && message.event === "tick" && events.push(message.at - message.sentAt),
  );
  const progress = startProgress("events cross", samples);
  while (events.length < samples) {
    await Promise.all([sendEvents(), takeNap()]);
    progress.at(events.length);
  }
  reportCrossing("event emitted in one process to reader in the other", events);
  printTable("results cross", [["agent's return to waiter in the other process, median, ms", median(results)]]);
  await stop(here, there);

  async function start(agent: string, input: number): Promise<string> {
    const started = here.next("started", (message) => message.agent === agent);
    here.send({ type: "start", agent, threadId: null, input });
    return (await started).runId;
  }

  /** Ten events of one run here, read there. */
  async function sendEvents(): Promise<void> {
    const runId = await start("sender", 10);
    const ended = there.next("event", (message) => message.runId === runId && message.event === "run_succeeded");
    there.send({ type: "follow", runId });
    await within(30 * seconds, ended, "the run's end was not seen in the other process");
  }

  async function takeNap(): Promise<void> {
    const runId = await start("napper", 300);
    const returning = here.next("returning", (message) => message.runId === runId);
    const settled = there.next("settled", (message) => message.runId === runId);
    there.send({ type: "await", runId });
    results.push((await settled).at - (await returning).at);
  }
});

test(`${kills} kills: the other process goes on within a second`, { timeout: 5 * minutes }, async () => {
  const { path, engine, stop } = await setUp();
  // Its engine would look after the dead as well: there shall be only one who can.
  await engine.close();
  const survivor = await startWorker(path);
  const progress = startProgress("takeover", kills);
  const times: number[] = [];
  for (let count = 1; count <= kills; count++) {
    const victim = await startWorker(path);
    const ids = [];
    while (ids.length < 5) ids.push(await startWaiter(victim, survivor));
    const takenOver = Promise.all(ids.map((id) => survivor.next("running", ({ runId }) => runId === id)));
    // Its last commit drew the other's attention: that must have passed.
    await sleep(200 + 1_000 * Math.random());
    const killedAt = monotonic();
    await victim.kill();
    for (const { at, attempt } of await within(20 * seconds, takenOver, "runs of the killed process are stuck")) {
      expect(attempt).toBe(2);
      times.push(at - killedAt);
    }
    for (const id of ids) await cancelIn(survivor, id);
    progress.at(count);
  }
  printTable("takeover from a killed process", [
    ["kills", kills],
    ["runs taken over", times.length],
    ["from the kill until they ran again, median, ms", median(times)],
    ["slowest, ms", quantile(times, 1)],
  ]);
  expect(quantile(times, 1), "ms until a run of the killed process ran again").toBeLessThanOrEqual(1_000);
  await stop(survivor);
});

/** Of the two runs that are started by this process, only the agents' names matter here. */
const napper = defineAgent({ name: "napper", run: () => ({}) });

async function setUp() {
  const path = join(tempDir(), "runs.db");
  const engine: Engine = createEngine({ storage: sqliteStorage(path) as never, agents: [napper], work: false });
  await engine.start();
  const stop = async (...workers: readonly Worker[]): Promise<void> => {
    for (const worker of workers) await worker.kill();
    await engine.close();
    await inspect(path);
    inspectWithSql(path);
  };
  return { path, engine, stop };
}

async function startWorker(path: string, settings: object = {}): Promise<Worker> {
  const worker: Worker = startProgram("worker", [path, JSON.stringify(settings)]);
  await worker.next("ready");
  return worker;
}

/** A run that `worker` holds. The other may be quicker at claiming what this one accepted: then again. */
async function startWaiter(worker: Worker, other: Worker): Promise<string> {
  for (;;) {
    const holders = new Map<string, Worker>();
    const undo = [worker, other].map((one) =>
      one.on((message) => message.type === "running" && holders.set(message.runId, one)),
    );
    const started = worker.next("started");
    worker.send({ type: "start", agent: "waiter", threadId: null, input: null });
    const { runId } = await started;
    while (!holders.has(runId)) await sleep(1);
    for (const stop of undo) stop();
    if (holders.get(runId) === worker) return runId;
    await cancelIn(other, runId);
  }
}

async function cancelIn(worker: Worker, runId: string): Promise<void> {
  const aborted = worker.next("aborted", (message) => message.runId === runId);
  worker.send({ type: "cancel", runId });
  await aborted;
}

function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function reportCrossing(what: string, times: readonly number[]): void {
  const p99 = quantile(times, 0.99);
  printTable(what, [
    ["samples", times.length],
    ["median, ms", median(times)],
    ["p99, ms", p99],
    ["slowest, ms", quantile(times, 1)],
  ]);
  expect(p99, `p99 of ${what}, ms`).toBeLessThanOrEqual(crossing.p99);
}
