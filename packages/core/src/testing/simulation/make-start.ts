/** What one start asks for, and what its agent will do in each attempt. */

import type { Dice } from "../history/dice.js";
import type { AttemptScript, BusyStrategy, Op, StartPlan } from "../history/script.js";

/** What the starts of one seed make use of. */
export interface Features {
  readonly strategies: readonly BusyStrategy[];
  /** What agents do beside writing and waiting. */
  readonly ops: readonly Op["do"][];
  /** Most runs meet others in their thread. */
  readonly isCrowded: boolean;
}

export function makeFeatures(dice: Dice): Features {
  const isPlain = dice.chance(0.3);
  const isUsed = (): boolean => !isPlain && dice.chance(0.5);
  const strategies: BusyStrategy[] = ["reject", "enqueue", "enqueue"];
  const ops: Op["do"][] = [];
  for (const strategy of ["interrupt", "rollback"] as const) if (isUsed()) strategies.push(strategy);
  if (isUsed()) {
    strategies.push("steer", "steer", "steer");
    ops.push("take", "listen");
  }
  if (isUsed()) ops.push("ask");
  if (isUsed()) ops.push("step", "lasting_sleep");
  return { strategies, ops, isCrowded: dice.chance(0.4) };
}

export class StartMaker {
  readonly #dice: Dice;
  readonly #threads: readonly string[];
  readonly #strategies: readonly BusyStrategy[];
  readonly #ops: readonly Op["do"][];
  readonly #isCrowded: boolean;

  constructor(dice: Dice, threads: readonly string[], { strategies, ops, isCrowded }: Features) {
    this.#dice = dice;
    this.#threads = threads;
    this.#strategies = strategies;
    this.#isCrowded = isCrowded;
    const wanted = [...everyday, ...ops];
    this.#ops = wanted.flatMap((kind) => new Array<Op["do"]>(weights[kind]).fill(kind));
  }

  make(n: number): StartPlan {
    const dice = this.#dice;
    const thread = dice.chance(this.#isCrowded ? 0.95 : 0.75) ? dice.pick(this.#threads) : null;
    const maxFailures = dice.pick([1, 1, 2, 3]);
    return {
      n,
      agent: dice.chance(this.#isCrowded ? 0.05 : 0.25) ? "spinner" : "weaver",
      thread,
      whenBusy: dice.pick(this.#strategies),
      createThread: dice.chance(0.3),
      delay: dice.chance(this.#isCrowded ? 0.1 : 0.33) ? dice.pick([300, 10_000]) : 0,
      key: dice.chance(0.3) ? `k${n}` : null,
      priority: dice.pick([0, 0, 5]),
      deadline: dice.chance(0.1) ? dice.pick([200, 20_000]) : null,
      attemptTimeout: dice.chance(0.15) ? dice.pick([50, 4_000]) : null,
      maxFailures,
      maxCrashes: dice.pick([1, 2, 3]),
      ephemeral: thread === null && dice.chance(0.15),
      script: this.#isTalking() ? this.#conversation(maxFailures) : this.#scripts(maxFailures),
    };
  }

  #isTalking(): boolean {
    const isAble = (["take", "ask", "step"] as const).some((kind) => this.#ops.includes(kind));
    return isAble && this.#dice.chance(0.4);
  }

  /** Works, listens, asks, fails, and does the same again. */
  #conversation(attempts: number): AttemptScript[] {
    const ops: Op[] = [{ do: "sleep", ms: this.#dice.pick([50, 1_000, 6_000]) }];
    const isTold = (kind: Op["do"]): boolean => this.#ops.includes(kind) && this.#dice.chance(0.6);
    if (isTold("step")) ops.push(this.#op("step"), this.#op("lasting_sleep"), this.#op("step"));
    if (isTold("take")) ops.push({ do: "take" });
    if (isTold("ask")) ops.push(this.#op("ask"), { do: "emit", awaited: true, key: "k" });
    return Array.from({ length: attempts }, (_, index) => {
      return { ops, careless: false, end: index + 1 < attempts ? "throw" : "return" };
    });
  }

  #scripts(maxFailures: number): AttemptScript[] {
    return Array.from({ length: this.#dice.between(1, maxFailures + 1) }, () => this.#script());
  }

  #script(): AttemptScript {
    const dice = this.#dice;
    const ops = Array.from({ length: dice.pick(this.#isCrowded ? [2, 4, 7] : [0, 1, 2, 4, 7]) }, () => this.#op());
    return {
      ops,
      careless: dice.chance(0.2),
      end: dice.pick(["return", "return", "return", "return", "return_nothing", "throw"]),
    };
  }

  /** Now and then an agent takes its whole process along. */
  #op(kind: Op["do"] = this.#dice.chance(0.01) ? "crash" : this.#dice.pick(this.#ops)): Op {
    const dice = this.#dice;
    switch (kind) {
      case "emit":
        return { do: kind, awaited: dice.chance(0.5), key: dice.chance(0.2) ? dice.pick(["k", "l"]) : null };
      case "delta":
        return { do: kind, count: dice.pick([1, 1, 3]) };
      case "checkpoint":
        return { do: kind, awaited: dice.chance(0.7) };
      case "sleep":
        return { do: kind, ms: dice.pick([1, 50, 1_000, 6_000, 12_000]) };
      case "ignore":
        return { do: kind, ms: dice.pick([100, 3_000, 20_000]) };
      case "step":
        return {
          do: kind,
          key: dice.pick(["s", "t", "u"]),
          ms: dice.pick([0, 50, 2_000]),
          fails: dice.chance(0.1),
          awaited: dice.chance(0.7),
        };
      case "lasting_sleep":
        return { do: kind, key: dice.pick(["z", "y"]), ms: dice.pick([50, 3_000, 20_000, 20_000]) };
      case "ask":
        return { do: kind, keys: dice.pick([["q"], ["q"], ["p", "q"]]) };
      case "hang":
      case "crash":
      case "take":
      case "listen":
        return { do: kind };
    }
  }
}

const weights: Readonly<Record<Op["do"], number>> = {
  emit: 6,
  delta: 4,
  checkpoint: 4,
  sleep: 4,
  hang: 1,
  ignore: 1,
  crash: 0,
  take: 6,
  listen: 2,
  ask: 5,
  step: 5,
  lasting_sleep: 3,
};

const everyday: readonly Op["do"][] = ["emit", "delta", "checkpoint", "sleep", "hang", "ignore"];
