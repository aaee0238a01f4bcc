import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tendRun } from "../../testing/intents.js";
import { applyTo, noon, runningRecord, runRecord, type Shelf, threadRecord } from "../../testing/shelf.js";
import type { RunRecord } from "../run.js";
import { earlier, isDelayed, leaseIsLost, tendAt } from "./tend-run.js";

const requested = { cancelRequestedAt: 1, cancelReason: '{"kind":"user"}' };
const idle = threadRecord({ queueLength: 1 });
const busy = threadRecord({ queueLength: 1, queueTail: 7, activeRunId: "other" });
const delayed = { threadId: "thr", active: false };
const patient = '{"retry":{"maxCrashes":2}}';

/** The table at the top of tend-run.ts, with its neighbours in which nothing happens. */
const cases: [what: string, run: RunRecord, expected: Partial<RunRecord> | undefined, threads?: Shelf["threads"]][] = [
  ["running, lease not over", runningRecord({ leaseUntil: noon + 1 }), undefined],
  [
    "running, lease over",
    runningRecord({ leaseUntil: noon, policy: patient }),
    { status: "pending", crashes: 1, worker: null, availableAt: noon },
  ],
  [
    "running, lease over, at the limit",
    runningRecord({ leaseUntil: noon, policy: patient, crashes: 1 }),
    { status: "failed", crashes: 2 },
  ],
  [
    "running, lease over, deadline passed",
    runningRecord({ leaseUntil: noon, policy: patient, deadlineAt: noon }),
    { status: "failed", crashes: 1 },
  ],
  [
    "running, lease over, cancel requested",
    runningRecord({ leaseUntil: noon, graceUntil: noon + 9, ...requested }),
    { status: "canceled", crashes: 0 },
  ],
  ["running, deadline passed", runningRecord({ deadlineAt: noon - 1 }), undefined],
  ["running, grace not over", runningRecord({ graceUntil: noon + 1, ...requested }), undefined],
  ["running, grace over", runningRecord({ graceUntil: noon, ...requested }), { status: "canceled", settledAt: noon }],
  ["pending", runRecord(), undefined],
  ["pending, its time come", runRecord({ availableAt: noon - 9 }), undefined],
  ["pending, deadline to come", runRecord({ deadlineAt: noon + 1 }), undefined],
  ["pending, deadline passed", runRecord({ deadlineAt: noon }), { status: "failed", failures: 0 }],
  ["delayed, not due", runRecord({ ...delayed, availableAt: noon + 1 }), undefined, [idle]],
  [
    "delayed, due, thread idle",
    runRecord({ ...delayed, availableAt: noon }),
    { active: true, queuePosition: null },
    [idle],
  ],
  [
    "delayed, due, thread busy",
    runRecord({ ...delayed, availableAt: noon }),
    { active: false, queuePosition: 7 },
    [busy],
  ],
  [
    "delayed, deadline passed",
    runRecord({ ...delayed, availableAt: noon + 9, deadlineAt: noon }),
    { status: "failed" },
    [idle],
  ],
  ["queued", runRecord({ threadId: "thr", queuePosition: 1, availableAt: noon - 9 }), undefined, [busy]],
  ["settled", runRecord({ status: "succeeded", deadlineAt: 1, availableAt: 1 }), undefined],
];

describe.each(cases)("%s", (_what, run, expected, threads = []) => {
  const shelf = { runs: [run], threads };

  test(expected === undefined ? "nothing happens" : "is tended", () => {
    const { value, changes } = applyTo<"tend_run">(shelf, tendRun(run));
    if (expected === undefined) expect([value, changes.runs]).toEqual([undefined, []]);
    else expect(value).toMatchObject(expected);
  });

  test("as tendAt foretells", () => {
    const at = tendAt(run);
    expect(at !== null && at <= noon).toBe(expected !== undefined);
    if (at !== null && at > noon) expect(applyTo<"tend_run">(shelf, tendRun(run), at).value).toBeDefined();
  });
});

