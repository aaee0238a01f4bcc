/** What breaks the promises of questions, planted in the lineages that `asking-lineages.ts` makes. */

import type { Planting } from "./planting.js";
import { answerTo, at, change, place, run } from "./planting.js";

export const questionBreaches: readonly (readonly [rule: string, what: string, plant: Planting])[] = [
  [
    "a question takes one answer",
    "a second one takes its place",
    (h) => {
      change(h, answerTo(52), (entry) => {
        if (entry.type === "answer") entry.answer = { type: "ok", value: { kind: "resumed", runId: "q2" } };
      });
      at(at(h.final.lineages, 0).questions, 0).answer = "a2";
    },
  ],
  [
    "an answer was given by somebody",
    "by nobody",
    ({ final }) => {
      at(at(final.lineages, 0).questions, 0).answer = "a9";
    },
  ],
  [
    "an answer was given by somebody",
    "by one who was refused",
    (h) => {
      const heard = (entry: (typeof h.entries)[number]): boolean => entry.type === "answered" && entry.runId === "q2";
      change(h, heard, (entry) => {
        if (entry.type === "answered") entry.token = "a2";
      });
    },
  ],
  [
    "an answered question is not asked again",
    "the next run asks",
    (h) => {
      const index = place(h, (entry) => entry.type === "answered" && entry.runId === "q3" && entry.attempt === 2);
      h.entries[index] = { time: 0, type: "asked", runId: "q3", attempt: 2, key: "p" };
    },
  ],
  [
    "an answer starts one run at most",
    "two",
    ({ final }) => {
      final.runs.push({ ...run(final, "u2"), id: "u3" }, { ...run(final, "u2"), id: "u4" });
    },
  ],
  [
    "an answer starts one run at most",
    "the lineage ends twice",
    ({ final }) => {
      run(final, "q2").status = "failed";
    },
  ],
  [
    "one run of a lineage at a time",
    "the one before writes on",
    (h) => {
      const name = { time: 0, runId: "q1", attempt: 1, token: "21:e9@1" };
      const begun = place(h, (entry) => entry.type === "attempt_started" && entry.runId === "q2") + 1;
      h.entries.splice(
        begun,
        0,
        { ...name, type: "sent", what: "event", key: null },
        { ...name, type: "acknowledged" },
      );
    },
  ],
  [
    "a run that asked is interrupted, and no other",
    "it asked nothing",
    (h) => {
      const ended = place(h, (entry) => entry.type === "asked" && entry.runId === "u1");
      h.entries.splice(ended, 1);
    },
  ],
  [
    "a run that asked is interrupted, and no other",
    "it succeeded",
    ({ final }) => {
      run(final, "q2").status = "succeeded";
    },
  ],
  [
    "from a question on nothing is written",
    "an event is",
    (h) => {
      const name = { time: 0, runId: "u1", attempt: 1, token: "22:e1@1" };
      const asked = place(h, (entry) => entry.type === "asked" && entry.runId === "u1") + 1;
      h.entries.splice(
        asked,
        0,
        { ...name, type: "sent", what: "event", key: null },
        { ...name, type: "acknowledged" },
      );
    },
  ],
  [
    "a question is closed by an answer",
    "nobody gave one",
    (h) => {
      change(h, answerTo(56), (entry) => {
        if (entry.type === "answer") entry.answer = { type: "refused", code: "QUESTION_CLOSED", activeRunId: null };
      });
    },
  ],
  [
    "a rollback reopens what it was the answer to",
    "it stays answered",
    ({ final }) => {
      at(final.lineages, 1).questions = [{ key: "q", status: "answered", answer: "a4" }];
    },
  ],
];
