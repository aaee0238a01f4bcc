/**
 * From a seed to a plan. Each seed leaves most kinds of commands and faults out and so does the rest more often ("swarm
 * testing": Groce and others, 2012): rare meetings of two kinds come about that an even mixture would hardly ever make.
 */

import { Dice } from "../history/dice.js";
import type { ReadingPlan, StartPlan, Step } from "../history/script.js";
import { makeFeatures, StartMaker } from "./make-start.js";
import type { ClientPlan, Fault, FaultKind, Plan, WorkerPlan } from "./plan.js";

export const agentNames = ["weaver", "spinner"] as const;

export function makePlan(seed: number): Plan {
  const dice = new Dice(seed, "plan");
  const workers = makeWorkers(dice);
  const lease = dice.pick([3_000, 3_000, 15_000]);
  return {
    seed,
    workers,
    clients: new ClientMaker(seed, dice).make(workers.length),
    faults: makeFaults(new Dice(seed, "faults"), lease),
    scheduling: { shuffles: dice.chance(0.8), bursts: dice.chance(0.3) },
    storage: {
      turns: dice.pick([0, 1, 2, 4]),
      delay: dice.pick([0, 0, 5, 200]),
      hints: dice.pick(["sure", "sure", "lossy", "none"]),
      provesDeath: dice.chance(0.5),
    },
    settings: {
      lease,
      heartbeat: lease / 3,
      poll: dice.pick([1_000, 4_000]),
      cancelGrace: dice.pick([0, 500, 5_000]),
      suspendAfter: dice.pick([0, 5_000, 60_000]),
      queueBound: dice.pick([1, 2, 100]),
      bufferedDeltas: dice.pick([1, 2, 1_024, 1_024]),
    },
  };
}

function makeWorkers(dice: Dice): WorkerPlan[] {
  return Array.from({ length: dice.pick([1, 1, 2, 2, 3]) }, (_, index) => ({
    agents: index === 0 || dice.chance(0.7) ? agentNames : agentNames.slice(0, 1),
    concurrency: dice.pick([1, 2, 3, 8]),
    works: index === 0 || dice.chance(0.85),
  }));
}

/** What is done without an answer is the hardest to get right: it comes twice as often. */
const faultKinds: readonly FaultKind[] = [
  "error_before",
  "error_unclear",
  "error_after",
  "error_after",
  "delay",
  "duplicate",
  "crash_before",
  "crash_after",
  "pause",
  "jump",
  "close",
];

/** Most calls of one simulation come before these; what befalls none is no harm. */
const lastCommit = 50;
const lastCall = 150;

function makeFaults(dice: Dice, lease: number): Fault[] {
  if (dice.chance(0.1)) return [];
  // Often one kind alone, over and over.
  const kinds = dice.chance(0.4) ? [dice.pick(faultKinds)] : faultKinds.filter(() => dice.chance(0.35));
  if (kinds.length === 0) kinds.push(dice.pick(faultKinds));
  return Array.from({ length: dice.between(1, dice.pick([3, 6, 15])) }, () => {
    const kind = dice.pick(kinds);
    const among = dice.chance(0.6) ? "commits" : "calls";
    const at = dice.between(1, among === "commits" ? lastCommit : lastCall);
    return { kind, among, at, ms: lengthOf(kind, dice, lease) };
  });
}

function lengthOf(kind: FaultKind, dice: Dice, lease: number): number {
  if (kind === "jump") return dice.pick([-3_600_000, 3_600_000]);
  // Just after somebody else has taken over, or long after.
  if (kind === "pause" || kind === "delay") return dice.pick([100, lease + 100, lease + 100, lease + 5_000]);
  return dice.pick([0, 50, 5_000, 30_000]);
}

type StepKind = Step["do"];

const weights: Readonly<Record<StepKind, number>> = {
  think: 4,
  create: 2,
  copy: 1,
  delete_thread: 2,
  start: 12,
  start_many: 1,
  cancel: 4,
  answer: 10,
  delete_run: 1,
  wait: 4,
  read_run: 5,
  read_thread: 4,
  values: 2,
  inspect: 2,
};

/** Never left out: without them nothing happens. */
const essential: readonly StepKind[] = ["start", "create", "think"];

class ClientMaker {
  readonly #dice: Dice;
  readonly #kinds: readonly StepKind[];
  readonly #threads: readonly string[];
  readonly #keyed: StartPlan[] = [];
  readonly #starter: StartMaker;
  #starts = 0;
  #tokens = 0;
  #answers = 0;

