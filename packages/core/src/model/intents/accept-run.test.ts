import { describe, expect, test } from "vitest";
import type { HeddleError } from "../../errors.js";
import { acceptRun, testPolicy } from "../../testing/intents.js";
import { applyTo, noon, refusalOf, runningRecord, runRecord, type Shelf, threadRecord } from "../../testing/shelf.js";

const idle: Shelf = { threads: [threadRecord({ headCheckpointId: "head" })] };
const busy: Shelf = {
  threads: [threadRecord({ activeRunId: "active", queueLength: 1, queueTail: 2 })],
  runs: [
    runningRecord({ id: "active", threadId: "thr" }),
    runRecord({ id: "queued", threadId: "thr", queuePosition: 1 }),
  ],
};
const claim = { worker: "wrk", lease: 1_000, agents: ["worker"] };
const key = { scope: "s", agent: "worker", key: "k", fingerprint: "f", runId: "first", keepUntil: noon + 1 };

test("a stateless run is active at once, and told as claimable", () => {
  const { value, effects, changes } = applyTo<"accept_run">({}, acceptRun({ deadline: 500 }));
  expect(value.run).toMatchObject({ status: "pending", active: true, availableAt: noon, deadlineAt: noon + 500 });
  expect(effects.map(({ type }) => type)).toEqual(["run", "claimable"]);
  expect(changes.threads).toEqual([]);
});

test("an idle thread is taken, with its head as base", () => {
  const { value, changes } = applyTo<"accept_run">(idle, acceptRun({ threadId: "thr" }));
  expect(value.run).toMatchObject({ active: true, baseCheckpointId: "head", headCheckpointId: "head" });
  expect(changes.threads[0]?.after).toMatchObject({ activeRunId: value.run.id, lastAgent: "worker", queueLength: 0 });
});

test("a busy thread puts the run at its queue's tail", () => {
  const { value, changes, effects } = applyTo<"accept_run">(busy, acceptRun({ threadId: "thr", whenBusy: "enqueue" }));
  expect(value.run).toMatchObject({ active: false, queuePosition: 2, baseCheckpointId: null });
  expect(changes.threads[0]?.after).toMatchObject({ activeRunId: "active", queueLength: 2, queueTail: 3 });
  expect(effects.map(({ type }) => type)).toEqual(["run"]);
});

test.each([idle, busy])("a delayed run waits outside of queue and thread", (shelf) => {
  const { value, changes } = applyTo<"accept_run">(shelf, acceptRun({ threadId: "thr", delay: 5 }));
  expect(value.run).toMatchObject({ active: false, queuePosition: null, availableAt: noon + 5 });
  const { before, after } = changes.threads[0] ?? {};
  expect(after).toEqual({ ...before, queueLength: (before?.queueLength ?? 0) + 1, updatedAt: noon });
});

test("a missing thread is created with the run", () => {
  const { changes } = applyTo<"accept_run">({}, acceptRun({ threadId: "new" }));
  expect(changes.threads[0]).toMatchObject({ before: undefined, after: { id: "new", metadata: "{}", lastSeq: 0 } });
});

describe("claimed with the acceptance", () => {
  test("where it is the first in line", () => {
    const { value } = applyTo<"accept_run">({}, acceptRun({ claim }));
    expect(value.claimed).toMatchObject({ status: "running", attempt: 1, worker: "wrk", leaseUntil: noon + 1_000 });
    expect(value.claimed).toBe(value.run);
  });

  test.each([
    ["an older one waits", { createdAt: noon - 1 }, false],
    ["a more urgent one waits", { priority: 1 }, false],
    ["only a less urgent one waits", { priority: -1 }, true],
    ["only one of another agent waits", { agent: "other", priority: 9 }, true],
    ["only one waits whose time has not come", { availableAt: noon + 1, priority: 9 }, true],
  ])("%s", (_what, waiting, claimed) => {
    const shelf = { runs: [runRecord({ id: "waiting", ...waiting })] };
    expect(applyTo<"accept_run">(shelf, acceptRun({ claim })).value.claimed !== undefined).toBe(claimed);
  });

  test("never when delayed or queued", () => {
    expect(applyTo<"accept_run">({}, acceptRun({ claim, delay: 1 })).value.claimed).toBeUndefined();
    const queued = acceptRun({ claim, threadId: "thr", whenBusy: "enqueue" });
    expect(applyTo<"accept_run">(busy, queued).value.claimed).toBeUndefined();
  });
});

