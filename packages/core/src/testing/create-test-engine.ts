/** A started engine with virtual time and seeded ids, in a process that can die: what a test of one's own agents needs. */

import { inlineExecutor } from "../adapters/inline-executor.js";
import { memoryStorage } from "../adapters/memory-storage.js";
import { createEngine } from "../create-engine.js";
import type { Agent } from "../engine/agent.js";
import { requireOptions } from "../engine/check-input.js";
import type { Engine, EngineOptions } from "../engine/engine.js";
import { invalidArgument, requireNumber } from "../engine/settings.js";
import { HeddleError } from "../errors.js";
import type { Executor } from "../ports/executor.js";
import type { Random } from "../ports/random.js";
import type { Storage } from "../ports/storage.js";
import { requireStorage } from "./check-arguments.js";
import type { CrashAt } from "./crash/crash-plan.js";
import { CrashPlan } from "./crash/crash-plan.js";
import { mortalExecutors } from "./crash/mortal-executor.js";
import { MortalProcess } from "./crash/mortal-process.js";
import { MortalStorage } from "./crash/mortal-storage.js";
import { outsideView } from "./crash/outside-view.js";
import type { ManualClock } from "./manual-clock.js";
import { manualClock } from "./manual-clock.js";
import { seededRandom } from "./seeded-random.js";

export interface TestEngineOptions extends Omit<Partial<EngineOptions>, "clock" | "random"> {
  /** Default 1. Engines that share a storage, and were not made by `join`, need different seeds. */
  readonly seed?: number;
  /** Where time begins, or a clock that several engines share. Default 2030-01-01T00:00:00Z. */
  readonly clock?: ManualClock;
}

/** What another process does differently. `storage`: another connection to the same database. */
export type ProcessOptions = Omit<TestEngineOptions, "seed" | "clock">;

export interface IdleOptions {
  /**
   * Real ms that an attempt may be silent before it counts as waiting for time (or for ever). Agents that do real I/O
   * need more. Default 10.
   */
  readonly patience?: number;
}

export interface TestEngine extends AsyncDisposable {
  /** After a `restart`, the new one. When its process dies, whoever waits for one of its calls gets `ENGINE_CLOSED`. */
  readonly engine: Engine;
  readonly clock: ManualClock;
  /** Is its process dead? */
  readonly crashed: boolean;
  /**
   * Work until nothing is left to do but to wait: for a person, for an attempt that hangs, for a process that is dead.
   * Time moves on by itself to the next backoff, delay, timeout, deadline or lease whenever nothing else can happen.
   */
  runUntilIdle(options?: IdleOptions): Promise<void>;
  /**
   * Let the process die when a run comes to this point: once, the next time; also after a `restart`.
   * @throws HeddleError INVALID_ARGUMENT naming the field
   */
  crashAt(where: CrashAt): void;
  /** Let the process die now. */
  crash(): void;
  /**
   * Start another process in place of the dead one, on the same storage. It takes over the dead one's runs when their
   * leases are over: let time pass.
   * @throws HeddleError INVALID_ARGUMENT where the process lives: a test that waits for a crash that never comes is wrong
   */
  restart(options?: ProcessOptions): Promise<void>;
  /** Another process beside this one, on the same storage and clock. `runUntilIdle` of one is that of all. */
  join(options?: ProcessOptions): Promise<TestEngine>;
  /** Close at once; unfinished runs are handed back. */
  close(): Promise<void>;
}

/**
 * Resolves when what was due already has been claimed. So does a `join` or `restart`.
 *
 * @example
 * ```ts
 * await using test = await createTestEngine({ agents: [reminder] });
 * const run = await test.engine.runs.start(reminder, { text: "tea" }, { delay: 3_600_000 });
 * await test.runUntilIdle();
 * assert.equal(await run.result(), "tea!");
 * ```
 * @throws HeddleError INVALID_ARGUMENT naming the field; STORAGE_…
 */
export async function createTestEngine(options: TestEngineOptions = {}): Promise<TestEngine> {
  requireOptions("options", options);
  const { seed = 1, clock = manualClock(), storage = memoryStorage(), ...rest } = options;
  if (typeof clock?.advanceTo !== "function") throw invalidArgument("clock", clock, "a manualClock()");
  requireStorage("storage", storage);
  return enter({ clock, random: seededRandom(seed), lives: new Set() }, { ...rest, storage });
}

/** What the processes of one test share. */
interface World {
  readonly clock: ManualClock;
  readonly random: Random;
  readonly lives: Set<Life>;
}

/** A process, from its start to its death or close. */
interface Life {
  readonly engine: Engine;
  readonly process: MortalProcess;
  readonly storage: MortalStorage;
}

type Choices = ProcessOptions & { readonly storage: Storage };

