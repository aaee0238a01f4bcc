import { describe, expect, test } from "vitest";
import { acceptRun, attemptOf, releaseRun, tendRun } from "../../testing/intents.js";
import { applyTo, noon, refusalOf, runningRecord, runRecord, threadRecord } from "../../testing/shelf.js";
import { endsLineage, never } from "../run.js";

const parent = runningRecord({ id: "parent", threadId: "home", parentRunId: "above", deadlineAt: noon + 1_000 });
const home = threadRecord({ id: "home", activeRunId: "parent" });
const child = { attempt: attemptOf(parent), key: "a", family: ["parent", "above"] };
const shelf = { runs: [parent], threads: [home] };

describe("starting a child", () => {
  test("the lineage remembers it; parent, thread and deadline are handed down", () => {
    const { value, changes } = applyTo<"accept_run">(shelf, acceptRun({ id: "kid", child, deadline: 5_000 }));
    expect(value.run).toMatchObject({ parentRunId: "parent", parentThreadId: "home", deadlineAt: noon + 1_000 });
    expect(changes.memos).toEqual([{ lineageId: "parent", kind: "child", key: "a", runId: "parent", body: '"kid"' }]);
  });

  test("what the lineage remembers comes before all other guards but the parent's token", () => {
    const memo = { lineageId: "parent", kind: "child", key: "a", runId: "parent", body: '"kid"' } as const;
    const kid = runRecord({ id: "kid" });
    const known = { ...shelf, runs: [parent, kid], memos: [memo] };
    const { value, changes } = applyTo<"accept_run">(known, acceptRun({ child, threadId: "home" }));
    expect([value, changes.runs]).toEqual([{ run: kid, outcome: "existing" }, []]);
    expect(refusalOf({ ...shelf, memos: [memo] }, acceptRun({ child })).error).toMatchObject({ code: "RUN_GONE" });
    const lost = { ...child, attempt: { ...child.attempt, attempt: 2 } };
    expect(refusalOf(known, acceptRun({ child: lost })).error).toMatchObject({ code: "LEASE_LOST" });
  });

  test("a thread that the family holds is refused; one that it does not hold now is not", () => {
    const own = acceptRun({ child, threadId: "home", whenBusy: "enqueue" });
    expect(refusalOf(shelf, own).error).toMatchObject({ code: "THREAD_DEADLOCK" });
    const above = runRecord({ id: "resumed", lineageId: "above", threadId: "upstairs", active: true });
    const upstairs = threadRecord({ id: "upstairs", activeRunId: "resumed" });
    const intent = acceptRun({ child, threadId: "upstairs", whenBusy: "enqueue" });
    const held = { runs: [parent, above], threads: [home, upstairs] };
    expect(refusalOf(held, intent).error).toMatchObject({ code: "THREAD_DEADLOCK" });
    const free = { runs: [parent], threads: [home, { ...upstairs, activeRunId: null }] };
    expect(applyTo<"accept_run">(free, intent).value.outcome).toBe("accepted");
  });
});

describe("waiting for a child", () => {
  const suspended = runRecord({ attempt: 1, awaits: '["kid","other"]', availableAt: never });

  test("is neither a failure nor a crash", () => {
    const run = runningRecord();
    const { value } = applyTo<"release_run">({ runs: [run] }, releaseRun(run, { why: "child", awaits: ["kid"] }));
    expect(value).toMatchObject({ status: "pending", failures: 0, crashes: 0, awaits: '["kid"]', availableAt: never });
  });

  test("ends with the end of one of them only", () => {
    const tend = (childDone: string) =>
      applyTo<"tend_run">({ runs: [suspended] }, { ...tendRun(suspended), childDone }).value;
    expect(tend("nobody")).toBeUndefined();
    expect(tend("kid")).toMatchObject({ awaits: null, availableAt: noon });
    const asleep = { ...suspended, availableAt: noon - 5 };
    const { value } = applyTo<"tend_run">({ runs: [asleep] }, { ...tendRun(asleep), childDone: "kid" });
    expect(value?.availableAt).toBe(noon - 5);
  });

  test("with a settle hook: a cancel hands it to the next attempt", () => {
    const hooked = { ...suspended, settleHook: true };
    const reason = { kind: "parent", by: "x" } as const;
    const cancel = { kind: "cancel_run", runId: "run", threadId: null, reason, finalCheckpointId: "c" } as const;
    expect(applyTo<"cancel_run">({ runs: [hooked] }, cancel).value).toMatchObject({
      outcome: "requested",
      run: { availableAt: noon, status: "pending" },
    });
  });
});

test("a lineage ends with a run that has an outcome; a rolled-back one leaves it where it was", () => {
  const run = (given: object) => runRecord({ id: "later", lineageId: "first", settledAt: noon, ...given });
  expect(endsLineage(run({ status: "running" }))).toBe(false);
  expect(endsLineage(run({ status: "interrupted" }))).toBe(false);
  for (const status of ["succeeded", "failed", "canceled"] as const) expect(endsLineage(run({ status }))).toBe(true);
  expect(endsLineage(run({ status: "canceled", rolledBack: true }))).toBe(false);
  expect(endsLineage(run({ id: "first", status: "canceled", rolledBack: true }))).toBe(true);
});
