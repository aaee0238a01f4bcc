/**
 * A thread whose runs get in each other's way: b1 takes the message b2; b3 is rolled back by b4, which is superseded by
 * b5, which is rolled back by its user; b6 is steered and untaken, and so a run of its own.
 */

import { event, start } from "./parts.js";
import type { Command, FinalRun, History } from "./types.js";

export interface Writer {
  call(number: number, command: Command): void;
  answer(number: number, value: object): void;
  reply(number: number, answer: object): void;
  attempt(runId: string, number: number, entry: object): void;
  sent(runId: string, what: string, token: string): void;
  begin(runId: string, number: number, worker: string, n: number, threadId: string | null, log: string[]): void;
}

const threadId = "t2";

export function busyEntries({ call, answer, attempt, sent, begin }: Writer): void {
  const accepted = (n: number, whenBusy: "enqueue" | "rollback" | "interrupt" | "steer"): void => {
    call(30 + n, { kind: "start", starts: [start(10 + n, { threadId, whenBusy, maxFailures: n === 1 ? 2 : 1 })] });
    answer(30 + n, { kind: "started", runIds: [`b${n}`] });
  };
  const wrote = (runId: string, what: string, token: string): void => {
    sent(runId, what, token);
    attempt(runId, 1, { type: "acknowledged", token });
  };
  const heard = (number: number, runId: string, outcome: object): void => {
    call(number, { kind: "wait", runId });
    answer(number, { kind: "outcome", outcome });
  };
  call(30, { kind: "create_thread", threadId, orGet: false, token: null });
  answer(30, { kind: "done" });
  accepted(1, "enqueue");
  begin("b1", 1, "worker1", 11, threadId, []);
  accepted(2, "steer");
  accepted(6, "steer");
  attempt("b1", 1, { type: "took", runIds: ["b2"], all: true });
  attempt("b1", 1, { type: "attempt_ended", how: "threw", token: null });
  begin("b1", 2, "worker1", 11, threadId, []);
  attempt("b1", 2, { type: "took", runIds: ["b2"], all: true });
  attempt("b1", 2, { type: "attempt_ended", how: "returned", token: "11:f@2" });
  begin("b6", 1, "worker1", 16, threadId, ["11:f@2"]);
  attempt("b6", 1, { type: "attempt_ended", how: "returned", token: "16:f@1" });
  accepted(3, "enqueue");
  begin("b3", 1, "worker1", 13, threadId, before);
  wrote("b3", "checkpoint", "13:m1@1");
  accepted(4, "rollback");
  attempt("b3", 1, { type: "attempt_ended", how: "threw", token: null });
  heard(40, "b3", { status: "canceled", token: null, reason: "rolled_back", by: "b4" });
  begin("b4", 1, "worker1", 14, threadId, before);
  wrote("b4", "checkpoint", "14:m1@1");
  accepted(5, "interrupt");
  attempt("b4", 1, { type: "attempt_ended", how: "threw", token: null });
  begin("b5", 1, "worker1", 15, threadId, [...before, "14:m1@1"]);
  wrote("b5", "checkpoint", "15:m1@1");
  call(41, { kind: "cancel", runId: "b5", wait: false, rollback: true });
  answer(41, { kind: "canceled", outcome: "requested" });
  attempt("b5", 1, { type: "aborted", code: "RUN_CANCELED" });
  attempt("b5", 1, { type: "attempt_ended", how: "threw", token: null });
  heard(42, "b5", { status: "canceled", token: null, reason: "rolled_back", by: null });
  call(43, { kind: "values", threadId });
  answer(43, { kind: "values", values: valuesOf(whole) });
}

const before = ["11:f@2", "16:f@1"];
const whole = [...before, "14:m1@1"];
const valuesOf = (log: readonly string[]) => ({ log, count: log.length });

const run = { threadId, takenBy: null, attempt: 1, failures: 0, crashes: 0, availableAt: 1_000 };
const succeeded = { status: "succeeded", token: "11:f@2", reason: null, by: null };
const canceled = (reason: string, by: string | null) => ({ status: "canceled", token: null, reason, by });
const ended = (n: number, createdAt: number, outcome: NonNullable<FinalRun["outcome"]>): FinalRun => {
  return { ...run, id: `b${n}`, lineageId: `b${n}`, n: 10 + n, status: outcome.status, createdAt, outcome };
};

export const busyRuns: readonly FinalRun[] = [
  { ...ended(1, 1_000, succeeded), attempt: 2, failures: 1 },
  { ...ended(2, 1_001, succeeded), attempt: 0, takenBy: "b1" },
  ended(6, 1_001, { ...succeeded, token: "16:f@1" }),
  ended(3, 1_007, canceled("rolled_back", "b4")),
  ended(4, 1_009, canceled("superseded", "b5")),
  ended(5, 1_012, canceled("rolled_back", null)),
];

const retrying = { why: "retry", availableAt: 1_002 };

export const busyLog: History["final"]["logs"][number] = {
  threadId,
  runId: null,
  events: [
    event(1, "b1", "run_started"),
    event(2, "b1", "run_retrying", retrying),
    event(3, "b1", "run_started", { attempt: 2 }),
    event(4, "b1", "run_succeeded", { attempt: 2 }),
    event(5, "b2", "run_succeeded", { attempt: 0 }),
    event(6, "b6", "run_started"),
    event(7, "b6", "run_succeeded"),
    event(8, "b3", "run_started"),
    event(9, "b3", "values_updated"),
    event(10, "b3", "run_canceled", { rolledBackFrom: 8 }),
    event(11, "b4", "run_started"),
    event(12, "b4", "values_updated"),
    event(13, "b4", "run_canceled"),
    event(14, "b5", "run_started"),
    event(15, "b5", "values_updated"),
    event(16, "b5", "run_canceled", { rolledBackFrom: 14 }),
  ],
};

const checkpoint = (id: string, runId: string, kind: string, attempt: number, length: number) => {
  return { id, runId, kind, attempt, values: valuesOf(whole.slice(0, length)) };
};

export const busyThread: History["final"]["threads"][number] = {
  id: threadId,
  activeRunId: null,
  lastSeq: 16,
  values: valuesOf(whole),
  checkpoints: [
    checkpoint("d1", "b1", "final", 2, 1),
    checkpoint("d2", "b6", "final", 1, 2),
    checkpoint("d3", "b4", "mid", 1, 3),
    checkpoint("d4", "b4", "final", 1, 3),
  ],
};
