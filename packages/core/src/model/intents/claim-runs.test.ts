import { expect, test } from "vitest";
import { applyTo, noon, runningRecord, runRecord, threadRecord } from "../../testing/shelf.js";

const claim = { kind: "claim_runs", worker: "wrk", lease: 1_000, agents: ["worker"], limit: 2 } as const;

test("claims the most urgent, each with a new attempt and its first event", () => {
  const runs = [
    runRecord({ id: "a" }),
    runRecord({ id: "b", attempt: 3, startedAt: 7, firstSeq: 1, lastSeq: 9 }),
    runRecord({ id: "c" }),
  ];
  const { value, changes, effects } = applyTo<"claim_runs">({ runs }, claim);
  expect(value.map(({ id, attempt, startedAt, lastSeq }) => [id, attempt, startedAt, lastSeq])).toEqual([
    ["a", 1, noon, 1],
    ["b", 4, 7, 10],
  ]);
  expect(value[0]).toMatchObject({ status: "running", worker: "wrk", leaseUntil: noon + 1_000 });
  expect(changes.events.map(({ stream, seq, type, attempt }) => [stream, seq, type, attempt])).toEqual([
    ["r:a", 1, "run_started", 1],
    ["r:b", 10, "run_started", 4],
  ]);
  expect(effects.map(({ type }) => type)).toEqual(["event", "run", "event", "run"]);
});

test("a thread run's events take the thread's numbers", () => {
  const runs = [runRecord({ id: "a", threadId: "thr", active: true })];
  const threads = [threadRecord({ activeRunId: "a", lastSeq: 41 })];
  const { value, changes } = applyTo<"claim_runs">({ runs, threads }, claim);
  expect(value[0]).toMatchObject({ firstSeq: 42, lastSeq: 42 });
  expect(changes.threads[0]?.after.lastSeq).toBe(42);
});

test("nothing to claim changes nothing", () => {
  const { value, changes } = applyTo<"claim_runs">({ runs: [runningRecord()] }, claim);
  expect([value, changes.runs]).toEqual([[], []]);
});

test("leases are prolonged for those that are still held", () => {
  const held = runningRecord({ id: "held" });
  const runs = [held, runningRecord({ id: "taken", attempt: 2 }), runRecord({ id: "settled", status: "failed" })];
  const attempts = ["held", "taken", "settled", "gone"].map((runId) => ({
    runId,
    threadId: null,
    lineageId: runId,
    attempt: 1,
  }));
  const intent = { kind: "extend_leases", worker: "wrk", lease: 99_000, attempts } as const;
  const { value, changes } = applyTo<"extend_leases">({ runs }, intent);
  expect(value.map(({ run }) => run?.leaseUntil)).toEqual([noon + 99_000, undefined, undefined, undefined]);
  expect(changes.runs).toEqual([{ before: held, after: { ...held, leaseUntil: noon + 99_000 } }]);
});
