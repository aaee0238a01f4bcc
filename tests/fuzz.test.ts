/**
 * Every method of what users hold, called with anything at all: it answers, or refuses with a typed error. Nothing is
 * left unhandled (vitest fails on an unhandled rejection), and the engine still works afterwards. What packages export is
 * in fuzz-exports.test.ts.
 *
 * Entries are found by looking, so a new one is fuzzed from the day it exists.
 */

import type { Executor, RunHandle, ThreadHandle, Transaction } from "@heddle/core";
import { defineAgent } from "@heddle/core";
import type { TestEngine } from "@heddle/core/testing";
import { createTestEngine, manualClock } from "@heddle/core/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { errorOf, requireTyped } from "./fuzzed-calls.js";
import { hostileArguments, hostileValue } from "./hostile-values.js";
import type { World } from "./set-up.js";
import { setUp } from "./set-up.js";
import { size } from "./size.js";
import { onEveryStorage } from "./storages.js";

const echo = defineAgent({ name: "echo", run: ({ input }) => ({ output: input, values: { last: input } }) });

/** What they hold need not work afterwards; `close` has a test of its own. */
const notFuzzed = new Set(["constructor", "close", "start"]);

function methodsOf(target: object): string[] {
  const names = new Set<string>();
  for (let type = Object.getPrototypeOf(target); type !== Object.prototype; type = Object.getPrototypeOf(type)) {
    for (const name of Object.getOwnPropertyNames(type)) names.add(name);
  }
  const isMethod = (name: string): boolean => {
    const descriptor = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(target), name);
    return typeof descriptor?.value === "function";
  };
  return [...names].filter((name) => !notFuzzed.has(name) && isMethod(name)).sort();
}

interface Targets {
  readonly engine: object;
  readonly runs: object;
  readonly threads: object;
  readonly thread: ThreadHandle;
  readonly turn: RunHandle;
  readonly stateless: RunHandle;
}

/** What was deleted by the last call is there again. Runs are settled, so nobody waits for them. */
async function targetsOf({ engine }: World): Promise<Targets> {
  const thread = await engine.threads.getOrCreate("kept");
  const turn = await thread.start(echo, "turn", { whenBusy: "enqueue" });
  const stateless = await engine.runs.start(echo, "stateless");
  await Promise.all([turn.settled(), stateless.settled()]);
  return { engine, runs: engine.runs, threads: engine.threads, thread, turn, stateless };
}

onEveryStorage("anything at all", (kind) => {
  const calls = Math.ceil(size(60, 500, 1_000) * kind.fullShare);

  for (const name of ["engine", "runs", "threads", "thread", "turn", "stateless"] as const) {
    test(`for ${name}: each method ${calls} times`, async () => {
      const world = await setUp(kind, { agents: [echo] });
      const entries = methodsOf((await targetsOf(world))[name]);
      expect(entries.length).toBeGreaterThan(0);
      const call = fc.asyncProperty(fc.constantFrom(...entries), hostileArguments, async (entry, given) => {
        const target = (await targetsOf(world))[name] as Record<string, (...args: unknown[]) => unknown>;
        requireTyped(await errorOf(() => target[entry]?.(...given)), `${name}.${entry}`, given);
      });
      await fc.assert(call, { numRuns: calls * Math.ceil(entries.length / 3), endOnFailure: false });
      expect(await (await world.engine.runs.start(echo, "alive")).result()).toBe("alive");
    }, 600_000);
  }

  test("in a host's transaction", async () => {
    const world = await setUp(kind, { agents: [echo] });
    const { engine } = world;
    const entries = {
      start: (tx: Transaction, [agent, input, options]: unknown[]) =>
        engine.runs.start((agent ?? echo) as typeof echo, input as string, { ...(options as object), tx }),
      create: (tx: Transaction, [options]: unknown[]) => engine.threads.create({ ...(options as object), tx }),
      getOrCreate: (tx: Transaction, [id, options]: unknown[]) =>
        engine.threads.getOrCreate(id as string, { ...(options as object), tx }),
      outside: (_: Transaction, [id]: unknown[]) => engine.runs.get(id as string),
    };
    const names = Object.keys(entries) as (keyof typeof entries)[];
    const call = fc.asyncProperty(fc.constantFrom(...names), hostileArguments, async (entry, given) => {
      const error = await errorOf(() =>
        engine.transaction(async (tx) => {
          requireTyped(await errorOf(() => entries[entry](tx, given)), `transaction: ${entry}`, given);
          return given[0];
        }),
      );
      requireTyped(error, `transaction with ${entry}`, given);
    });
    await fc.assert(call, { numRuns: calls * 2, endOnFailure: false });
    expect(await (await engine.runs.start(echo, "alive")).result()).toBe("alive");
  }, 600_000);

  test("from inside an agent", async () => {
    const tried: unknown[] = [];
    let entries: string[] = [];
    let next: { readonly entry: string; readonly given: unknown[] } = { entry: "emit", given: [] };
    const caller = defineAgent({
      name: "caller",
      run: async (context) => {
        const members = context as unknown as Readonly<Record<string, unknown>>;
        entries = Object.keys(members).filter((name) => typeof members[name] === "function");
        const entry = members[next.entry];
        const error = await errorOf(() => (entry as (...args: unknown[]) => unknown)(...next.given));
        // A question or a long sleep: the attempt ends there, and that is no failure.
        if ((error as Error | undefined)?.name === "AttemptEnded") throw error;
        tried.push(error);
      },
    });
    const world = await setUp(kind, { agents: [echo, caller] });
    await (await world.engine.runs.start(caller, null)).settled();
    expect(entries).toContain("interrupt");
    const call = fc.asyncProperty(fc.constantFrom(...entries), hostileArguments, async (entry, given) => {
      next = { entry, given };
      tried.length = 0;
      const run = await world.engine.runs.start(caller, null);
      do await world.quiet();
      while ((await run.info()).status === "running");
      const { status } = await run.info();
      expect(["succeeded", "interrupted", "pending"]).toContain(status);
      if (status === "pending") await run.cancel({ wait: true });
      requireTyped(tried[0], `context.${entry}`, given);
    });
    await fc.assert(call, { numRuns: calls * 2, endOnFailure: false });
  }, 600_000);

  test.each(["agent", "executor", "settle hook", "listener"] as const)(
    "returned and thrown by the host's %s",
    async (who) => {
      let result: unknown;
      let thrown: unknown;
      const act = (is: typeof who): unknown => {
        if (who !== is) return undefined;
        if (thrown !== undefined) throw thrown;
        return result;
      };
      const executor: Executor = { name: "odd", sharesMemory: true, execute: async () => act("executor") as object };
      const odd = defineAgent({
        name: "odd",
        run: () => act("agent") as never,
        onSettle: () => act("settle hook") as never,
        ...(who === "executor" && { executor }),
      });
      const world = await setUp(kind, { agents: [echo, odd] });
      for (const type of ["run_succeeded", "run_failed"] as const) world.engine.on(type, () => act("listener"));
      const call = fc.asyncProperty(hostileValue, fc.boolean(), async (value, throws) => {
        [result, thrown] = throws ? [undefined, value] : [value, undefined];
        const run = await world.engine.runs.start(odd, null);
        const outcome = await run.settled();
        expect(["succeeded", "failed"]).toContain(outcome.status);
      });
      await fc.assert(call, { numRuns: calls * 2, endOnFailure: false });
    },
    600_000,
  );
});

