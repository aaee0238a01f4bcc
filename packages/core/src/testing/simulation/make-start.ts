/** What one start asks for, and what its agent will do in each attempt. */

import type { Dice } from "../history/dice.js";
import type { AttemptScript, Op, StartPlan } from "../history/script.js";

export function makeStart(dice: Dice, n: number, threads: readonly string[]): StartPlan {
  const thread = dice.chance(0.75) ? dice.pick(threads) : null;
  const maxFailures = dice.pick([1, 1, 2, 3]);
  return {
    n,
    agent: dice.pick(["weaver", "weaver", "weaver", "spinner"]),
    thread,
    whenBusy: dice.pick(["reject", "enqueue", "enqueue"]),
    createThread: dice.chance(0.3),
    delay: dice.pick([0, 0, 0, 0, 300, 10_000]),
    key: dice.chance(0.3) ? `k${n}` : null,
    priority: dice.pick([0, 0, 5]),
    deadline: dice.chance(0.1) ? dice.pick([200, 20_000]) : null,
    attemptTimeout: dice.chance(0.15) ? dice.pick([50, 4_000]) : null,
    maxFailures,
    maxCrashes: dice.pick([1, 2, 3]),
    ephemeral: thread === null && dice.chance(0.15),
    script: Array.from({ length: dice.between(1, maxFailures + 1) }, () => makeScript(dice)),
  };
}

function makeScript(dice: Dice): AttemptScript {
  const ops = Array.from({ length: dice.pick([0, 1, 2, 4, 7]) }, () => makeOp(dice));
  return {
    ops,
    careless: dice.chance(0.2),
    end: dice.pick(["return", "return", "return", "return", "return_nothing", "throw"]),
  };
}

function makeOp(dice: Dice): Op {
  // An agent that takes its whole process along.
  if (dice.chance(0.01)) return { do: "crash" };
  const chosen = dice.between(1, 20);
  if (chosen <= 6)
    return { do: "emit", awaited: dice.chance(0.5), key: dice.chance(0.2) ? dice.pick(["k", "l"]) : null };
  if (chosen <= 10) return { do: "delta", count: dice.pick([1, 1, 3]) };
  if (chosen <= 14) return { do: "checkpoint", awaited: dice.chance(0.7) };
  if (chosen <= 18) return { do: "sleep", ms: dice.pick([1, 50, 1_000, 6_000, 12_000]) };
  return chosen === 19 ? { do: "hang" } : { do: "ignore", ms: dice.pick([100, 3_000, 20_000]) };
}
