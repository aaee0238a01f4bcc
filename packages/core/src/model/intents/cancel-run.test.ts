import { describe, expect, test } from "vitest";
import { cancelRun } from "../../testing/intents.js";
import { applyTo, noon, refusalOf, runningRecord, runRecord, type Shelf, threadRecord } from "../../testing/shelf.js";
import type { QuestionRecord } from "../question.js";

test("a pending run settles at once", () => {
  const { value, changes } = applyTo<"cancel_run">({ runs: [runRecord()] }, cancelRun(runRecord()));
  expect(value).toMatchObject({ outcome: "settled", run: { status: "canceled", cancelReason: '{"kind":"user"}' } });
  expect(changes.events.map(({ type, attempt }) => [type, attempt])).toEqual([["run_canceled", 0]]);
  expect(changes.checkpoints).toEqual([]);
});

test("a queued run leaves its queue and nothing else of the thread changes", () => {
  const queued = runRecord({ id: "b", threadId: "thr", queuePosition: 1 });
  const thread = threadRecord({ activeRunId: "a", queueLength: 1, lastSeq: 4, lastOutcome: "failed" });
  const { changes } = applyTo<"cancel_run">({ runs: [queued], threads: [thread] }, cancelRun(queued));
  expect(changes.threads[0]?.after).toEqual({ ...thread, queueLength: 0, lastSeq: 5 });
  expect(changes.checkpoints).toEqual([]);
});

test("a running run is asked to stop, within the grace that it or the caller says", () => {
  const run = runningRecord({ policy: '{"cancelGrace":70}' });
  const own = applyTo<"cancel_run">({ runs: [run] }, cancelRun(run)).value;
  const cancelReason = '{"kind":"user"}';
  expect(own).toEqual({
    outcome: "requested",
    run: { ...run, cancelRequestedAt: noon, cancelReason, graceUntil: noon + 70 },
  });
  expect(applyTo<"cancel_run">({ runs: [run] }, cancelRun(run, { grace: 5 })).value.run.graceUntil).toBe(noon + 5);
});

test("a second request changes nothing", () => {
  const run = runningRecord({ cancelRequestedAt: 1, cancelReason: '{"kind":"parent"}', graceUntil: 2 });
  const { value, changes, effects } = applyTo<"cancel_run">({ runs: [run] }, cancelRun(run, { grace: 9_999 }));
  expect([value, changes.runs, effects]).toEqual([{ run, outcome: "requested" }, [], []]);
});

test("but for a rollback: it takes back what another cancel would leave", () => {
  const rollback = { reason: { kind: "rolled_back" } } as const;
  const run = runningRecord({ cancelRequestedAt: 1, cancelReason: '{"kind":"user"}', graceUntil: 2 });
  const { value, effects } = applyTo<"cancel_run">({ runs: [run] }, cancelRun(run, rollback));
  const amended = { ...run, cancelReason: '{"kind":"rolled_back"}' };
  expect([value, effects]).toEqual([{ run: amended, outcome: "requested" }, [{ type: "run", run: amended }]]);
  const again = applyTo<"cancel_run">({ runs: [amended] }, cancelRun(run, rollback));
  expect([again.value.run, again.effects]).toEqual([amended, []]);
});

test("a waiting run whose end is left to an attempt goes on now, to be ended", () => {
  const run = runRecord({ settleHook: true, availableAt: noon + 99 });
  const { value, effects } = applyTo<"cancel_run">({ runs: [run] }, cancelRun(run));
  expect(value).toMatchObject({ outcome: "requested", run: { status: "pending", availableAt: noon } });
  expect(effects.map(({ type }) => type)).toEqual(["run", "run", "claimable"]);
  const due = { ...run, availableAt: noon };
  expect(applyTo<"cancel_run">({ runs: [due] }, cancelRun(due)).effects.map(({ type }) => type)).toEqual(["run"]);
});

test.each(["succeeded", "failed", "canceled", "interrupted"] as const)("a %s run stays what it is", (status) => {
  const run = runRecord({ status, active: false, settledAt: noon });
  const { value, changes } = applyTo<"cancel_run">({ runs: [run] }, cancelRun(run));
  expect([value, changes.runs]).toEqual([{ run, outcome: "late" }, []]);
});

test("an unknown run is refused", () => {
  expect(refusalOf({}, cancelRun({ id: "no", threadId: null })).error).toMatchObject({
    code: "RUN_NOT_FOUND",
    details: { runId: "no" },
  });
});

test("a settled run is deleted, any other is not", () => {
  const intent = { kind: "delete_run", runId: "run", threadId: null } as const;
  const settled = runRecord({ status: "failed", active: false });
  expect(applyTo<"delete_run">({ runs: [settled] }, intent).changes.removals).toEqual([
    { type: "run", id: "run", threadId: null, lineageId: "run" },
  ]);
  for (const run of [runRecord(), runningRecord()]) {
    expect(refusalOf({ runs: [run] }, intent).error).toMatchObject({
      code: "RUN_ACTIVE",
      details: { runId: "run", status: run.status },
    });
  }
});

describe("a run that was resumed", () => {
  const question: QuestionRecord = {
    lineageId: "run",
    key: "pay",
    runId: "run",
    threadId: null,
    status: "answered",
    payload: "{}",
    schema: null,
    answer: "1",
    answeredRunId: "next",
    askedAt: noon,
    expiresAt: null,
    closedAt: noon,
  };
  const first = runRecord({ id: "run", status: "interrupted", active: false });
  const next = runRecord({ id: "next", lineageId: "run", status: "succeeded", active: false });
  const removedIds = (shelf: Shelf, threadId: string | null = null) =>
    applyTo<"delete_run">(shelf, { kind: "delete_run", runId: "run", threadId }).changes.removals.map(
      (removal) => removal.type === "run" && removal.id,
    );

  test("is deleted with those that resumed it, as far as they are there", () => {
    const gone = { ...question, key: "more", runId: "next", answeredRunId: "gone" };
    expect(removedIds({ runs: [first, next], questions: [question, gone] })).toEqual(["run", "next"]);
  });

  test("is deleted alone in a thread, which keeps the values", () => {
    const runs = [first, next].map((run) => ({ ...run, threadId: "thr" }));
    const shelf = { runs, threads: [threadRecord()], questions: [{ ...question, threadId: "thr" }] };
    expect(removedIds(shelf, "thr")).toEqual(["run"]);
  });
});
