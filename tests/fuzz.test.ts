/**
 * Every public entry, called with anything at all: it answers, or refuses with a typed error. Nothing is left unhandled
 * (vitest fails on an unhandled rejection), and the engine still works afterwards.
 *
 * Entries are found by looking, so a new one is fuzzed from the day it exists.
 */

import type { RunHandle, ThreadHandle } from "@heddle/core";
import { createEngine, defineAgent, HeddleError } from "@heddle/core";
import { postgresStorage } from "@heddle/storage-postgres";
import { sqliteStorage } from "@heddle/storage-sqlite";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aborted, hostileArguments, hostileValue } from "./hostile-values.js";
import type { World } from "./set-up.js";
import { setUp } from "./set-up.js";
import { size } from "./size.js";
import { onEveryStorage } from "./storages.js";

const echo = defineAgent({ name: "echo", run: ({ input }) => ({ output: input, values: { last: input } }) });

/** Ends what it holds: closing it is the one call after which an engine need not work. */
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

/** Call it and take what comes; `undefined`: it answered. */
async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    const answer = await call();
    if (isStream(answer)) await readOne(answer);
    return undefined;
  } catch (error) {
    return error;
  }
}

function isStream(answer: unknown): answer is AsyncGenerator {
  return typeof (answer as AsyncGenerator | undefined)?.next === "function";
}

/** A stream may have nothing to say for ever: leaving it must work too. */
async function readOne(stream: AsyncGenerator): Promise<void> {
  const first = stream.next();
  first.catch(() => {});
  const turn = new Promise((resolve) => setTimeout(resolve, 5));
  await Promise.race([first, turn]);
  void stream.return(undefined);
  await Promise.race([first, turn]);
}

function requireTyped(error: unknown, name: string, given: readonly unknown[]): void {
  if (error === undefined || error === aborted.reason || HeddleError.is(error)) return;
  const thrown = error instanceof Error ? `${error.name}: ${error.message}` : fc.stringify(error);
  throw new Error(`${name}(${given.map((value) => fc.stringify(value)).join(", ")}) threw ${thrown}`, { cause: error });
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
  const calls = Math.ceil(size(60, 1_000) * kind.fullShare);

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

  test("from inside an agent", async () => {
    const tried: unknown[] = [];
    let next: { readonly entry: string; readonly given: unknown[] } = { entry: "emit", given: [] };
    const caller = defineAgent({
      name: "caller",
      run: async (context) => {
        const entry = (context as unknown as Record<string, unknown>)[next.entry];
        const error = await errorOf(() => (entry as (...args: unknown[]) => unknown)(...next.given));
        // A question or a long sleep: the attempt ends there, and that is no failure.
        if ((error as Error | undefined)?.name === "AttemptEnded") throw error;
        tried.push(error);
      },
    });
    const world = await setUp(kind, { agents: [echo, caller] });
    const entries = ["emit", "delta", "checkpoint", "step", "sleep", "sleepUntil", "interrupt", "start", "takeSteered"];
    const call = fc.asyncProperty(fc.constantFrom(...entries), hostileArguments, async (entry, given) => {
      next = { entry, given };
      tried.length = 0;
      const run = await world.engine.runs.start(caller, null);
      await world.quiet();
      const { status } = await run.info();
      expect(["succeeded", "interrupted", "pending"]).toContain(status);
      if (status === "pending") await run.cancel({ wait: true });
      requireTyped(tried[0], `context.${entry}`, given);
    });
    await fc.assert(call, { numRuns: calls * 2, endOnFailure: false });
  }, 600_000);

  test("returned and thrown by an agent", async () => {
    let result: unknown;
    let thrown: unknown;
    const odd = defineAgent({
      name: "odd",
      run: () => {
        if (thrown !== undefined) throw thrown;
        return result as never;
      },
    });
    const world = await setUp(kind, { agents: [echo, odd] });
    const call = fc.asyncProperty(hostileValue, fc.boolean(), async (value, throws) => {
      [result, thrown] = throws ? [undefined, value] : [value, undefined];
      const run = await world.engine.runs.start(odd, null);
      const outcome = await run.settled();
      expect(["succeeded", "failed"]).toContain(outcome.status);
    });
    await fc.assert(call, { numRuns: calls * 2, endOnFailure: false });
  }, 600_000);
});

describe("anything at all, for what makes engines and storages", () => {
  const makers = { createEngine, defineAgent, sqliteStorage, postgresStorage } as unknown as Record<
    string,
    (...args: unknown[]) => unknown
  >;

  for (const [name, make] of Object.entries(makers)) {
    test(name, () => {
      const call = fc.property(hostileArguments, (given) => {
        try {
          make(...given);
        } catch (error) {
          requireTyped(error, name, given);
        }
      });
      fc.assert(call, { numRuns: size(500, 20_000), endOnFailure: false });
    });
  }
});