async function enter(world: World, choices: Choices): Promise<TestEngine> {
  const plan = new CrashPlan();
  const dead: Life[] = [];
  let life = await begin(world, choices, plan);
  const close = async (): Promise<void> => {
    if (!life.process.isDead) await unlessItDies(life.process, life.engine.close({ grace: 0 }));
    world.lives.delete(life);
    for (const { storage } of [life, ...dead.splice(0)]) await storage.bury();
  };
  return {
    get engine() {
      return outsideView(life.engine, life.process);
    },
    clock: world.clock,
    get crashed() {
      return life.process.isDead;
    },
    runUntilIdle: (idle = {}) => runUntilIdle(world, patienceOf(idle)),
    crashAt: (where) => plan.add(where),
    crash: () => life.process.kill(),
    async restart(changes = {}) {
      checkChanges(changes);
      if (!life.process.isDead) throw stillAlive(plan);
      await life.storage.silence();
      dead.push(life);
      life = await begin(world, changed(choices, changes), plan);
    },
    async join(changes = {}) {
      checkChanges(changes);
      return enter(world, changed(choices, changes));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function begin(world: World, choices: Choices, plan: CrashPlan): Promise<Life> {
  const { clock, random, lives } = world;
  const process = new MortalProcess(clock);
  const storage = new MortalStorage(choices.storage, { clock }, process, plan);
  const engine = createEngine({ ...inProcess(choices, process), storage, clock: process.clock, random });
  const life = { engine, process, storage };
  await unlessItDies(process, engine.start());
  lives.add(life);
  process.onDeath(() => void lives.delete(life));
  await untilFirstClaim(world, life);
  return life;
}

/** Turns of the loop. A storage that does not answer is not waited for. */
const firstClaimTakesAtMost = 500;

/** A claim that is under way holds all slots: what is started meanwhile another process would take. */
async function untilFirstClaim({ clock }: World, { engine, process }: Life): Promise<void> {
  for (let turns = 0, quietTurns = 0; quietTurns < 3 && turns < firstClaimTakesAtMost && !process.isDead; turns++) {
    await clock.settle();
    quietTurns = engine.quiet ? quietTurns + 1 : 0;
  }
}

async function unlessItDies(process: MortalProcess, work: Promise<void>): Promise<void> {
  await process.outside(work).catch((error: unknown) => {
    if (!process.isDead) throw error;
  });
}

/** The agents' code dies with the process too. What is no executor is for the engine to refuse. */
function inProcess({ executor = inlineExecutor, agents, ...rest }: Choices, process: MortalProcess): Choices {
  const known = mortalExecutors(process);
  const mortal = (inner: Executor): Executor => (typeof inner?.execute === "function" ? known(inner) : inner);
  const own = Array.isArray(agents)
    ? agents.map((agent: Agent) => (agent?.executor ? withExecutor(agent, mortal(agent.executor)) : agent))
    : agents;
  return { suspendAfter: 0, ...rest, executor: mortal(executor), ...(own === undefined ? {} : { agents: own }) };
}

/** An agent may be an instance of a class. */
function withExecutor(agent: Agent, executor: Executor): Agent {
  return Object.create(agent, { executor: { value: executor, enumerable: true } }) as Agent;
}

/** @throws HeddleError INVALID_ARGUMENT */
function checkChanges(changes: ProcessOptions): void {
  requireOptions("options", changes);
  if (changes.storage !== undefined) requireStorage("storage", changes.storage);
}

/** What is `undefined` is left out. */
function changed(choices: Choices, changes: ProcessOptions): Choices {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return { ...choices, ...Object.fromEntries(given) };
}

function stillAlive({ open }: CrashPlan): HeddleError {
  const places = open.map((where) => JSON.stringify(where)).join(", ");
  const why = places === "" ? "Nothing made it die: crash() does." : `No run came to ${places}.`;
  return new HeddleError("INVALID_ARGUMENT", `Only a dead process is restarted, and this one lives. ${why}`, {
    details: { field: "process", open },
  });
}

/** @throws HeddleError INVALID_ARGUMENT */
function patienceOf(options: IdleOptions): number {
  requireOptions("options", options);
  return requireNumber("patience", options.patience ?? 10, 0);
}

/** More steps than this: the engine chases its own timers. */
const maxSteps = 100_000;

async function runUntilIdle(world: World, patience: number): Promise<void> {
  const { clock, lives } = world;
  for (let step = 0; step < maxSteps; step++) {
    await untilQuiet(world, patience);
    for (const { engine, process } of [...lives]) await unlessItDies(process, engine.refresh());
    const next = clock.nextTimer("work");
    if (next === undefined || lives.size === 0) return;
    await clock.advanceTo(next);
  }
  throw new Error(`the engine is not idle after ${maxSteps} timers`);
}

/** Until no engine has anything under way and the attempts, if any, have been silent for `patience` real ms. */
async function untilQuiet({ clock, lives }: World, patience: number): Promise<void> {
  let silentSince = performance.now();
  const anyAttempt = (): boolean => [...lives].some(({ engine }) => engine.attempts > 0);
  for (let quietTurns = 0; quietTurns < 3 || (anyAttempt() && performance.now() - silentSince < patience); ) {
    await clock.settle();
    if ([...lives].every(({ engine }) => engine.quiet)) quietTurns++;
    else {
      quietTurns = 0;
      silentSince = performance.now();
    }
  }
}
