/** What one client does, step by step, without end. The same seed and lane ask for the same. */

import type { AttemptScript, ClientStep, Op, ReadingPlan, StartPlan } from "@heddle/core/testing";
import { Dice } from "@heddle/core/testing";

export const agentNames = ["weaver", "spinner"] as const;

export interface Lane {
  readonly seed: number;
  readonly lane: number;
  readonly lanes: number;
  readonly threads: number;
}

/** Threads that are deleted, copied and made again; the others stay, so that their rules are strict. */
const shortLived = 4;
/** Those that end others more seldom: most runs shall come to their own end. */
const strategies = [
  ...(["reject", "reject", "enqueue", "enqueue", "enqueue", "enqueue"] as const),
  ...(["steer", "steer", "interrupt", "rollback"] as const),
];
/** No two lanes use one number. */
const numbersPerLane = 1_000_000;
/** Who repeats a start with a key finds one of the last of these. */
const remembered = 8;

export function* makeLoad(lane: Lane): Generator<ClientStep> {
  const load = new Load(lane);
  yield* load.creations();
  for (;;) yield load.next();
}

/** May the step be taken again by whoever does not know whether it was? */
export function isRepeatable(step: ClientStep): boolean {
  return step.do === "start" && step.start.key !== null;
}

class Load {
  readonly #dice: Dice;
  readonly #lane: Lane;
  readonly #keyed: StartPlan[] = [];
  #starts = 0;
  #answers = 0;

  constructor(lane: Lane) {
    this.#lane = lane;
    this.#dice = new Dice(lane.seed, `lane ${lane.lane}`);
  }

  *creations(): Generator<ClientStep> {
    const { lane, lanes, threads } = this.#lane;
    for (let index = lane; index < threads; index += lanes)
      yield { do: "create", thread: `t${index}`, orGet: true, token: null };
  }

