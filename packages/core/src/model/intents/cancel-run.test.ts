import { expect, test } from "vitest";
import { cancelRun } from "../../testing/intents.js";
import { applyTo, noon, refusalOf, runningRecord, runRecord, threadRecord } from "../../testing/shelf.js";

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
  expect(own).toMatchObject({
    outcome: "requested",
    run: { cancelRequestedAt: noon, graceUntil: noon + 70, status: "running" },
  });
  expect(applyTo<"cancel_run">({ runs: [run] }, cancelRun(run, { grace: 5 })).value.run.graceUntil).toBe(noon + 5);
});

test("a second request changes nothing", () => {
  const run = runningRecord({ cancelRequestedAt: 1, cancelReason: '{"kind":"parent"}', graceUntil: 2 });
  const { value, changes, effects } = applyTo<"cancel_run">({ runs: [run] }, cancelRun(run, { grace: 9_999 }));
  expect([value, changes.runs, effects]).toEqual([{ run, outcome: "requested" }, [], []]);
});

test.each(["succeeded", "failed", "canceled", "interrupted"] as const)("a %s run stays what it is", (status) => {
  const run = runRecord({ status, active: false, settledAt: noon });
  const { value, changes } = applyTo<"cancel_run">({ runs: [run] }, cancelRun(run));
  expect([value, changes.runs]).toEqual([{ run, outcome: "late" }, []]);
});

test("an unknown run is refused", () => {
  expect(refusalOf({}, cancelRun({ id: "no", threadId: null })).error).toMatchObject({ code: "RUN_NOT_FOUND" });
});

test("a settled run is deleted, any other is not", () => {
  const intent = { kind: "delete_run", runId: "run", threadId: null } as const;
  const settled = runRecord({ status: "failed", active: false });
  expect(applyTo<"delete_run">({ runs: [settled] }, intent).changes.removals).toEqual([
    { type: "run", id: "run", threadId: null, lineageId: "run" },
  ]);
  for (const run of [runRecord(), runningRecord()]) {
    expect(refusalOf({ runs: [run] }, intent).error).toMatchObject({ code: "RUN_ACTIVE" });
  }
});
