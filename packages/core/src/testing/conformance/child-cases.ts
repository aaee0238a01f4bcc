import assert from "node:assert/strict";
import type { ChildStart } from "../../model/intents/intent.js";
import { never, type RunRecord } from "../../model/run.js";
import { type AcceptOptions, attemptOf, freshId } from "../intents.js";
import type { StorageDriver } from "../storage-driver.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, json, refused, refusedUnchanged } from "./expect.js";

/** Of another agent unless told otherwise, so that a claim for the parent does not take it. */
function startChild(driver: StorageDriver, parent: RunRecord, key: string, options: AcceptOptions = {}) {
  const child: ChildStart = { attempt: attemptOf(parent), key, family: [parent.lineageId] };
  return driver.accept({ agent: "child", child, ...options });
}

async function runChild(driver: StorageDriver, parent: RunRecord, key: string, options: AcceptOptions = {}) {
  const claim = { worker: driver.worker, lease: 15_000, agents: ["child"] };
  return (await startChild(driver, parent, key, { claim, ...options })).claimed as RunRecord;
}

function suspend(driver: StorageDriver, run: RunRecord, children: readonly RunRecord[], until?: number) {
  const awaits = children.map(({ lineageId }) => lineageId);
  return driver.release(run, { why: "child", awaits, ...(until === undefined ? {} : { until }) });
}

function tendFor(driver: StorageDriver, { id, threadId }: RunRecord, child: RunRecord) {
  const finalCheckpointId = freshId("chk");
  const childDone = child.lineageId;
  return driver.apply<"tend_run">({
    kind: "tend_run",
    runId: id,
    threadId,
    deadWorkers: [],
    childDone,
    finalCheckpointId,
  });
}

const parentInThread = (driver: StorageDriver) => driver.start({ threadId: freshId("thr") });