  next(): ClientStep {
    const dice = this.#dice;
    const run = dice.chance(0.7) ? 1 : dice.fraction();
    const chosen = dice.between(1, 100);
    if (chosen <= 52) return { do: "start", start: this.#start(), reading: dice.chance(0.2) ? this.#reading() : null };
    if (chosen <= 55)
      return { do: "start_many", starts: Array.from({ length: dice.between(2, 4) }, () => this.#newStart()) };
    if (chosen <= 64)
      return { do: "answer", run, which: dice.pick(["all", "first", "only"]), token: this.#answerToken() };
    if (chosen <= 70)
      return {
        do: "cancel",
        run,
        wait: dice.chance(0.3),
        grace: dice.pick([null, null, 0, 500]),
        rollback: dice.chance(0.3),
      };
    if (chosen <= 74) return { do: "wait", run: dice.fraction(), background: true };
    if (chosen <= 80) return { do: "values", thread: this.#thread() };
    if (chosen <= 83) return { do: "read_run", run, reading: this.#reading() };
    if (chosen <= 86) return { do: "read_thread", thread: this.#thread(), reading: this.#reading() };
    if (chosen <= 90) return { do: "inspect", thread: this.#thread(), run };
    if (chosen <= 91 && dice.chance(0.5)) return { do: "delete_run", run: dice.fraction() };
    if (chosen <= 93) return { do: "delete_thread", thread: this.#shortLived() };
    if (chosen <= 95) return { do: "create", thread: this.#shortLived(), orGet: dice.chance(0.5), token: null };
    if (chosen <= 96) return { do: "copy", from: this.#thread(), to: this.#shortLived() };
    return { do: "think", ms: dice.pick([10, 100, 500]) };
  }

  #answerToken(): string {
    return `a${this.#lane.lane}.${++this.#answers}`;
  }

  #thread(): string {
    return `t${this.#dice.between(0, this.#lane.threads - 1)}`;
  }

  #shortLived(): string {
    return `short${this.#dice.between(1, shortLived)}`;
  }

  /** Most readers leave by themselves: who reads to the end of the history would be many. */
  #reading(): ReadingPlan {
    const dice = this.#dice;
    return {
      after: dice.pick([null, null, 0, dice.fraction()]),
      frames: dice.pick([1, 5, 20, 20, 50, dice.chance(0.2) ? null : 100]),
      pace: dice.pick([0, 0, 0, 20]),
      cancels: false,
    };
  }

  #start(): StartPlan {
    const dice = this.#dice;
    const again = dice.chance(0.15) ? this.#keyed.at(-dice.between(1, remembered)) : undefined;
    return again ?? this.#newStart();
  }

  #newStart(): StartPlan {
    const dice = this.#dice;
    const n = this.#lane.lane * numbersPerLane + ++this.#starts;
    const thread = dice.chance(0.05) ? this.#shortLived() : dice.chance(0.75) ? this.#thread() : null;
    const maxFailures = dice.pick([1, 2, 3]);
    const start: StartPlan = {
      n,
      agent: dice.pick(agentNames),
      thread,
      whenBusy: dice.pick(strategies),
      createThread: dice.chance(0.2),
      delay: dice.pick([0, 0, 0, 0, 0, 300, 2_000]),
      key: dice.chance(0.3) ? `k${n}` : null,
      priority: dice.pick([0, 0, 5]),
      deadline: dice.chance(0.05) ? dice.pick([500, 20_000]) : null,
      // Who hangs is cut off.
      attemptTimeout: dice.chance(0.15) ? dice.pick([300, 2_000]) : 5_000,
      maxFailures,
      maxCrashes: dice.pick([2, 3, 20]),
      ephemeral: thread === null && dice.chance(0.15),
      script: Array.from({ length: dice.between(1, maxFailures + 1) }, () => makeScript(dice)),
    };
    const crashes = start.script.some(({ ops }) => ops.some((op) => op.do === "crash"));
    // A worker that is taken along loses all its runs: not twenty times for one of them.
    const bounded = crashes ? { ...start, maxCrashes: 2 } : start;
    if (start.key !== null) this.#keyed.push(bounded);
    return bounded;
  }
}

function makeScript(dice: Dice): AttemptScript {
  return {
    ops: Array.from({ length: dice.pick([0, 1, 2, 4, 7]) }, () => makeOp(dice)),
    careless: dice.chance(0.2),
    end: dice.pick(["return", "return", "return", "return", "return_nothing", "throw"]),
  };
}

function makeOp(dice: Dice): Op {
  // An agent that takes its whole process along.
  if (dice.chance(0.001)) return { do: "crash" };
  const chosen = dice.between(1, 28);
  if (chosen <= 6)
    return { do: "emit", awaited: dice.chance(0.5), key: dice.chance(0.2) ? dice.pick(["k", "l"]) : null };
  if (chosen <= 9) return { do: "delta", count: dice.pick([1, 1, 3, 20]) };
  if (chosen <= 13) return { do: "checkpoint", awaited: dice.chance(0.7) };
  if (chosen <= 19) return { do: "sleep", ms: dice.pick([1, 20, 100, 300]) };
  if (chosen <= 20) return { do: "ignore", ms: dice.pick([10, 100, 2_000]) };
  if (chosen === 28) return { do: "lasting_sleep", key: dice.pick(["z", "y"]), ms: dice.pick([50, 400, 1_500]) };
  if (chosen >= 26) return makeStep(dice);
  if (chosen >= 24) return { do: "ask", keys: dice.pick([["q"], ["p", "q"]]) };
  // Who waits for a message that never comes is cut off.
  return { do: dice.chance(0.8) ? "take" : "listen" };
}

function makeStep(dice: Dice): Op {
  const key = dice.pick(["s", "t", "u"]);
  return { do: "step", key, ms: dice.pick([0, 20, 300]), fails: dice.chance(0.1), awaited: dice.chance(0.7) };
}
