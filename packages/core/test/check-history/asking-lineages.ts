/**
 * Lineages without a thread. q1 asks two questions; q2 gets one answer and asks the other; q3 gets both, is tried twice and
 * succeeds. u1 asks one; u2 gets the answer and is rolled back, so that the question is open again.
 */

import type { Writer } from "./busy-thread.js";
import { event, start } from "./parts.js";
import type { FinalRun, History } from "./types.js";

const refusal = (code: string) => ({ type: "refused", code, activeRunId: null });

export function askingEntries({ call, answer, attempt, sent, begin, reply }: Writer): void {
  const asks = (runId: string, number: number, keys: readonly string[]): void => {
    for (const key of keys) attempt(runId, number, { type: "asked", key });
    attempt(runId, number, { type: "attempt_ended", how: "threw", token: null });
  };
  const hears = (runId: string, number: number, key: string, token: string): void =>
    attempt(runId, number, { type: "answered", key, token });
  const accepted = (number: number, n: number, runId: string): void => {
    call(number, { kind: "start", starts: [start(n, { maxFailures: 2 })] });
    answer(number, { kind: "started", runIds: [runId] });
    begin(runId, 1, "worker1", n, null, []);
  };
  accepted(50, 21, "q1");
  sent("q1", "event", "21:e1@1");
  attempt("q1", 1, { type: "acknowledged", token: "21:e1@1" });
  asks("q1", 1, ["p", "q"]);
  call(51, { kind: "answer", runId: "q1", answers: { p: "a1" } });
  answer(51, { kind: "resumed", runId: "q2" });
  call(52, { kind: "answer", runId: "q1", answers: { p: "a2" } });
  reply(52, refusal("QUESTION_CLOSED"));
  begin("q2", 1, "worker1", 21, null, []);
  hears("q2", 1, "p", "a1");
  asks("q2", 1, ["q"]);
  call(53, { kind: "questions", runId: "q1" });
  answer(53, { kind: "questions", questions: [asked("p", "a1"), asked("q", null)] });
  call(54, { kind: "resume", runId: "q2", token: "a3" });
  answer(54, { kind: "resumed", runId: "q3" });
  begin("q3", 1, "worker1", 21, null, []);
  hears("q3", 1, "p", "a1");
  hears("q3", 1, "q", "a3");
  attempt("q3", 1, { type: "attempt_ended", how: "threw", token: null });
  begin("q3", 2, "worker1", 21, null, []);
  hears("q3", 2, "p", "a1");
  hears("q3", 2, "q", "a3");
  attempt("q3", 2, { type: "attempt_ended", how: "returned", token: "21:f@2~q3" });

  accepted(55, 22, "u1");
  asks("u1", 1, ["q"]);
  call(56, { kind: "answer", runId: "u1", answers: { q: "a4" } });
  answer(56, { kind: "resumed", runId: "u2" });
  call(57, { kind: "cancel", runId: "u2", wait: false, rollback: true });
  answer(57, { kind: "canceled", outcome: "canceled" });
}

const asked = (key: string, answer: string | null) => ({ key, status: answer === null ? "open" : "answered", answer });

const run = {
  threadId: null,
  takenBy: null,
  attempt: 1,
  failures: 0,
  crashes: 0,
  availableAt: 1_000,
  createdAt: 1_000,
};
const interrupted = { status: "interrupted", outcome: { status: "interrupted", token: null, reason: null, by: null } };
const succeeded = { status: "succeeded", token: "21:f@2~q3", reason: null, by: null };
const rolledBack = { status: "canceled", token: null, reason: "rolled_back", by: null };

export const askingRuns: readonly FinalRun[] = [
  { ...run, id: "q1", lineageId: "q1", n: 21, ...interrupted },
  { ...run, id: "q2", lineageId: "q1", n: 21, ...interrupted },
  { ...run, id: "q3", lineageId: "q1", n: 21, attempt: 2, failures: 1, status: "succeeded", outcome: succeeded },
  { ...run, id: "u1", lineageId: "u1", n: 22, ...interrupted },
  { ...run, id: "u2", lineageId: "u1", n: 22, attempt: 0, status: "canceled", outcome: rolledBack },
];

const logOf = (runId: string, types: readonly string[]): History["final"]["logs"][number] => ({
  threadId: null,
  runId,
  events: types.map((type, index) => event(index + 1, runId, type)),
});

const retrying = event(2, "q3", "run_retrying", { why: "retry", availableAt: 1_002 });

export const askingLogs: readonly History["final"]["logs"][number][] = [
  {
    threadId: null,
    runId: "q1",
    events: [
      event(1, "q1", "run_started"),
      event(2, "q1", "note", { token: "21:e1@1" }),
      event(3, "q1", "run_interrupted"),
    ],
  },
  logOf("q2", ["run_started", "run_interrupted"]),
  {
    threadId: null,
    runId: "q3",
    events: [
      event(1, "q3", "run_started"),
      retrying,
      event(3, "q3", "run_started", { attempt: 2 }),
      event(4, "q3", "run_succeeded", { attempt: 2 }),
    ],
  },
  logOf("u1", ["run_started", "run_interrupted"]),
  { threadId: null, runId: "u2", events: [event(1, "u2", "run_canceled", { attempt: 0, rolledBackFrom: 1 })] },
];

export const lineages: History["final"]["lineages"] = [
  { id: "q1", questions: [asked("p", "a1"), asked("q", "a3")] },
  { id: "u1", questions: [asked("q", null)] },
];
