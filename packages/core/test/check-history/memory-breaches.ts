/** What breaks the promises of steps and sleeps, planted in the run that `remembering-run.ts` makes. */

import type { Entry, Planting } from "./planting.js";
import { change, place, take } from "./planting.js";

const began = (number: number) => (entry: Entry) => entry.type === "attempt_started" && isOf(entry, number);
const stored = (number: number) => (entry: Entry) =>
  entry.type === "step" && entry.phase === "stored" && isOf(entry, number);
const over = (number: number) => (entry: Entry) =>
  entry.type === "slept" && entry.phase === "over" && isOf(entry, number);

function isOf(entry: Entry, number: number): boolean {
  return "runId" in entry && entry.runId === "s1" && entry.attempt === number;
}

/** The attempt does a step's work. */
function doAgain(key: string): Planting {
  return (h) => {
    const step = { time: 0, type: "step", runId: "s1", attempt: 3, key, token: `31:s-${key}@3` } as const;
    h.entries.splice(place(h, began(3)) + 1, 0, { ...step, phase: "began" }, { ...step, phase: "worked" });
  };
}

export const memoryBreaches: readonly (readonly [rule: string, what: string, plant: Planting])[] = [
  ["a step that was done is not done again", "it is", doAgain("s")],
  ["a step that is in flight is stored before its attempt ends", "it is not", doAgain("t")],
  [
    "the result of a step is what was stored",
    "another one",
    (h) => {
      change(h, stored(2), (entry) => {
        if (entry.type === "step") entry.token = "31:s-s@2";
      });
    },
  ],
  [
    "a sleep is not over before its time",
    "it is",
    (h) => {
      for (const entry of h.entries) if (entry.type === "slept") entry.ms = 60_000;
    },
  ],
  [
    "a sleep that is over stays over",
    "it begins anew",
    (h) => {
      take(h, over(3));
      const log = h.final.logs.find(({ runId }) => runId === "s1");
      const last = log?.events.at(-1);
      if (last !== undefined) last.type = "run_suspended";
    },
  ],
];
