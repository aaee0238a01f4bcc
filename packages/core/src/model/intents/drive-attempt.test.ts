import { describe, expect, test } from "vitest";
import { attemptOf, releaseRun, setKey, settleRun, snapshot } from "../../testing/intents.js";
import { applyTo, noon, refusalOf, runningRecord, runRecord, type Shelf, threadRecord } from "../../testing/shelf.js";
import { never, type RunRecord } from "../run.js";
import type { RecordProgress } from "./intent.js";

const run = runningRecord({
  id: "run",
  threadId: "thr",
  baseCheckpointId: "base",
  headCheckpointId: "base",
  firstSeq: 1,
  lastSeq: 1,
});
const thread = threadRecord({ activeRunId: "run", headCheckpointId: "base", lastSeq: 1 });
const shelf: Shelf = { runs: [run], threads: [thread] };
const canceling = { ...run, cancelRequestedAt: noon, cancelReason: '{"kind":"user"}', graceUntil: noon + 1 };
const log = { type: "log", payload: "1" };

describe("record_progress", () => {
  const progress = (given: Partial<RecordProgress>): RecordProgress => {
    return { kind: "record_progress", attempt: attemptOf(run), events: [], ...given };
  };

  test("appends events under the next numbers", () => {
    const { value, changes } = applyTo<"record_progress">(shelf, progress({ events: [log, log] }));
    expect(changes.events.map(({ seq, runId, attempt }) => [seq, runId, attempt])).toEqual([
      [2, "run", 1],
      [3, "run", 1],
    ]);
    expect([value.lastSeq, changes.threads[0]?.after.lastSeq]).toEqual([3, 3]);
  });

  test("events belong to their thread's rollout, those of a stateless run to the only one there is", () => {
    const rolloutOf = (shelf: Shelf, held: RunRecord) => {
      const intent = progress({ attempt: attemptOf(held), events: [log] });
      return applyTo<"record_progress">(shelf, intent).changes.events.map(({ rollout }) => rollout);
    };
    expect(rolloutOf({ runs: [run], threads: [{ ...thread, rollout: 3 }] }, run)).toEqual([3]);
    const stateless = runningRecord();
    expect(rolloutOf({ runs: [stateless] }, stateless)).toEqual([1]);
  });

  test("no checkpoint is older than its thread, whatever the clock says", () => {
    const createdAt = (threads: Shelf["threads"]) =>
      applyTo<"record_progress">({ ...shelf, threads: threads ?? [] }, progress({ checkpoint: setKey("k", 1) })).changes
        .checkpoints[0]?.createdAt;
    expect(createdAt([{ ...thread, createdAt: noon + 5 }])).toBe(noon + 5);
    expect(createdAt([{ ...thread, createdAt: noon - 5 }])).toBe(noon);
  });

  test("a checkpoint moves both heads and tells the keys that changed", () => {
    const checkpoint = setKey("k", 1);
    const { value, changes } = applyTo<"record_progress">(shelf, progress({ checkpoint }));
    expect(changes.checkpoints[0]).toMatchObject({ id: checkpoint.id, parentId: "base", kind: "mid", threadId: "thr" });
    expect([value.headCheckpointId, changes.threads[0]?.after.headCheckpointId]).toEqual([
      checkpoint.id,
      checkpoint.id,
    ]);
    expect(changes.events[0]?.payload).toBe(JSON.stringify({ checkpointId: checkpoint.id, changedKeys: ["k"] }));
  });

  test("a keyed event is stored once per lineage", () => {
    const keyed = { ...log, key: "k" };
    const memos = [{ lineageId: "run", kind: "event", key: "known", runId: "before", body: null } as const];
    const { changes } = applyTo<"record_progress">(
      { ...shelf, memos },
      progress({ events: [keyed, keyed, { ...log, key: "known" }, log] }),
    );
    expect(changes.events.map(({ seq }) => seq)).toEqual([2, 3]);
    expect(changes.memos).toEqual([{ lineageId: "run", kind: "event", key: "k", runId: "run", body: null }]);
  });

  test("what was written before and is sent again, because its answer got lost, is not written twice", () => {
    const { value, changes } = applyTo<"record_progress">(
      { ...shelf, runs: [{ ...run, lastSeq: 2 }] },
      progress({ after: 1, events: [log], checkpoint: setKey("k", 1) }),
    );
    expect([value.lastSeq, changes.runs, changes.events, changes.checkpoints]).toEqual([2, [], [], []]);
    expect(applyTo<"record_progress">(shelf, progress({ after: 1, events: [log] })).changes.events).toHaveLength(1);
  });

  test("nothing to record changes nothing", () => {
    const { value, changes } = applyTo<"record_progress">(shelf, progress({}));
    expect([value, changes.runs, changes.threads]).toEqual([run, [], []]);
  });
});

