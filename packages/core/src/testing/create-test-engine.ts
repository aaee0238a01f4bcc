/** A started engine with virtual time and seeded ids: what a test of one's own agents needs. */

import { memoryStorage } from "../adapters/memory-storage.js";
import { createEngine } from "../create-engine.js";
import type { Engine, EngineOptions } from "../engine/engine.js";
import type { ManualClock } from "./manual-clock.js";
import { manualClock } from "./manual-clock.js";
import { seededRandom } from "./seeded-random.js";

export interface TestEngineOptions extends Omit<Partial<EngineOptions>, "clock" | "random"> {
  /** Default 1. Engines that share a storage need different seeds. */
  readonly seed?: number;
  /** Where time begins, or a clock that several engines share. Default 2030-01-01T00:00:00Z. */
  readonly clock?: ManualClock;
}

export interface IdleOptions {
  /**
   * Real ms that an attempt may be silent before it counts as waiting for time (or for ever). Agents that do real I/O
   * need more. Default 10.
   */
  readonly patience?: number;
}

export interface TestEngine extends AsyncDisposable {
  readonly engine: Engine;
  readonly clock: ManualClock;
  /**
   * Work until nothing is left to do but to wait: for a person, for a run of another engine, for an attempt that hangs.
   * Time moves on by itself to the next backoff, delay, timeout or deadline whenever nothing else can happen.
   */
  runUntilIdle(options?: IdleOptions): Promise<void>;
  /** Close at once; unfinished runs are handed back. */
  close(): Promise<void>;
}

/** More steps than this: the engine chases its own timers. */
const maxSteps = 100_000;

/**
 * @example
 * ```ts
 * await using test = await createTestEngine({ agents: [reminder] });
 * const run = await test.engine.runs.start(reminder, { text: "tea" }, { delay: 3_600_000 });
 * await test.runUntilIdle();
 * assert.equal(await run.result(), "tea!");
 * ```
 */
export async function createTestEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  const { seed = 1, clock = manualClock(), storage = memoryStorage(), ...rest } = options;
  const engine = createEngine({ suspendAfter: 0, ...rest, storage, clock, random: seededRandom(seed) });
  await engine.start();
  const close = (): Promise<void> => engine.close({ grace: 0 });
  return {
    engine,
    clock,
    runUntilIdle: (idle = {}) => runUntilIdle(engine, clock, idle.patience ?? 10),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function runUntilIdle(engine: Engine, clock: ManualClock, patience: number): Promise<void> {
  for (let step = 0; step < maxSteps; step++) {
    await untilQuiet(engine, clock, patience);
    await engine.refresh();
    const next = clock.nextTimer("work");
    if (next === undefined) return;
    await clock.advanceTo(next);
  }
  throw new Error(`the engine is not idle after ${maxSteps} timers`);
}

/** Until the engine has nothing under way and the attempts, if any, have been silent for `patience` real ms. */
async function untilQuiet(engine: Engine, clock: ManualClock, patience: number): Promise<void> {
  let silentSince = performance.now();
  for (let quietTurns = 0; quietTurns < 3 || (engine.attempts > 0 && performance.now() - silentSince < patience); ) {
    await clock.settle();
    if (engine.quiet) quietTurns++;
    else {
      quietTurns = 0;
      silentSince = performance.now();
    }
  }
}
