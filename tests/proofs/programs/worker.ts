/** One of several processes on one database. Arguments: the database, settings as JSON. */

import { setTimeout as sleep } from "node:timers/promises";
import type { AgentContext, SettingsInput } from "@heddle/core";
import { createEngine, defineAgent, HeddleError } from "@heddle/core";
import type { Intent, Storage } from "@heddle/core/storage";
import { storageAt } from "../support/storage-at.js";
import { onCommand, tell } from "../support/tell.js";

export type WorkerCommand =
  | { readonly type: "start"; readonly agent: string; readonly threadId: string | null; readonly input: unknown }
  | { readonly type: "cancel"; readonly runId: string }
  /** Tell of each event of the run as it comes. */
  | { readonly type: "follow"; readonly runId: string }
  /** Let the agents that wait for it return. */
  | { readonly type: "go_on" }
  /** Tell when the run is settled. */
  | { readonly type: "await"; readonly runId: string };

/** `at`: the machine's monotonic clock, ms; all its processes read the same. */
export type WorkerTold =
  | { readonly type: "ready" }
  | { readonly type: "started"; readonly agent: string; readonly runId: string }
  | { readonly type: "running"; readonly runId: string; readonly attempt: number; readonly at: number }
  | { readonly type: "aborted"; readonly runId: string; readonly code: string; readonly at: number }
  | { readonly type: "canceling"; readonly runId: string; readonly at: number }
  | { readonly type: "following"; readonly runId: string }
  | {
      readonly type: "event";
      readonly runId: string;
      readonly event: string;
      readonly sentAt: number;
      readonly at: number;
    }
  /** A delta, or how many of them were dropped. */
  | {
      readonly type: "delta";
      readonly runId: string;
      readonly number: number;
      readonly sentAt: number;
      readonly at: number;
    }
  | { readonly type: "dropped"; readonly runId: string; readonly count: number }
  | { readonly type: "returning"; readonly runId: string; readonly at: number }
  | { readonly type: "settled"; readonly runId: string; readonly at: number }
  /** The storage refused a write of an attempt that had lost its run. */
  | { readonly type: "refused"; readonly kind: Intent["kind"] }
  /** What an agent that had lost its run got for its writes. */
  | { readonly type: "late"; readonly runId: string; readonly what: string; readonly answer: string };

export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

const say = tell<WorkerTold>;

type Context = AgentContext<unknown, Record<string, unknown>, unknown>;

function sayRunning({ runId, attempt }: Context): void {
  say({ type: "running", runId, attempt, at: now() });
}

/** Waits for its signal. */
const waiter = defineAgent({
  name: "waiter",
  async run(context) {
    const { runId, signal } = context;
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => {
        say({ type: "aborted", runId, code: (signal.reason as HeddleError).code, at: now() });
        resolve();
      });
    });
    sayRunning(context);
    await aborted;
    throw signal.reason;
  },
});

/** Works for as many ms as its input says. */
const napper = defineAgent({
  name: "napper",
  async run(context) {
    sayRunning(context);
    await sleep(context.input as number);
    say({ type: "returning", runId: context.runId, at: now() });
    return { output: process.pid };
  },
});

/** Emits as many events as its input says, at random moments. */
const sender = defineAgent({
  name: "sender",
  async run(context) {
    sayRunning(context);
    for (let count = 0; count < (context.input as number); count++) {
      await sleep(20 + 100 * Math.random());
      await context.emit("tick", { sentAt: now() });
    }
  },
});

/** Sends as many deltas as its input says, at random moments, as a model does; it begins when it may go on. */
const streamer = defineAgent({
  name: "streamer",
  async run(context) {
    holdOn();
    sayRunning(context);
    await allowed;
    for (let count = 0; count < (context.input as number); count++) {
      await sleep(20 * Math.random());
      context.delta("token", { sentAt: now() });
    }
    await sleep(300);
  },
});

/** Its first attempt never ends by itself; the next one is done at once. */
const phoenix = defineAgent({
  name: "phoenix",
  async run(context) {
    sayRunning(context);
    if (context.attempt === 1) await new Promise(() => {});
    return { output: process.pid };
  },
});

let goOn = (): void => {};
let allowed = Promise.resolve();

function holdOn(): void {
  allowed = new Promise((resolve) => {
    goOn = resolve;
  });
}

/**
 * Is stopped in its first attempt, by the proof. `asleep`: the engine's timers may fire before the agent goes on;
 * `blocking`: the agent goes on first, not knowing that time has passed.
 */
const stopped = defineAgent({
  name: "stopped",
  async run(context) {
    const { input, attempt, emit, checkpoint, runId } = context;
    await emit("beginning", { attempt });
    sayRunning(context);
    if (attempt > 1) {
      // Still running when the first attempt wakes up: only the token tells the two apart.
      holdOn();
      await allowed;
      return { output: process.pid, values: { by: attempt } };
    }
    if (input === "asleep") await sleep(300);
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    await report("emit", emit("late", { attempt }));
    await report("checkpoint", checkpoint({ by: attempt }));
    return { output: "must not be seen", values: { by: attempt } };

    async function report(what: string, write: Promise<unknown>): Promise<void> {
      const answer = await write.then(
        () => "written",
        (error: unknown) => (HeddleError.is(error) ? error.code : String(error)),
      );
      say({ type: "late", runId, what, answer });
    }
  },
});

const agents = { waiter, napper, sender, streamer, phoenix, stopped };

/** Tells of what the storage refused. */
function watched(storage: Storage): Storage {
  const commit = storage.commit.bind(storage);
  storage.commit = async (intents) => {
    const results = await commit(intents);
    results.forEach((result, index) => {
      const kind = intents[index]?.kind;
      if (kind !== undefined && !result.ok && result.error.code === "LEASE_LOST") say({ type: "refused", kind });
    });
    return results;
  };
  return storage;
}

const [path = "", settings = "{}"] = process.argv.slice(2);
const engine = createEngine({
  ...(JSON.parse(settings) as SettingsInput),
  storage: watched(storageAt(path)),
  agents: Object.values(agents),
});
await engine.start();

onCommand<WorkerCommand>(async (command) => {
  if (command.type === "start") return start(command);
  if (command.type === "cancel") return cancel(command.runId);
  if (command.type === "follow") return follow(command.runId);
  if (command.type === "go_on") return goOn();
  const run = await engine.runs.get(command.runId);
  await run.settled();
  say({ type: "settled", runId: run.id, at: now() });
});
say({ type: "ready" });

async function start({ agent, threadId, input }: WorkerCommand & { type: "start" }): Promise<void> {
  const definition = agents[agent as keyof typeof agents];
  const run = await (threadId === null
    ? engine.runs.start(definition, input as never)
    : (await engine.threads.get(threadId)).start(definition, input as never));
  say({ type: "started", agent, runId: run.id });
}

async function cancel(runId: string): Promise<void> {
  say({ type: "canceling", runId, at: now() });
  await engine.runs.cancel(runId);
}

async function follow(runId: string): Promise<void> {
  const run = await engine.runs.get(runId);
  say({ type: "following", runId });
  for await (const frame of run.events()) {
    if (frame.kind === "dropped") say({ type: "dropped", runId, count: frame.count });
    if (frame.kind === "delta") {
      const { sentAt } = frame.payload as { readonly sentAt: number };
      say({ type: "delta", runId, number: frame.sequenceNumber, sentAt, at: now() });
    }
    if (frame.kind !== "event") continue;
    const { sentAt = 0 } = (frame.payload ?? {}) as { readonly sentAt?: number };
    say({ type: "event", runId, event: frame.type, sentAt, at: now() });
  }
}
