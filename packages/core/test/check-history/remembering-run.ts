/** A run that does a step and sleeps, is suspended, and finds both done; a step of it is in flight meanwhile. */

import type { Writer } from "./busy-thread.js";
import { event, start } from "./parts.js";
import type { FinalRun, History } from "./types.js";

export function rememberingEntries({ call, answer, attempt, begin }: Writer): void {
  const step = (number: number, phase: string, key: string): void =>
    attempt("s1", number, { type: "step", phase, key, token: `31:s-${key}@1` });
  const slept = (number: number, phase: string, ms: number): void =>
    attempt("s1", number, { type: "slept", phase, key: "z", ms });
  call(60, { kind: "start", starts: [start(31, { maxFailures: 2 })] });
  answer(60, { kind: "started", runIds: ["s1"] });
  begin("s1", 1, "worker1", 31, null, []);
  step(1, "began", "s");
  step(1, "worked", "s");
  step(1, "stored", "s");
  step(1, "began", "t");
  step(1, "worked", "t");
  slept(1, "began", 1);
  attempt("s1", 1, { type: "attempt_ended", how: "threw", token: null });
  begin("s1", 2, "worker1", 31, null, []);
  step(2, "stored", "s");
  slept(2, "began", 1);
  slept(2, "over", 1);
  attempt("s1", 2, { type: "attempt_ended", how: "threw", token: null });
  begin("s1", 3, "worker1", 31, null, []);
  step(3, "stored", "s");
  slept(3, "began", 1);
  slept(3, "over", 1);
  attempt("s1", 3, { type: "attempt_ended", how: "returned", token: "31:f@3" });
}

const succeeded = { status: "succeeded", token: "31:f@3", reason: null, by: null };

export const rememberingRun: FinalRun = {
  id: "s1",
  lineageId: "s1",
  n: 31,
  threadId: null,
  status: "succeeded",
  takenBy: null,
  attempt: 3,
  failures: 1,
  crashes: 0,
  availableAt: 1_000,
  createdAt: 1_000,
  outcome: succeeded,
};

export const rememberingLog: History["final"]["logs"][number] = {
  threadId: null,
  runId: "s1",
  events: [
    event(1, "s1", "run_started"),
    event(2, "s1", "run_suspended", { why: "sleep", availableAt: 1_002 }),
    event(3, "s1", "run_started", { attempt: 2 }),
    event(4, "s1", "run_retrying", { attempt: 2, why: "retry", availableAt: 1_004 }),
    event(5, "s1", "run_started", { attempt: 3 }),
    event(6, "s1", "run_succeeded", { attempt: 3 }),
  ],
};