describe("settle_run", () => {
  test("one transaction: outcome, checkpoint, head, terminal event, the thread given up", () => {
    const checkpoint = snapshot({ a: 1 });
    const { value, changes } = applyTo<"settle_run">(shelf, settleRun(run, { checkpoint, events: [log] }));
    expect(value).toMatchObject({
      status: "succeeded",
      active: false,
      worker: null,
      leaseUntil: null,
      settledAt: noon,
    });
    expect(changes.events.map(({ seq, type }) => [seq, type])).toEqual([
      [2, "log"],
      [3, "values_updated"],
      [4, "run_succeeded"],
    ]);
    expect(changes.checkpoints).toMatchObject([{ id: checkpoint.id, kind: "final" }]);
    expect(changes.threads[0]?.after).toMatchObject({
      activeRunId: null,
      lastOutcome: "succeeded",
      headCheckpointId: checkpoint.id,
      lastSeq: 4,
    });
  });

  test("the first of the queue gets the thread", () => {
    const runs = [
      run,
      ...["c", "b"].map((id, at) => runRecord({ id, threadId: "thr", queuePosition: 9 - at, availableAt: 1 })),
    ];
    const threads = [{ ...thread, queueLength: 2 }];
    const { changes, effects } = applyTo<"settle_run">(
      { runs, threads },
      settleRun(run, { finalCheckpointId: "final" }),
    );
    const promoted = changes.runs.find(({ after }) => after.id === "b")?.after;
    expect(promoted).toMatchObject({ active: true, queuePosition: null, baseCheckpointId: "final", availableAt: noon });
    expect(changes.threads[0]?.after).toMatchObject({ activeRunId: "b", queueLength: 1, lastOutcome: "succeeded" });
    expect(changes.runs.map(({ after }) => after.id)).toEqual(["run", "b"]);
    expect(effects.at(-2)).toEqual({ type: "claimable" });
  });

  test("a requested cancel counts more than the outcome", () => {
    const { value, changes } = applyTo<"settle_run">(
      { ...shelf, runs: [canceling] },
      settleRun(run, { checkpoint: snapshot({}) }),
    );
    expect(value).toMatchObject({ status: "canceled", output: null, cancelReason: '{"kind":"user"}' });
    expect(changes.checkpoints).toMatchObject([{ encoding: "same", body: null }]);
  });

  test.each(["failure", "none"] as const)("a failure that counts as %s", (counts) => {
    const error = { code: "AGENT_ERROR", message: "boom" };
    const { value } = applyTo<"settle_run">(shelf, settleRun(run, { outcome: { status: "failed", error, counts } }));
    expect(value).toMatchObject({
      status: "failed",
      error: JSON.stringify(error),
      failures: counts === "failure" ? 1 : 0,
    });
  });

  test("a stateless run that is to be deleted is told, then gone", () => {
    const stateless = runningRecord({ policy: '{"onCompletion":"delete"}' });
    const { changes, effects } = applyTo<"settle_run">({ runs: [stateless] }, settleRun(stateless));
    expect(changes.runs).toEqual([]);
    expect(changes.removals).toEqual([{ type: "run", id: "run", threadId: null, lineageId: "run" }]);
    expect(effects.map(({ type }) => type)).toEqual(["event", "run", "run_deleted"]);
  });

  test("a thread's run is not: it stays in the thread's history", () => {
    const kept = { ...run, policy: '{"onCompletion":"delete"}' };
    const { changes } = applyTo<"settle_run">({ ...shelf, runs: [kept] }, settleRun(kept));
    expect([changes.runs.length, changes.removals]).toEqual([1, []]);
  });
});