describe("an idempotency key", () => {
  const idempotency = { key: "k", fingerprint: "f", keep: 100 };
  const first = runRecord({ id: "first" });

  test("is remembered with its run", () => {
    const { value, changes } = applyTo<"accept_run">({}, acceptRun({ idempotency }));
    expect(changes.keys).toEqual([{ ...key, runId: value.run.id, keepUntil: noon + 100 }]);
    expect(value.run.idempotencyKey).toBe("k");
  });

  test("answers with the run it named", () => {
    const { value, changes } = applyTo<"accept_run">({ runs: [first], keys: [key] }, acceptRun({ idempotency }));
    expect(value).toEqual({ run: first, outcome: "existing" });
    expect([changes.runs, changes.keys]).toEqual([[], []]);
  });

  test("names its run even when its time is over", () => {
    const keys = [{ ...key, keepUntil: noon - 1 }];
    expect(applyTo<"accept_run">({ runs: [first], keys }, acceptRun({ idempotency })).value.outcome).toBe("existing");
  });

  test("whose run and time are gone starts anew", () => {
    const keys = [{ ...key, keepUntil: noon }];
    expect(applyTo<"accept_run">({ keys }, acceptRun({ idempotency })).value.outcome).toBe("accepted");
  });
});

test("one that another agent's worker accepts is not claimed", () => {
  const { value } = applyTo<"accept_run">({}, acceptRun({ claim: { ...claim, agents: ["other"] } }));
  expect(value).toMatchObject({ outcome: "accepted", run: { status: "pending" } });
  expect(value.claimed).toBeUndefined();
});

test.each([
  ["interrupt", { threadId: "thr", delay: 5, whenBusy: "interrupt" }, "interrupt"],
  ["reject: it is enqueued then", { threadId: "thr", delay: 5 }, undefined],
  ["enqueue", { threadId: "thr", delay: 5, whenBusy: "enqueue" }, undefined],
  ["interrupt, and needed at once", { threadId: "thr", whenBusy: "interrupt" }, undefined],
  ["interrupt, without a thread", { delay: 5, whenBusy: "interrupt" }, undefined],
] as const)("the strategy is kept for when the run falls due: %s", (_what, options, kept) => {
  const { value } = applyTo<"accept_run">(idle, acceptRun(options));
  const policy = JSON.parse(value.run.policy) as object;
  expect(policy).toEqual({ ...testPolicy, ...(kept === undefined ? {} : { whenBusy: kept }) });
  expect(value.outcome).toBe("accepted");
});

test.each([
  ["running", runningRecord({ id: "active", threadId: "thr" }), "wrk", new Date(noon + 10_000)],
  ["pending", runRecord({ id: "active", threadId: "thr", active: true }), undefined, undefined],
] as const)("who finds the thread busy is told with what: a %s run", (status, active, worker, leaseUntil) => {
  const { error } = refusalOf({ ...busy, runs: [active] }, acceptRun({ threadId: "thr" }));
  const details = { threadId: "thr", activeRunId: "active", status, worker, leaseUntil };
  expect((error as HeddleError).details).toEqual(details);
});

test("a key's refusals name the key and its run", () => {
  const idempotency = { key: "k", fingerprint: "f", keep: 1 };
  const details = { idempotencyKey: "k", runId: "first" };
  expect(refusalOf({ keys: [key] }, acceptRun({ idempotency })).error).toMatchObject({ code: "RUN_GONE", details });
  const other = acceptRun({ idempotency: { ...idempotency, fingerprint: "g" } });
  expect(refusalOf({ keys: [key] }, other).error).toMatchObject({ code: "IDEMPOTENCY_CONFLICT", details });
});

test.each([
  ["THREAD_NOT_FOUND", {}, { threadId: "thr", createThread: false }],
  ["THREAD_BUSY", busy, { threadId: "thr" }],
  ["QUEUE_FULL", busy, { threadId: "thr", whenBusy: "enqueue", queueBound: 1 }],
  ["QUEUE_FULL", busy, { threadId: "thr", delay: 1, queueBound: 1 }],
  ["QUEUE_FULL", busy, { threadId: "thr", delay: 1, whenBusy: "interrupt", queueBound: 1 }],
  ["QUEUE_FULL", { threads: [threadRecord({ queueLength: 1 })] }, { threadId: "thr", delay: 1, queueBound: 1 }],
  ["RUN_GONE", { keys: [key] }, { idempotency: { key: "k", fingerprint: "f", keep: 1 } }],
  [
    "IDEMPOTENCY_CONFLICT",
    { keys: [key], runs: [runRecord({ id: "first" })] },
    { idempotency: { key: "k", fingerprint: "g", keep: 1 } },
  ],
] as const)("refused with %s, it changes nothing", (code, shelf, options) => {
  const { error, changes, effects } = refusalOf(shelf as Shelf, acceptRun(options));
  expect(error).toMatchObject({ code });
  expect([changes.runs, changes.threads, changes.keys, effects]).toEqual([[], [], [], []]);
});
