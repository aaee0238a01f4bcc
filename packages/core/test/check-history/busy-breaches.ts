/** What breaks the promises of busy threads, planted in the thread that `busy-thread.ts` makes. */

import type { Planting } from "./planting.js";
import { at, change, isType, log, place, run, take, thread } from "./planting.js";

const outcome = (status: string, reason: string | null, by: string | null) => ({ status, token: null, reason, by });

export const busyBreaches: readonly (readonly [rule: string, what: string, plant: Planting])[] = [
  [
    "a run that supersedes others comes in their place",
    "one goes on",
    ({ final }) => {
      run(final, "b4").status = "failed";
    },
  ],
  [
    "a run that supersedes others comes in their place",
    "one is canceled and not rolled back",
    ({ final }) => {
      run(final, "b3").outcome = outcome("canceled", "superseded", "b4");
    },
  ],
  [
    "a canceled run tells who canceled it",
    "nobody did",
    ({ final }) => {
      run(final, "b4").outcome = outcome("canceled", "user", null);
    },
  ],
  [
    "a canceled run tells who canceled it",
    "by one that only queued",
    ({ final }) => {
      run(final, "b4").outcome = outcome("canceled", "superseded", "b1");
    },
  ],
  [
    "a canceled run tells who canceled it",
    "by one of another thread",
    ({ final }) => {
      run(final, "b4").outcome = outcome("canceled", "superseded", "r1");
    },
  ],
  [
    "a rollback that was asked for takes place",
    "it is canceled only",
    ({ final }) => {
      run(final, "b5").outcome = outcome("canceled", "user", null);
    },
  ],
  [
    "what was rolled back is gone",
    "the next run goes on from it",
    (h) => {
      change(
        h,
        (entry) => entry.type === "attempt_started" && entry.runId === "b4",
        (entry) => {
          if (entry.type === "attempt_started") entry.values.log.push("13:m1@1");
        },
      );
    },
  ],
  [
    "what was rolled back is gone",
    "somebody sees it later",
    (h) => {
      change(
        h,
        (entry) => entry.type === "answer" && entry.call === 43,
        (entry) => {
          if (entry.type === "answer" && entry.answer.type === "ok" && entry.answer.value.kind === "values")
            entry.answer.value.values.log.push("15:m1@1");
        },
      );
    },
  ],
  [
    "what was rolled back is gone",
    "its checkpoint is left",
    ({ final }) => {
      at(thread(final, 1).checkpoints, 3).runId = "b3";
    },
  ],
  [
    "the end of a rolled-back run says from where on it counts for nothing",
    "it does not",
    ({ final }) => {
      at(log(final, 1), 9).rolledBackFrom = null;
    },
  ],
  [
    "the end of a rolled-back run says from where on it counts for nothing",
    "of a run that was not",
    ({ final }) => {
      at(log(final, 1), 12).rolledBackFrom = 11;
    },
  ],
  [
    "a message ends as the run that took it",
    "otherwise",
    ({ final }) => {
      run(final, "b2").outcome = outcome("failed", "AGENT_ERROR", null);
    },
  ],
  [
    "a message ends as the run that took it",
    "and runs itself",
    ({ final }) => {
      run(final, "b6").takenBy = "b1";
    },
  ],
  [
    "a message is consumed once",
    "it is not",
    ({ final }) => {
      run(final, "b2").takenBy = null;
    },
  ],
  [
    "a message is consumed once",
    "though nobody took it",
    ({ final }) => {
      run(final, "b6").takenBy = "b1";
    },
  ],
  [
    "a later attempt gets what an earlier one took",
    "it does not",
    (h) => {
      change(
        h,
        (entry) => entry.type === "took" && entry.attempt === 2,
        (entry) => {
          if (entry.type === "took") entry.runIds = [];
        },
      );
    },
  ],
  [
    "messages come in their order",
    "one comes twice",
    (h) => {
      change(h, isType("took"), (entry) => {
        if (entry.type === "took") entry.runIds = ["b2", "b2"];
      });
    },
  ],
  [
    "messages come in their order",
    "the second before the first",
    (h) => {
      const entry = take(h, isType("took"));
      if (entry.type === "took") entry.runIds = ["b6", "b2"];
      h.entries.splice(
        place(h, (one) => one.type === "attempt_ended" && one.runId === "b1"),
        0,
        entry,
      );
    },
  ],
];