describe("release_run", () => {
  test("on retry the failure counts, on shutdown it does not; the thread is kept", () => {
    for (const why of ["retry", "shutdown"] as const) {
      const { value, changes } = applyTo<"release_run">(shelf, releaseRun(run, { why, delay: 50 }));
      expect(value).toMatchObject({
        status: "pending",
        active: true,
        availableAt: noon + 50,
        worker: null,
        leaseUntil: null,
      });
      expect(value.failures).toBe(why === "retry" ? 1 : 0);
      expect(changes.threads[0]?.after.activeRunId).toBe("run");
      expect(changes.events.map(({ type }) => type)).toEqual(["run_retrying"]);
    }
  });

  test("a suspended run waits for its time or its children, and says for what", () => {
    const suspended = (options: Parameters<typeof releaseRun>[1]) => {
      const { value, changes, effects } = applyTo<"release_run">(shelf, releaseRun(run, options));
      const { type, payload } = changes.events[0] ?? {};
      expect([value.status, value.worker, value.leaseUntil, type]).toEqual(["pending", null, null, "run_suspended"]);
      expect(effects.map(({ type }) => type)).toEqual(["event", "run", "claimable"]);
      return [value.availableAt, value.awaits, value.failures, JSON.parse(payload ?? "null")];
    };
    const until = noon + 500;
    expect(suspended({ why: "sleep", until })).toEqual([until, null, 0, { why: "sleep", until }]);
    const awaits = ["child"];
    expect(suspended({ why: "child", awaits })).toEqual([never, '["child"]', 0, { why: "child", awaits }]);
  });

  test("a canceled run whose end is left to an attempt goes on at once, whatever it wanted to wait for", () => {
    const hooked = { ...canceling, settleHook: true };
    for (const options of [
      { why: "sleep", until: noon + 9 },
      { why: "retry", delay: 9 },
    ] as const) {
      const { value } = applyTo<"release_run">({ ...shelf, runs: [hooked] }, releaseRun(run, options));
      expect([value.status, value.availableAt, value.awaits]).toEqual(["pending", noon, null]);
    }
  });

  test("a run whose cancel was requested settles instead", () => {
    const { value } = applyTo<"release_run">({ ...shelf, runs: [canceling] }, releaseRun(run));
    expect(value).toMatchObject({ status: "canceled", failures: 0 });
  });
});

test.each([
  ["another attempt", { ...run, attempt: 2 }],
  ["nobody", runRecord({ ...run, status: "pending", worker: null, leaseUntil: null })],
  ["history", { ...run, status: "succeeded", active: false }],
  ["nothing", undefined],
] as const)("an attempt whose run belongs to %s writes nothing", (_whom, owned) => {
  const lost = { threads: [thread], runs: owned === undefined ? [] : [owned] };
  const events = [log];
  const intents = [
    settleRun(run, { events }),
    releaseRun(run, { events }),
    { kind: "record_progress", attempt: attemptOf(run), events } as const,
  ];
  for (const intent of intents) {
    const { error, changes, effects } = refusalOf(lost, intent);
    expect(error).toMatchObject({ code: "LEASE_LOST", details: { runId: "run", attempt: 1 } });
    expect([changes.runs, changes.threads, changes.events, effects]).toEqual([[], [], [], []]);
  }
});
