/**
 * Processes that share a PostgreSQL server: a cancel in one reaches the agent in another, deltas cross, and what a killed
 * one leaves behind is done elsewhere. The figures are printed.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { createEngine, defineAgent } from "@heddle/core";
import pg from "pg";
import { expect, test } from "vitest";
import { freshSchema, useServer } from "../../packages/storage-postgres/test/support/server.js";
import type { WorkerCommand, WorkerTold } from "./programs/worker.js";
import type { Program } from "./support/program.js";
import { startProgram } from "./support/program.js";
import { startProgress } from "./support/progress.js";
import { minutes, seconds, sized } from "./support/size.js";
import { type PostgresDatabase, storageAt } from "./support/storage-at.js";
import { median, printTable, quantile } from "./support/table.js";
import { within } from "./support/within.js";

const cancels = sized({ quick: 10, full: 60, long: 200 });
/** Cancels that are under way at the same time. */
const lanes = sized({ quick: 5, full: 10 });
const deltas = sized({ quick: 100, full: 2_000 });
const hostStarts = sized({ quick: 10, full: 60, long: 200 });
const victims = sized({ quick: 1, full: 2, long: 5 });
const server = useServer();

type Worker = Program<WorkerTold, WorkerCommand>;

function newDatabase(listen = true): PostgresDatabase {
  return { connectionString: server().url(), schema: freshSchema(), listen };
}

async function startWorker(database: PostgresDatabase, settings: object = {}): Promise<Worker> {
  const worker: Worker = startProgram("worker", [JSON.stringify(database), JSON.stringify(settings)]);
  await worker.next("ready");
  return worker;
}

/** Starts, reads and cancels; works on nothing. */
const startClient = (database: PostgresDatabase) => startWorker(database, { work: false });

/** @returns the run's id, once a worker runs it */
async function start(client: Worker, worker: Worker, agent: string, input: unknown = null): Promise<string> {
  const running = new Set<string>();
  const undo = worker.on((message) => message.type === "running" && running.add(message.runId));
  const started = client.next("started", (message) => message.agent === agent && !taken.has(message.runId));
  client.send({ type: "start", agent, threadId: null, input });
  const { runId } = await started;
  taken.add(runId);
  if (!running.has(runId)) await worker.next("running", (message) => message.runId === runId);
  undo();
  return runId;
}

/** Starts that are answered at the same time are not one another's. */
const taken = new Set<string>();

const ways = [
  ["with notify", true, 500],
  ["poll-only", false, 1_500],
] as const;

test.each(ways)(`${cancels} cancels cross, %s`, { timeout: 10 * minutes }, async (way, listen, aim) => {
  const database = newDatabase(listen);
  const worker = await startWorker(database, { concurrency: 2 * lanes });
  const client = await startClient(database);
  const progress = startProgress(`cancels, ${way}`, cancels);
  const times: number[] = [];
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let count = 0; count < cancels / lanes; count++) {
        const runId = await startAlone(() => start(client, worker, "waiter"));
        // Not in step with the polls.
        await sleep(1_000 * Math.random());
        const canceling = client.next("canceling", (message) => message.runId === runId);
        const aborted = worker.next("aborted", (message) => message.runId === runId);
        client.send({ type: "cancel", runId });
        const { at, code } = await within(30 * seconds, aborted, "a cancel did not reach the agent");
        expect(code).toBe("RUN_CANCELED");
        times.push(at - (await canceling).at);
        progress.at(times.length);
      }
    }),
  );
  expect(times).toHaveLength(cancels);
  printTable(`cancel in one process to signal in the other, ${way}`, [
    ["cancels", times.length],
    ["median, ms", median(times)],
    [`p99, ms (aim: ${aim})`, quantile(times, 0.99)],
    ["slowest, ms", quantile(times, 1)],
  ]);
});

let turn: Promise<unknown> = Promise.resolve();

/** Answers to starts carry no number: one is asked for at a time. */
function startAlone<Result>(work: () => Promise<Result>): Promise<Result> {
  const mine = turn.then(work);
  turn = mine.catch(() => {});
  return mine;
}

