/**
 * Two worker processes and this one, the client, on one PostgreSQL. The client starts runs and reads their events as they
 * come, wherever they are worked on. In the middle worker A is killed (SIGKILL): its lease runs out, worker B goes on from
 * the last checkpoint, and the client notices nothing but a pause.
 */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createEngine, type RunHandle, type ThreadHandle } from "@heddle/core";
import { chapters, openStorage, schema, write } from "./engine.js";
import { paint, say } from "./lines.js";
import { startPostgres } from "./postgres.js";

type Worker = "A" | "B";

const books = ["Looms", "Shuttles", "Reeds", "Heddles"];

const postgres = await startPostgres(schema);
process.env.EXAMPLE_DATABASE = postgres.connectionString;
say("postgres", "client", postgres.isYours ? "yours, by DATABASE_URL" : "started for this example");

const engine = createEngine({ storage: openStorage(), agents: [write], work: false });
await engine.start(); // makes the tables
const workers = { A: await startWorker("A"), B: await startWorker("B") };

/** Chapters by run, with who wrote each. */
const written = new Map<string, { chapter: string; by: Worker }[]>();
let victim: ChildProcess | undefined = workers.A;

const threads = await Promise.all(books.map((book) => engine.threads.create({ title: book })));
const runs = await Promise.all(threads.map((thread, index) => startBook(thread, books[index] ?? "")));
const outcomes = await Promise.all(runs.map(follow));

console.log();
for (const [index, run] of runs.entries()) {
  const cells = (written.get(run.id) ?? []).map(({ chapter, by }) => paint(by, `${by}·${chapter}`));
  const { attempt } = await run.info();
  console.log(
    `  ${(books[index] ?? "").padEnd(9)} ${cells.join("  ")}   ${attempt} ${attempt === 1 ? "attempt" : "attempts"}`,
  );
}
// What counts is what the threads say: an event may be missing of a chapter that was committed when the kill came.
const kept = await Promise.all(threads.map(async (thread) => (await thread.values(write)).done.join()));
const whole = kept.every((done) => done === chapters.join());
console.log(
  paint(
    "done",
    `\n  ${outcomes.length} runs, one process killed: nothing lost, ${whole ? "nothing written twice" : "something is wrong"}.\n`,
  ),
);

await engine.close();
for (const worker of Object.values(workers)) worker.kill();
await postgres.stop();
process.exitCode = whole ? 0 : 1;

async function startWorker(name: Worker): Promise<ChildProcess> {
  const env = { ...process.env, WORKER: name };
  const worker = fork(fileURLToPath(new URL("./worker.ts", import.meta.url)), { env });
  await once(worker, "message");
  say(`worker ${name}`, name, `process ${worker.pid} is ready`);
  return worker;
}

async function startBook(thread: ThreadHandle, book: string): Promise<RunHandle> {
  const run = await thread.start(write, { book });
  say("client", "client", `started "${book}"`);
  return run as RunHandle;
}

/** Every event, once and in order, until the run has ended. */
async function follow(run: RunHandle): Promise<unknown> {
  const list: { chapter: string; by: Worker }[] = [];
  written.set(run.id, list);
  for await (const frame of run.events()) {
    if (frame.kind !== "event") continue;
    const { by, chapter, with: count } = frame.payload as { by: Worker; chapter: string; with: number };
    const { book } = (await run.info()).input as { book: string };
    if (frame.type === "began") {
      const how = count === 0 ? "begins" : `goes on behind chapter ${count} of`;
      say(`worker ${by}`, by, `${how} "${book}" (attempt ${frame.attempt})`);
    }
    if (frame.type !== "chapter") continue;
    list.push({ chapter, by });
    say(`worker ${by}`, by, `${book}: ${chapter}`);
    if (by === "A" && list.length === 2) killWorkerA();
  }
  return run.result();
}

/** From one moment to the next, in the middle of whatever it does. */
function killWorkerA(): void {
  if (victim === undefined) return;
  victim.kill("SIGKILL");
  victim = undefined;
  say("worker A", "dead", "is killed; nobody is told, its runs wait until their leases end");
}
