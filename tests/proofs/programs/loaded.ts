/**
 * An engine under load that is going to be killed. Argument: the database. It waits until it is told to open, so that
 * the time from one process's death to the next one's engine is the engine's own.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { RunHandle } from "@heddle/core";
import { createEngine } from "@heddle/core";
import { manualClock } from "@heddle/core/testing";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { onCommand, tell } from "../support/tell.js";
import type { Aim, AimTold } from "./aim.js";
import { Shooter } from "./aim.js";
import type { Order } from "./load.js";
import { agentsUnder } from "./load.js";

export type LoadedCommand =
  | { readonly type: "open"; readonly round: number; readonly threads: readonly string[] }
  | { readonly type: "load"; readonly aim: Aim }
  /** Start nothing more, let nothing hang, tell when all is settled, and end. */
  | { readonly type: "calm" };

export type LoadedTold =
  | { readonly type: "ready" }
  /** Runs that were running when the process before this one died. */
  | { readonly type: "inherited"; readonly running: readonly string[] }
  /** ms from before the file was opened until each of them ran again, waited for its retry, or was settled. */
  | { readonly type: "recovered"; readonly ms: number }
  | { readonly type: "accepted"; readonly runId: string; readonly threadId: string | null; readonly order: Order }
  | { readonly type: "trouble"; readonly message: string }
  | { readonly type: "drained" }
  | AimTold;

/** The longest that a run of this load waits for a retry, ms. */
const longestRetry = 20;

const [path = ""] = process.argv.slice(2);
const say = tell<LoadedTold>;

const shooter = new Shooter();
const conditions = { calm: false, duringAgent: () => shooter.duringAgent() };
const { clerk, runner } = agentsUnder(conditions);
const plain = sqliteStorage(path);
const engine = createEngine({
  storage: shooter.watch(plain),
  agents: [clerk, runner],
  concurrency: 256,
  retry: { delay: 5, maxDelay: longestRetry, jitter: "none" },
});
engine.on("error", ({ error, during }) => say({ type: "trouble", message: `${during}: ${String(error)}` }));
process.on("uncaughtException", (error) => say({ type: "trouble", message: String(error.stack) }));

let round = 0;
let orders = 0;
let threads: readonly string[] = [];

onCommand<LoadedCommand>(async (command) => {
  if (command.type === "open") return open(command);
  if (command.type === "load") return load(command.aim);
  return calmDown();
});
say({ type: "ready" });

async function open(command: LoadedCommand & { type: "open" }): Promise<void> {
  ({ round, threads } = command);
  const startedAt = performance.now();
  const before = sqliteStorage(path);
  await before.open({ clock: manualClock() });
  const runs = await before.runs.list({ status: ["running"], limit: 10_000, sortBy: "createdAt", order: "asc" });
  say({ type: "inherited", running: runs.map(({ id }) => id) });
  await engine.start();
  const dead = new Set(runs.map(({ worker }) => worker));
  while (await anyStuck(dead)) await sleep(2);
  say({ type: "recovered", ms: performance.now() - startedAt });
  await before.close();
}

/** Is a run that holds its thread neither running here nor about to be retried? */
async function anyStuck(dead: ReadonlySet<string | null>): Promise<boolean> {
  const status = ["running", "pending"] as const;
  const runs = await plain.runs.list({ status, limit: 10_000, sortBy: "createdAt", order: "asc" });
  const [now, soon] = [Date.now(), Date.now() + longestRetry];
  const isStuck = ({ status, worker, availableAt }: (typeof runs)[number]): boolean =>
    status === "running" ? dead.has(worker) : availableAt <= now || availableAt > soon;
  return runs.some((run) => run.active && isStuck(run));
}

async function load(aim: Aim): Promise<void> {
  const lanes = [
    ...threads.map((id) => () => talk(id)),
    ...Array.from({ length: 6 }, () => () => sprint()),
    () => hang(threads[round % threads.length] ?? null),
    () => hang(null),
  ];
  for (const lane of lanes) lane().catch((error: unknown) => say({ type: "trouble", message: String(error) }));
  // Aim only once everything is on its way.
  setTimeout(() => shooter.take(aim), 50 + 100 * Math.random());
}

/** One thread: always a run that goes on and some in the queue, but never so many that it fills. */
async function talk(threadId: string): Promise<void> {
  const thread = await engine.threads.get(threadId);
  for (;;) {
    if ((await thread.queue()).length < 4) await start(threadId, order());
    else await sleep(5);
  }
}

async function sprint(): Promise<void> {
  for (;;) await (await start(null, order())).settled();
}

/** Runs that only a crash ends, until it has happened often enough or too often. */
async function hang(threadId: string | null): Promise<void> {
  const survives = round % 2 === 0;
  await start(threadId, order({ hangUntil: 3, maxCrashes: survives ? 50 : 3 }));
}

async function start(threadId: string | null, what: Order): Promise<RunHandle> {
  const retry = { maxFailures: what.maxFailures, maxCrashes: what.maxCrashes };
  const run = await (threadId === null
    ? engine.runs.start(runner, what, { retry })
    : (await engine.threads.get(threadId)).start(clerk, what, { retry, whenBusy: "enqueue" }));
  say({ type: "accepted", runId: run.id, threadId, order: what });
  return run;
}

/** One in eight fails twice and gets over it, one in sixteen fails for good. */
function order(wish: Partial<Order> = {}): Order {
  const luck = Math.random();
  const failUntil = luck < 1 / 16 ? 1_000 : luck < 3 / 16 ? 2 : 0;
  return { id: `${round}-${++orders}`, failUntil, hangUntil: 0, maxFailures: 3, maxCrashes: 50, ...wish };
}

async function calmDown(): Promise<void> {
  conditions.calm = true;
  while ((await engine.runs.count({ status: ["pending", "running"] })) > 0) await sleep(10);
  await engine.close();
  say({ type: "drained" });
  process.exit(0);
}