export const childCases = inGroup("run: children", {
  async "a child knows its parent's lineage and thread, and the lineage knows the child"({ driver, storage }) {
    const parent = await parentInThread(driver);
    const { run, outcome } = await startChild(driver, parent, "look");
    assert.equal(outcome, "accepted");
    assertFields(run, { parentRunId: parent.lineageId, parentThreadId: parent.threadId, lineageId: run.id });
    assert.deepEqual(await storage.lineages.memo({ lineageId: parent.lineageId, kind: "child", key: "look" }), {
      lineageId: parent.lineageId,
      kind: "child",
      key: "look",
      runId: parent.id,
      body: JSON.stringify(run.lineageId),
    });
    const page = { sortBy: "createdAt", order: "asc", limit: 10 } as const;
    assert.deepEqual(await storage.runs.list({ ...page, parentRunId: parent.lineageId }), [run]);
    assert.deepEqual(await storage.runs.list({ ...page, lineageId: run.lineageId }), [run]);
  },

  async "is started once per lineage and key, whichever attempt asks"({ driver }) {
    const parent = await driver.start();
    const { run } = await startChild(driver, parent, "a");
    const repeated = await startChild(driver, parent, "a");
    assert.deepEqual(repeated, { run, outcome: "existing" });
    await driver.release(parent);
    const [again] = await driver.claim(1);
    const settled = await driver.settle((await driver.claim(1, ["child"]))[0] as RunRecord);
    const known = await startChild(driver, again as RunRecord, "a", { threadId: freshId("thr") });
    assert.deepEqual(known, { run: settled, outcome: "existing" });
    assert.equal((await startChild(driver, again as RunRecord, "b")).outcome, "accepted");
  },

  async "starts of one key in one batch are one child"({ driver, storage }) {
    const parent = await driver.start();
    const child = { attempt: attemptOf(parent), key: "a", family: [parent.lineageId] };
    const starts = await Promise.all([driver.accept({ child }), driver.accept({ child })]);
    assert.deepEqual(starts.map(({ outcome }) => outcome).sort(), ["accepted", "existing"]);
    assert.equal(starts[0]?.run.id, starts[1]?.run.id);
    assert.equal(await storage.runs.count({ parentRunId: parent.lineageId }), 1);
  },

  async "an attempt that lost its lease starts nothing"({ driver }) {
    const parent = await parentInThread(driver);
    await driver.release(parent);
    await refusedUnchanged(driver, () => startChild(driver, parent, "a"), "LEASE_LOST");
    await driver.claim();
    await refusedUnchanged(driver, () => startChild(driver, parent, "a", { threadId: freshId("thr") }), "LEASE_LOST");
  },

  async "a child that was deleted is not started again"({ driver }) {
    const parent = await driver.start();
    const child = await driver.settle(await runChild(driver, parent, "a"));
    await driver.deleteRun(child);
    const { details } = await refusedUnchanged(driver, () => startChild(driver, parent, "a"), "RUN_GONE");
    assertFields(details, { key: "a", runId: child.id });
  },

  async "its deadline is never later than its parent's"({ driver, clock }) {
    const parent = await driver.start({ deadline: 1_000 });
    await clock.advance(400);
    const deadlines = [];
    for (const deadline of [null, 2_000, 100])
      deadlines.push((await startChild(driver, parent, freshId("key"), { deadline })).run.deadlineAt);
    assert.deepEqual(deadlines, [parent.deadlineAt, parent.deadlineAt, clock.now() + 100]);
    const free = await driver.start();
    assert.equal((await startChild(driver, free, "a")).run.deadlineAt, null);
  },

  async "in a thread that its parent or a run above it holds it is refused, however it would wait"({ driver }) {
    const parent = await parentInThread(driver);
    const above = await parentInThread(driver);
    const family = [parent.lineageId, above.lineageId];
    const child = { attempt: attemptOf(parent), key: "a", family };
    for (const { threadId, id } of [parent, above]) {
      for (const options of [{ whenBusy: "reject" }, { whenBusy: "enqueue" }, { delay: 10 }] as const) {
        const start = () => driver.accept({ child, threadId, ...options });
        assertFields((await refusedUnchanged(driver, start, "THREAD_DEADLOCK")).details, { threadId, heldBy: id });
      }
    }
    const other = await parentInThread(driver);
    await refusedUnchanged(driver, () => driver.accept({ child, threadId: other.threadId }), "THREAD_BUSY");
    const { run } = await driver.accept({ child, threadId: other.threadId, whenBusy: "enqueue" });
    assertFields(run, { active: false, queuePosition: 1, parentRunId: parent.lineageId });
  },

  async "a run that waits for a child is suspended, keeps its thread, and no time wakes it"({ driver, clock }) {
    const parent = await parentInThread(driver);
    const { run: child } = await startChild(driver, parent, "a");
    const waiting = await suspend(driver, parent, [child]);
    assertFields(waiting, { status: "pending", active: true, worker: null, failures: 0, crashes: 0 });
    assertFields(waiting, { availableAt: never, awaits: JSON.stringify([child.lineageId]) });
    assert.deepEqual(await driver.run(parent), waiting);
    assert.equal((await driver.thread(parent.threadId as string)).activeRunId, parent.id);
    const last = (await driver.threadEvents(parent.threadId as string)).at(-1);
    assert.deepEqual(
      [last?.type, json(last?.payload ?? null)],
      ["run_suspended", { why: "child", awaits: [child.lineageId] }],
    );
    await clock.advance(1_000_000);
    assertFields(await driver.due(), { tend: [], wake: [], orphans: [], claimable: false, nextAt: null });
    assert.equal(await driver.tend(waiting), undefined);
    assert.equal(await tendFor(driver, waiting, parent), undefined);
    assert.deepEqual(await driver.claim(), []);
  },

  async "the end of a child it waits for wakes it, whichever end that is"({ driver }) {
    for (const end of ["settle", "fail", "cancel"] as const) {
      const parent = await parentInThread(driver);
      const children = [await runChild(driver, parent, "a"), await runChild(driver, parent, "b")];
      const waiting = await suspend(driver, parent, children);
      const child = children[1] as RunRecord;
      if (end === "cancel") await driver.settle((await driver.cancel(child)).run);
      else await driver[end](child);
      assert.deepEqual((await driver.due()).wake, [
        { runId: parent.id, threadId: parent.threadId, childDone: child.lineageId },
      ]);
      const awake = await tendFor(driver, waiting, child);
      assertFields({ ...awake }, { status: "pending", awaits: null, failures: 0, crashes: 0 });
      assertFields(await driver.due(), { wake: [], claimable: true });
      const [claimed] = await driver.claim();
      assertFields({ ...claimed }, { id: parent.id, attempt: 2, awaits: null });
      await driver.settle(claimed as RunRecord);
      await driver.settle(children[0] as RunRecord);
    }
  },

  async "a child that is gone wakes it too"({ driver }) {
    const parent = await driver.start();
    const threadId = freshId("thr");
    const child = await runChild(driver, parent, "a", { threadId });
    await suspend(driver, parent, [child]);
    assert.deepEqual((await driver.due()).wake, []);
    await driver.deleteThread(threadId);
    assert.deepEqual((await driver.due()).wake, [{ runId: parent.id, threadId: null, childDone: child.lineageId }]);
  },

  async "with a time beside its children the first of both wakes it"({ driver, clock }) {
    const parent = await driver.start();
    const child = await runChild(driver, parent, "a");
    const until = clock.now() + 1_000;
    const waiting = await suspend(driver, parent, [child], until);
    assertFields(waiting, { availableAt: until });
    assertFields(await driver.due(), { nextAt: until, claimable: false });
    await clock.advanceTo(until);
    assertFields(await driver.due(), { claimable: true });
    const [awake] = await driver.claim(1);
    assertFields({ ...awake }, { id: parent.id, awaits: null });
    await suspend(driver, awake as RunRecord, [child], clock.now() + 1_000);
    await driver.settle(child);
    assert.equal((await tendFor(driver, waiting, child))?.availableAt, clock.now());
  },

  async "while it waits it is canceled and passes its deadline like any that waits"({ driver, clock }) {
    const runs = [await parentInThread(driver), await driver.start({ deadline: 1_000 })] as const;
    for (const parent of runs) await suspend(driver, parent, [await runChild(driver, parent, "a")]);
    assertFields((await driver.cancel(runs[0])).run, { status: "canceled", awaits: null });
    assertFields(await driver.due(), { nextAt: clock.now() + 1_000 });
    await clock.advance(1_000);
    assertFields({ ...(await driver.tend(runs[1])) }, { status: "failed", awaits: null });
  },

  async "a cancel that was requested before it is suspended takes effect"({ driver }) {
    const parent = await driver.start();
    const child = await runChild(driver, parent, "a");
    await driver.cancel(parent);
    assertFields(await suspend(driver, parent, [child]), { status: "canceled", awaits: null });
  },

  async "unsettled children of a run that failed or was canceled are listed until they are canceled"({ driver }) {
    for (const end of ["fail", "cancel"] as const) {
      const parent = await driver.start();
      await driver.settle(await runChild(driver, parent, "settled"));
      const running = await runChild(driver, parent, "running");
      const { run: pending } = await startChild(driver, parent, "pending", { threadId: freshId("thr") });
      const { run: queued } = await startChild(driver, parent, "queued", {
        threadId: pending.threadId,
        whenBusy: "enqueue",
      });
      assert.deepEqual((await driver.due()).orphans, []);
      if (end === "cancel") await driver.settle((await driver.cancel(parent)).run);
      else await driver.fail(parent);
      const orphans = [running, pending, queued].map(({ id, threadId }) => {
        return { runId: id, threadId, parentRunId: parent.lineageId };
      });
      assert.deepEqual((await driver.due()).orphans, orphans);
      assert.deepEqual((await driver.due({ limit: 2 })).orphans, orphans.slice(0, 2));
      for (const run of [running, queued, pending])
        await driver.cancel(run, { reason: { kind: "parent", by: parent.lineageId } });
      assert.deepEqual((await driver.due()).orphans, []);
      assert.equal((await driver.settle(running)).status, "canceled");
    }
  },

  async "those of a run that succeeded go on, also when its row is deleted"({ driver }) {
    const parent = await driver.start();
    const child = await runChild(driver, parent, "a");
    const settled = await driver.settle(parent);
    assert.deepEqual((await driver.due()).orphans, []);
    await driver.deleteRun(settled);
    assert.deepEqual((await driver.due()).orphans, []);
    await driver.settle(child);
  },

  async "those of a thread that was deleted do not, though another has its id since"({ driver, clock }) {
    const parent = await parentInThread(driver);
    const child = await runChild(driver, parent, "a");
    const threadId = parent.threadId as string;
    const orphans = [{ runId: child.id, threadId: null, parentRunId: parent.lineageId }];
    await clock.advance(1);
    await driver.deleteThread(threadId);
    assert.deepEqual((await driver.due()).orphans, orphans);
    await clock.advance(1);
    await driver.createThread({ id: threadId });
    assert.deepEqual((await driver.due()).orphans, orphans);
    await driver.settle(child);
    assert.deepEqual((await driver.due()).orphans, []);
  },

  async "a child is started by its parent's attempt alone"({ driver }) {
    const child = {
      attempt: { runId: "run_unknown", threadId: null, lineageId: "x", attempt: 1 },
      key: "a",
      family: [],
    };
    await refused(driver.accept({ child }), "LEASE_LOST");
  },
});