  constructor(seed: number, dice: Dice) {
    this.#dice = dice;
    const features = makeFeatures(new Dice(seed, "features"));
    this.#threads = ["a", "b", "c"].slice(0, features.isCrowded ? 1 : dice.between(1, 3));
    this.#starter = new StartMaker(new Dice(seed, "scripts"), this.#threads, features);
    const kinds = Object.keys(weights) as StepKind[];
    const wanted = kinds.filter((kind) => {
      if (kind === "answer") return features.ops.includes("ask");
      return essential.includes(kind) || dice.chance(0.6);
    });
    this.#kinds = wanted.flatMap((kind) => new Array<StepKind>(weights[kind]).fill(kind));
  }

  make(workers: number): ClientPlan[] {
    const clients = this.#dice.between(1, 3);
    const steps = this.#dice.pick([4, 8, 14]);
    return Array.from({ length: clients }, (_, index) => ({
      worker: this.#dice.between(0, workers - 1),
      steps: [
        ...(index === 0 ? this.#threads.map((thread) => this.#create(thread)) : []),
        ...Array.from({ length: steps }, () => this.#step(this.#dice.pick(this.#kinds))).flatMap((step) =>
          this.#withRegret(step),
        ),
      ],
    }));
  }

  /** Who cancels a run may want to take back what it did as well. */
  #withRegret(step: Step): Step[] {
    if (step.do !== "cancel" || step.rollback || !this.#dice.chance(0.3)) return [step];
    return [
      { ...step, wait: false },
      { ...step, rollback: true },
    ];
  }

  #step(kind: StepKind): Step {
    const dice = this.#dice;
    const run = dice.chance(0.7) ? 1 : dice.fraction();
    switch (kind) {
      case "think":
        return { do: kind, ms: dice.pick([1, 100, 1_000, 8_000]) };
      case "create":
        return this.#create(dice.pick([...this.#threads, "copy"]));
      case "copy":
        return { do: kind, from: dice.pick(this.#threads), to: dice.pick(["copy", "copy", ...this.#threads]) };
      case "delete_thread":
        return { do: kind, thread: dice.pick([...this.#threads, "copy"]) };
      case "start":
        return { do: kind, start: this.#start(), reading: dice.chance(0.3) ? this.#reading() : null };
      case "start_many":
        return { do: kind, starts: Array.from({ length: dice.between(2, 3) }, () => this.#start()) };
      case "cancel":
        return {
          do: kind,
          run,
          wait: dice.chance(0.3),
          grace: dice.pick([null, null, 0, 200]),
          rollback: dice.chance(0.3),
        };
      case "answer": {
        const which = dice.pick(["all", "first", "only", "only", "blind"] as const);
        return { do: kind, run, which, token: `a${++this.#answers}` };
      }
      case "delete_run":
        return { do: kind, run };
      case "wait":
        return { do: kind, run, background: dice.chance(0.7) };
      case "read_run":
        return { do: kind, run, reading: this.#reading() };
      case "read_thread":
        return { do: kind, thread: dice.pick(this.#threads), reading: this.#reading() };
      case "values":
        return { do: kind, thread: dice.pick([...this.#threads, "copy"]) };
      case "inspect":
        return { do: kind, thread: dice.pick([...this.#threads, "copy"]), run };
    }
  }

  #create(thread: string): Step {
    const token = this.#dice.chance(0.5) ? `i${++this.#tokens}` : null;
    return { do: "create", thread, orGet: this.#dice.chance(0.5), token };
  }

  #reading(): ReadingPlan {
    return {
      after: this.#dice.pick([null, null, 0, this.#dice.fraction()]),
      frames: this.#dice.pick([null, null, null, 1, 5]),
      pace: this.#dice.pick([0, 0, 0, 20, 60]),
      cancels: this.#dice.chance(0.15),
    };
  }

  #start(): StartPlan {
    const again = this.#dice.chance(0.25) ? this.#keyed.at(this.#dice.between(0, this.#keyed.length - 1)) : undefined;
    if (again !== undefined && this.#dice.chance(0.8)) return again;
    const start = this.#starter.make(++this.#starts);
    if (again === undefined) {
      if (start.key !== null) this.#keyed.push(start);
      return start;
    }
    // Another input under the same key: a conflict.
    return { ...start, key: again.key, thread: again.thread, agent: again.agent };
  }
}