test(`${hostStarts} starts in transactions of the host's, by another process's worker`, {
  timeout: 5 * minutes,
}, async () => {
  const database = newDatabase();
  const worker = await startWorker(database);
  const napper = defineAgent({ name: "napper", run: () => ({}) });
  await using engine = createEngine({ storage: storageAt(JSON.stringify(database)), agents: [napper], work: false });
  await engine.start();
  const client = new pg.Client({ connectionString: database.connectionString });
  await client.connect();
  const times: number[] = [];
  for (let count = 0; count < hostStarts; count++) {
    await sleep(100 * Math.random());
    await client.query("begin");
    const run = await engine.runs.start(napper, 0, { tx: client });
    const running = worker.next("running", (message) => message.runId === run.id);
    await client.query("commit");
    const committedAt = Number(process.hrtime.bigint()) / 1e6;
    times.push((await within(30 * seconds, running, "a committed run was not picked up")).at - committedAt);
    // Its local waiters hear of it from the storage.
    expect(await run.result()).toBe(worker.pid);
  }
  await client.end();
  printTable("commit of a host's transaction to the agent running in another process", [
    ["runs", times.length],
    ["median, ms (aim: 50)", median(times)],
    ["p99, ms", quantile(times, 0.99)],
  ]);
});

test(`${deltas} deltas cross, in order, each heard or counted`, { timeout: 5 * minutes }, async () => {
  const database = newDatabase();
  const worker = await startWorker(database);
  const client = await startClient(database);
  const runId = await start(client, worker, "streamer", deltas);
  const times: number[] = [];
  const numbers: number[] = [];
  let dropped = 0;
  client.on((message) => {
    if (message.type === "dropped") dropped += message.count;
    if (message.type !== "delta") return;
    times.push(message.at - message.sentAt);
    numbers.push(message.number);
  });
  const ended = client.next("event", ({ event }) => event === "run_succeeded");
  client.send({ type: "follow", runId });
  await client.next("following");
  await sleep(500);
  worker.send({ type: "go_on" });
  await within(4 * minutes, ended, "the stream did not end");
  expect(numbers.length + dropped).toBe(deltas);
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  printTable("deltas of an agent in one process, read in the other", [
    ["sent", deltas],
    ["heard", numbers.length],
    ["dropped and counted", dropped],
    ["median, ms", median(times)],
    ["p99, ms", quantile(times, 0.99)],
  ]);
});

test(`${victims} killed, at the default lease: what they ran is done elsewhere`, { timeout: 5 * minutes }, async () => {
  const database = newDatabase();
  const client = await startClient(database);
  const workers = await Promise.all(Array.from({ length: victims }, () => startWorker(database, { concurrency: 3 })));
  const holders = new Map<string, Worker>();
  for (const worker of workers)
    worker.on((message) => message.type === "running" && holders.set(message.runId, worker));
  while (holders.size < 3 * victims) {
    const held = holders.size;
    client.send({ type: "start", agent: "phoenix", threadId: null, input: null });
    while (holders.size === held) await sleep(5);
  }
  // Anywhere between two heartbeats, and all before the first lease is over: nobody else takes a run.
  const deaths = new Map<Worker, number>();
  await Promise.all(
    workers.map(async (worker) => {
      await sleep(5_000 * Math.random());
      deaths.set(worker, Number(process.hrtime.bigint()) / 1e6);
      await worker.kill();
    }),
  );
  const times: number[] = [];
  const survivor = await startWorker(database);
  await Promise.all(
    [...holders].map(async ([runId, holder]) => {
      const settled = client.next("settled", (message) => message.runId === runId);
      client.send({ type: "await", runId });
      const { at } = await within(2 * minutes, settled, "a killed process's run was not done");
      times.push(at - (deaths.get(holder) ?? 0));
    }),
  );
  const runs = await server().sql(
    `select distinct status, attempt, crashes, output from "${database.schema}".heddle_runs`,
  );
  expect(runs).toEqual([{ status: "succeeded", attempt: 2, crashes: 1, output: String(survivor.pid) }]);
  printTable("SIGKILL of a worker to completion elsewhere, lease 15 s", [
    ["runs", times.length],
    ["median, ms", median(times)],
    ["slowest, ms (aim: 20,000)", quantile(times, 1)],
  ]);
});
