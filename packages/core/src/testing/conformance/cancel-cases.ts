import assert from "node:assert/strict";
import { freshId, snapshot, testPolicy } from "../intents.js";
import { lease } from "../storage-driver.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, json, refused, typesOf } from "./expect.js";

export const cancelCases = inGroup("run: cancel", {
  async "a pending stateless run settles at once"({ driver, clock }) {
    const { run } = await driver.accept();
    const { run: canceled, outcome } = await driver.cancel(run, { reason: { kind: "user", note: "no" } });
    assert.equal(outcome, "settled");
    assertFields(canceled, { status: "canceled", settledAt: clock.now(), attempt: 0, active: false });
    assert.deepEqual(json(canceled.cancelReason), { kind: "user", note: "no" });
    const events = await driver.events(`r:${run.id}`);
    assert.deepEqual(typesOf(events), ["run_canceled"]);
    assert.deepEqual(json(events[0]?.payload ?? null), { reason: { kind: "user", note: "no" } });
    assert.deepEqual(await driver.claim(), []);
  },

  async "a pending run that is active settles in full and hands the thread on"({ driver, storage }) {
    const { run } = await driver.accept({ threadId: freshId("thr") });
    const next = await driver.accept({ threadId: run.threadId, whenBusy: "enqueue" });
    const { run: canceled } = await driver.cancel(run, { finalCheckpointId: "chk-canceled" });
    assert.equal(canceled.headCheckpointId, "chk-canceled");
    assertFields({ ...(await storage.checkpoints.get("chk-canceled")) }, { kind: "final", encoding: "same" });
    assertFields(await driver.thread(run.threadId as string), { activeRunId: next.run.id, lastOutcome: "canceled" });
  },

  async "a queued or delayed run gets its outcome and event, and nothing else changes"({ driver, storage }) {
    const active = await driver.start({ threadId: freshId("thr") });
    const { threadId } = active;
    const queued = await driver.accept({ threadId, whenBusy: "enqueue" });
    const delayed = await driver.accept({ threadId, delay: 1_000 });
    const before = await driver.thread(threadId as string);
    for (const { run } of [queued, delayed]) {
      const { run: canceled, outcome } = await driver.cancel(run, { finalCheckpointId: "chk-never" });
      assert.equal(outcome, "settled");
      assertFields(canceled, { status: "canceled", headCheckpointId: null, queuePosition: null });
    }
    assert.equal(await storage.checkpoints.get("chk-never"), undefined);
    const after = await driver.thread(threadId as string);
    assertFields(after, { activeRunId: active.id, lastOutcome: null, headCheckpointId: before.headCheckpointId });
    assert.equal(after.queueLength, 0);
    assert.deepEqual(typesOf(await driver.threadEvents(after.id)), ["run_started", "run_canceled", "run_canceled"]);
  },

  async "the queue closes up behind a canceled run"({ driver }) {
    const active = await driver.start({ threadId: freshId("thr") });
    const { threadId } = active;
    const first = await driver.accept({ threadId, whenBusy: "enqueue" });
    const second = await driver.accept({ threadId, whenBusy: "enqueue" });
    await driver.cancel(first.run);
    await driver.settle(active);
    assert.equal((await driver.thread(threadId as string)).activeRunId, second.run.id);
  },

  async "a running run is told, with a grace period; the first request counts"({ driver, clock }) {
    const run = await driver.start({ policy: { cancelGrace: 700 } });
    const { run: requested, outcome } = await driver.cancel(run);
    assert.equal(outcome, "requested");
    assert.deepEqual(requested, {
      ...run,
      cancelRequestedAt: clock.now(),
      graceUntil: clock.now() + 700,
      cancelReason: '{"kind":"user"}',
    });
    await clock.advance(10);
    const again = await driver.cancel(run, { reason: { kind: "parent" }, grace: 60_000 });
    assert.deepEqual(again, { run: requested, outcome: "requested" });
    assert.deepEqual(await driver.run(run), requested);
  },

  async "an accepted cancel beats success"({ driver }) {
    const run = await driver.start({ threadId: freshId("thr") });
    await driver.cancel(run);
    const settled = await driver.settle(run, {
      checkpoint: snapshot({ a: 1 }),
      events: [{ type: "log", payload: "1" }],
    });
    assertFields(settled, { status: "canceled", output: null, cancelReason: '{"kind":"user"}' });
    assert.deepEqual(typesOf(await driver.threadEvents(run.threadId as string)), [
      "run_started",
      "log",
      "run_canceled",
    ]);
  },

  async "an accepted cancel beats failure and release"({ driver }) {
    const failing = await driver.start();
    await driver.cancel(failing);
    assertFields(await driver.fail(failing), { status: "canceled", error: null, failures: 0 });
    const released = await driver.start();
    await driver.cancel(released);
    assertFields(await driver.release(released, { why: "shutdown" }), { status: "canceled" });
  },

  async "a run with a settle hook is left to its next attempt"({ driver, clock }) {
    const run = await driver.start({ threadId: freshId("thr"), settleHook: true, deadline: 30_000 });
    await driver.release(run, { delay: 60_000 });
    const canceled = await driver.cancel(run);
    assert.equal(canceled.outcome, "requested");
    assertFields(canceled.run, { status: "pending", availableAt: clock.now(), active: true });
    await clock.advance(40_000);
    assert.equal(await driver.tend(run), undefined);
    assert.deepEqual((await driver.due()).tend, []);
    const [claimed] = await driver.claim();
    assert.ok(claimed);
    assertFields(claimed, { id: run.id, status: "running", attempt: 2 });
    assert.equal(await driver.tend(claimed), undefined);
    assertFields(await driver.settle(claimed), { status: "canceled" });
  },

  async "a run with a settle hook that lost its worker goes on, whatever its limits say"({ driver, clock }) {
    const retry = { ...testPolicy.retry, maxCrashes: 1 };
    const run = await driver.start({ settleHook: true, policy: { retry } });
    await clock.advance(lease);
    assertFields({ ...(await driver.tend(run)) }, { status: "pending", crashes: 1 });
  },

  async "a run with a settle hook that waits for its turn settles at once"({ driver }) {
    const threadId = freshId("thr");
    await driver.start({ threadId });
    const { run } = await driver.accept({ threadId, settleHook: true, whenBusy: "enqueue" });
    assert.equal((await driver.cancel(run)).outcome, "settled");
  },

  async "once its grace is over, anyone settles the run"({ driver, clock }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const mid = snapshot({ a: 1 });
    await driver.record(run, { checkpoint: mid });
    const { run: requested } = await driver.cancel(run, { grace: 100 });
    await clock.advance(99);
    assert.equal(await driver.tend(run), undefined);
    assert.deepEqual(await driver.run(run), { ...requested, headCheckpointId: mid.id, lastSeq: 2 });
    await clock.advance(1);
    assertFields(
      { ...(await driver.tend(run)) },
      { status: "canceled", settledAt: clock.now(), graceUntil: clock.now() },
    );
    assertFields(await driver.thread(run.threadId as string), { activeRunId: null, lastOutcome: "canceled" });
  },

  async "a lost lease settles a run whose cancel was requested"({ driver, clock }) {
    const run = await driver.start();
    await driver.cancel(run, { grace: 10 * lease });
    await clock.advance(lease);
    assertFields({ ...(await driver.tend(run)) }, { status: "canceled", crashes: 0 });
  },

  async "a settled run is not canceled any more"({ driver }) {
    const settled = await driver.settle(await driver.start());
    assert.deepEqual(await driver.cancel(settled), { run: settled, outcome: "late" });
    assert.deepEqual(await driver.run(settled), settled);
  },

  async "an unknown run is named"({ driver }) {
    const error = await refused(driver.cancel({ id: "run_unknown", threadId: null }), "RUN_NOT_FOUND");
    assert.equal(error.details.runId, "run_unknown");
  },
});
