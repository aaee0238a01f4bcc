/**
 * A process is killed (SIGKILL) half-way through a run. Nobody tells anybody; the next process that opens the file sees
 * that the worker is dead, takes the run over, goes on from its last checkpoint, and the thread is free again.
 */

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ThreadHandle } from "@heddle/core";
import { createEngine } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { report } from "./report.js";
import { say, startedAt } from "./say.js";

const folder = mkdtempSync(join(tmpdir(), "heddle-survive-restart-"));
const file = join(folder, "agents.db");

const env = { ...process.env, STARTED_AT: String(startedAt) };
const child = fork(fileURLToPath(new URL("./child.ts", import.meta.url)), [file], { env });
say(`the child is process ${child.pid}`);
const [, signal] = await once(child, "exit");
say(`the child is dead (${signal})`);

const reader = createEngine({ storage: sqliteStorage(file) }); // without agents: it reads and works on nothing
await reader.start();
await tellState("as the dead process left it", await reader.threads.get("library"));
await reader.close();

const engine = createEngine({ storage: sqliteStorage(file), agents: [report] });
await engine.start();
say("an engine is open on the file");
const thread = await engine.threads.get("library");
const { items } = await engine.runs.list({ threadId: thread.id });
const run = await engine.runs.get(items[0]?.id ?? "");
say(`output: ${await run.result()}`);
await tellState("now", thread);

const next = await thread.start(report, { topic: "looms, second edition" });
say(`the next run may start at once: ${await next.result()}`);

console.log("\nThe thread's log:");
let began: number | undefined;
for await (const frame of thread.events({ after: 0 })) {
  if (frame.kind !== "event") continue;
  began ??= frame.createdAt.getTime();
  const time = `+${frame.createdAt.getTime() - began} ms`.padStart(9);
  const which = frame.runId === run.id ? `first run, attempt ${frame.attempt}` : "second run";
  console.log(`  ${String(frame.seq).padStart(2)}  ${time}  ${frame.type.padEnd(16)} ${which}`);
  if (frame.runId === next.id && frame.type === "run_succeeded") break;
}

await engine.close();
rmSync(folder, { recursive: true });

async function tellState(when: string, of: ThreadHandle): Promise<void> {
  const { status, activeRunId } = await of.info();
  say(`${when}: the thread is ${status}${activeRunId === undefined ? "" : `, held by ${activeRunId}`}`);
}