describe("anything at all, for what tests hold", () => {
  const calls = size(300, 5_000);

  test("for a test engine: its own methods", async () => {
    const entries = ["crashAt", "runUntilIdle", "restart", "join"] as const;
    const call = fc.asyncProperty(fc.constantFrom(...entries), hostileArguments, async (entry, given) => {
      await using t = await createTestEngine({ agents: [echo] });
      const error = await errorOf(async () => {
        const answer = await (t[entry] as (...args: unknown[]) => unknown)(...given);
        if (entry === "join") await (answer as TestEngine).close();
      });
      requireTyped(error, `testEngine.${entry}`, given);
      if (!t.crashed) expect(await (await t.engine.runs.start(echo, "alive")).result()).toBe("alive");
    });
    await fc.assert(call, { numRuns: calls, endOnFailure: false });
  }, 600_000);

  test("for an engine: its close, after which it is closed or works", async () => {
    const call = fc.asyncProperty(hostileArguments, async (given) => {
      await using t = await createTestEngine({ agents: [echo] });
      const { engine } = t;
      const closing = errorOf(() => (engine.close as (...args: unknown[]) => unknown)(...given));
      await t.clock.settle();
      const error = await closing;
      requireTyped(error, "engine.close", given);
      const alive = await errorOf(async () => (await engine.runs.start(echo, "alive")).result());
      expect((alive as { readonly code?: string } | undefined)?.code).toBe(
        error === undefined ? "ENGINE_CLOSED" : undefined,
      );
    });
    await fc.assert(call, { numRuns: calls, endOnFailure: false });
  }, 600_000);

  test("for a manual clock: each method", async () => {
    const entries = ["advance", "advanceTo", "jump", "nextTimer", "waitFor"] as const;
    const call = fc.asyncProperty(fc.constantFrom(...entries), hostileArguments, async (entry, given) => {
      const clock = manualClock();
      const error = await errorOf(() => (clock[entry] as (...args: unknown[]) => unknown)(...given));
      requireTyped(error, `clock.${entry}`, given);
      expect(clock.now()).not.toBeNaN();
    });
    await fc.assert(call, { numRuns: calls, endOnFailure: false });
  }, 600_000);

  test("every method of a test engine and its clock is among them, or does not take anything", async () => {
    await using t = await createTestEngine();
    const own = Object.entries(Object.getOwnPropertyDescriptors(t)).filter(
      ([, { value }]) => typeof value === "function",
    );
    expect(own.map(([name]) => name).sort()).toEqual(["close", "crash", "crashAt", "join", "restart", "runUntilIdle"]);
    const ports = ["now", "setTimer", "turn"];
    expect(methodsOf(t.clock)).toEqual(
      ["advance", "advanceTo", "jump", "nextTimer", "settle", "waitFor", ...ports].sort(),
    );
  });
});