describe("what is told of it", () => {
  const told = (run: RunRecord, threads: Shelf["threads"], childDone?: string) => {
    const intent = childDone === undefined ? tendRun(run) : { ...tendRun(run), childDone };
    const { value, changes, effects } = applyTo<"tend_run">({ runs: [run], threads: threads ?? [] }, intent);
    return {
      value,
      effects: effects.map(({ type }) => type),
      payload: JSON.parse(changes.events[0]?.payload ?? "null"),
    };
  };

  test("a delayed run that gets its thread can be claimed; one that joins a queue cannot", () => {
    const run = runRecord({ ...delayed, availableAt: noon });
    expect(told(run, [idle]).effects).toContain("claimable");
    expect(told(run, [busy]).effects).not.toContain("claimable");
  });

  test("a run that waits for a child goes on when that one is done, and no later than it would have", () => {
    const run = runRecord({ awaits: '["a","b"]', availableAt: noon + 99 });
    expect(told(run, [], "b")).toMatchObject({
      value: { status: "pending", awaits: null, availableAt: noon },
      effects: ["run", "claimable"],
    });
    expect(told({ ...run, availableAt: noon - 1 }, [], "a").value?.availableAt).toBe(noon - 1);
    expect(told(run, [], "c").value).toBeUndefined();
  });

  test("why a run goes on or fails", () => {
    expect(told(runningRecord({ leaseUntil: noon, policy: patient }), []).payload).toEqual({
      why: "crash",
      failures: 0,
      crashes: 1,
      availableAt: noon,
    });
    const crashed = runningRecord({ leaseUntil: noon, policy: patient, crashes: 1 });
    const late = runRecord({ deadlineAt: noon });
    expect([told(crashed, []).payload, told(late, []).payload]).toMatchObject([
      { error: { code: "CRASH_LIMIT", details: { crashes: 2 } } },
      { error: { code: "DEADLINE_EXCEEDED", details: { deadlineAt: noon } } },
    ]);
  });
});

describe("a run whose end is left to an attempt", () => {
  const tend = (run: RunRecord) => {
    const { value, changes } = applyTo<"tend_run">({ runs: [run] }, tendRun(run));
    return [value?.status, value?.crashes, value?.availableAt, JSON.parse(changes.events[0]?.payload ?? "{}").why];
  };

  test("is taken back: its worker died, or did not end it in time", () => {
    const run = runningRecord({ settleHook: true, policy: patient, crashes: 1, ...requested });
    expect(tend({ ...run, leaseUntil: noon })).toEqual(["pending", 2, noon, "crash"]);
    expect(tend({ ...run, graceUntil: noon })).toEqual(["pending", 1, noon, "cancel"]);
  });

  test("goes on when its deadline has passed, to be ended", () => {
    const run = runRecord({ settleHook: true, deadlineAt: noon, availableAt: noon + 9 });
    expect([tendAt(run), tend(run)]).toEqual([noon, ["pending", 0, noon, undefined]]);
    for (const availableAt of [noon, noon - 1]) {
      expect([tendAt({ ...run, availableAt }), tend({ ...run, availableAt })[0]]).toEqual([null, undefined]);
    }
  });
});

test("a claimed or settled run is not delayed, whatever its time", () => {
  expect([runRecord(delayed), runRecord({ ...delayed, status: "failed" })].map(isDelayed)).toEqual([true, false]);
});

test("an unknown run is nothing to tend", () => {
  expect(applyTo<"tend_run">({}, tendRun(runRecord())).value).toBeUndefined();
});

test("a dead worker's lease is lost before its time", () => {
  const run = runningRecord({ worker: "wrk" });
  expect(applyTo<"tend_run">({ runs: [run] }, tendRun(run, ["wrk"])).value?.status).toBe("pending");
  expect(applyTo<"tend_run">({ runs: [run] }, tendRun(run, ["other"])).value).toBeUndefined();
  expect(leaseIsLost({ worker: null, leaseUntil: null }, noon, ["wrk"])).toBe(false);
});

test("a delayed run that falls due counts as waiting until it is activated", () => {
  const run = runRecord({ ...delayed, availableAt: noon });
  expect(
    applyTo<"tend_run">({ runs: [run], threads: [idle] }, tendRun(run)).changes.threads[0]?.after.queueLength,
  ).toBe(0);
  expect(
    applyTo<"tend_run">({ runs: [run], threads: [busy] }, tendRun(run)).changes.threads[0]?.after.queueLength,
  ).toBe(1);
});

test("earlier of two times, null being never", () => {
  const time = fc.option(fc.integer(), { nil: null });
  fc.assert(
    fc.property(time, time, (a, b) => {
      const known = [a, b].filter((at) => at !== null);
      expect(earlier(a, b)).toBe(known.length === 0 ? null : Math.min(...known));
    }),
  );
});
