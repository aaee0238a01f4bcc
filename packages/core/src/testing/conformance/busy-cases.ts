import assert from "node:assert/strict";
import type { RunRecord } from "../../model/run.js";
import { acceptRun, freshId, snapshot } from "../intents.js";
import { lease, type StorageDriver } from "../storage-driver.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, json, refused, refusedUnchanged, typesOf } from "./expect.js";

export const busyCases = inGroup("thread: busy strategies", {
  async "interrupt: the active run is told to stop, those that wait are canceled, the new one is next"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const queued = await driver.accept({ threadId, whenBusy: "enqueue" });
    const delayed = await driver.accept({ threadId, whenBusy: "enqueue", delay: 60_000 });
    const { run } = await driver.accept({ threadId, whenBusy: "interrupt" });
    const reason = JSON.stringify({ kind: "superseded", by: run.id });
    assertFields(await driver.run(queued.run), { status: "canceled", cancelReason: reason, queuePosition: null });
    assertFields(await driver.run(active), { status: "running", cancelReason: reason, rolledBack: false });
    assertFields(run, { status: "pending", active: false });
    assertFields(await driver.thread(threadId), { activeRunId: active.id, queueLength: 2 });
    assertFields(await driver.run(delayed.run), { status: "pending", cancelReason: null });
    assertFields(await driver.settle(active), { status: "canceled", cancelReason: reason });
    assertFields(await driver.thread(threadId), { activeRunId: run.id, queueLength: 1, lastOutcome: "canceled" });
  },

  async "interrupt: the active run's checkpoints stay"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const mid = snapshot({ half: true });
    await driver.record(active, { checkpoint: mid });
    const { run } = await driver.accept({ threadId, whenBusy: "interrupt" });
    const settled = await driver.settle(active, { checkpoint: snapshot({ whole: true }) });
    const history = await driver.storage.checkpoints.history(settled.headCheckpointId as string, 10);
    assert.deepEqual(
      history.map(({ kind, id }) => (kind === "mid" ? id : kind)),
      ["final", mid.id],
    );
    assertFields(await driver.run(run), { active: true, baseCheckpointId: settled.headCheckpointId });
  },

  async "interrupt: an active run that waits is settled at once, and the new one is claimed"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    await driver.release(active, { delay: 60_000 });
    const claim = { worker: driver.worker, lease, agents: ["worker"] };
    const accepted = await driver.accept({ threadId, whenBusy: "interrupt", claim, finalCheckpointId: "chk-over" });
    assertFields({ ...accepted.claimed }, { status: "running", active: true, baseCheckpointId: "chk-over" });
    assertFields(await driver.run(active), { status: "canceled", headCheckpointId: "chk-over" });
    assertFields(await driver.thread(threadId), { activeRunId: accepted.run.id, queueLength: 0 });
    assert.deepEqual(typesOf(await driver.threadEvents(threadId)), [
      "run_started",
      "run_retrying",
      "run_canceled",
      "run_started",
    ]);
  },

  async "interrupt: an active run with a settle hook is left to its next attempt"({ driver, clock }) {
    const active = await driver.start({ threadId: freshId("thr"), settleHook: true });
    const threadId = active.threadId as string;
    await driver.release(active, { delay: 60_000 });
    const { run } = await driver.accept({ threadId, whenBusy: "interrupt" });
    assertFields(await driver.run(active), { status: "pending", active: true, availableAt: clock.now() });
    const [claimed] = await driver.claim();
    assert.equal(claimed?.id, active.id);
    await driver.settle(claimed);
    assert.equal((await driver.thread(threadId)).activeRunId, run.id);
  },

  async "interrupt: the last one wins"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const first = await driver.accept({ threadId, whenBusy: "interrupt" });
    const second = await driver.accept({ threadId, whenBusy: "interrupt" });
    assertFields(await driver.run(first.run), {
      status: "canceled",
      cancelReason: JSON.stringify({ kind: "superseded", by: second.run.id }),
    });
    assertFields(json((await driver.settle(active)).cancelReason), { by: first.run.id });
    assertFields(await driver.thread(threadId), { activeRunId: second.run.id, queueLength: 0 });
  },

  async "interrupt: not kept out by a full queue, which it empties"({ driver }) {
    const { threadId } = await busyThread(driver);
    await driver.accept({ threadId, whenBusy: "enqueue", queueBound: 1 });
    await refused(driver.accept({ threadId, whenBusy: "enqueue", queueBound: 1 }), "QUEUE_FULL");
    await driver.accept({ threadId, whenBusy: "interrupt", queueBound: 1 });
    assert.equal((await driver.thread(threadId)).queueLength, 1);
  },

  async "interrupt and rollback: plain starts on an idle thread"({ driver }) {
    for (const whenBusy of ["interrupt", "rollback", "steer"] as const) {
      const run = await driver.start({ threadId: freshId("thr"), whenBusy });
      assertFields(run, { status: "running", active: true, steers: null });
    }
  },

  async "interrupt: the questions of a resumed run that waits are withdrawn with it"({ driver, storage }) {
    const asking = await driver.start({ threadId: freshId("thr") });
    const threadId = asking.threadId as string;
    const questions = ["p", "q"].map((key) => ({ key, payload: "null", schema: null, expiresIn: null }));
    const nextRunId = freshId("run");
    await driver.settle(asking, { outcome: { status: "interrupted", questions, nextRunId } });
    const other = await driver.start({ threadId });
    const { lineageId } = asking;
    const answers = [{ key: "p", schema: null, answer: '"yes"' }];
    await driver.apply<"answer_questions">({ kind: "answer_questions", lineageId, threadId, answers, nextRunId });
    await driver.accept({ threadId, whenBusy: "interrupt" });
    assertFields(await driver.run({ id: nextRunId }), { status: "canceled" });
    const left = await storage.lineages.questions(lineageId);
    assert.deepEqual(
      left.map(({ status }) => status),
      ["answered", "withdrawn"],
    );
    await driver.settle(other);
  },

  async "a refused start changes nothing, whatever its strategy"({ driver }) {
    const { threadId } = await busyThread(driver);
    await driver.accept({ threadId, whenBusy: "enqueue" });
    const idempotency = { key: "k", fingerprint: "f", keep: 1_000 };
    await driver.accept({ threadId, whenBusy: "enqueue", idempotency });
    for (const whenBusy of ["interrupt", "rollback", "steer"] as const) {
      const other = { ...idempotency, fingerprint: "g" };
      const conflict = () => driver.accept({ threadId, whenBusy, idempotency: other });
      await refusedUnchanged(driver, conflict, "IDEMPOTENCY_CONFLICT");
    }
    const full = () => driver.accept({ threadId, whenBusy: "steer", queueBound: 2 });
    await refusedUnchanged(driver, full, "QUEUE_FULL");
  },

  async "an idempotency key that is known interrupts nobody a second time"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const options = {
      threadId,
      whenBusy: "interrupt",
      idempotency: { key: "k", fingerprint: "f", keep: 1_000 },
    } as const;
    const { run } = await driver.accept(options);
    await driver.settle(active);
    assertFields(await driver.accept(options), { outcome: "existing" });
    assertFields(await driver.run(run), { status: "pending", active: true, cancelReason: null });
  },

  async "the thread's own strategy counts where the caller left it open"({ driver }) {
    const { id } = await driver.createThread({ whenBusy: "interrupt" });
    const active = await driver.start({ threadId: id });
    await refused(driver.accept({ threadId: id }), "THREAD_BUSY");
    const { run } = await driver.accept({ threadId: id, threadDecides: true });
    assertFields(json((await driver.run(active)).cancelReason), { kind: "superseded", by: run.id });
    assertFields(await driver.updateThread(id, { whenBusy: null }), { whenBusy: null });
    await refused(driver.accept({ threadId: id, threadDecides: true }), "THREAD_BUSY");
    await driver.updateThread(id, { whenBusy: "enqueue" });
    await driver.accept({ threadId: id, threadDecides: true });
    assertFields(await driver.thread(id), { queueLength: 2, whenBusy: "enqueue" });
    assertFields(await driver.copyThread(id), { whenBusy: "enqueue" });
  },

  async "a thread that is told to interrupt ends those that wait: later, and in the same batch"({ driver, storage }) {
    for (const together of [false, true]) {
      const { active, threadId } = await busyThread(driver);
      const waiting = [];
      for (let n = 0; n < 3; n++) waiting.push((await driver.accept({ threadId, whenBusy: "enqueue" })).run);
      const change = { kind: "update_thread", id: threadId, whenBusy: "interrupt", maxMetadata: 100 } as const;
      const start = acceptRun({ threadId, threadDecides: true });
      if (together) await storage.commit([change, start]);
      else for (const intent of [change, start]) await storage.commit([intent]);
      for (const run of waiting) assertFields(await driver.run(run), { status: "canceled" });
      const superseded = { kind: "superseded", by: start.run.id };
      assert.deepEqual(json((await driver.run(active)).cancelReason), superseded);
      assertFields(await driver.thread(threadId), { queueLength: 1 });
    }
  },

  async "a delayed run applies its strategy when it falls due, not before"({ driver, clock }) {
    const { active, threadId } = await busyThread(driver);
    const delayed = await driver.accept({ threadId, whenBusy: "interrupt", delay: 1_000 });
    const queued = await driver.accept({ threadId, whenBusy: "enqueue" });
    assertFields(await driver.run(active), { cancelRequestedAt: null });
    await clock.advance(1_000);
    await driver.tend(delayed.run);
    const superseded = { kind: "superseded", by: delayed.run.id };
    assert.deepEqual(json((await driver.run(active)).cancelReason), superseded);
    assert.deepEqual(json((await driver.run(queued.run)).cancelReason), superseded);
    await driver.settle(active);
    assertFields(await driver.thread(threadId), { activeRunId: delayed.run.id, queueLength: 0 });
  },

  async "a delayed run that supersedes one that waits takes the thread at once"({ driver, clock }) {
    const { active, threadId } = await busyThread(driver);
    const delayed = await driver.accept({ threadId, whenBusy: "rollback", delay: 1_000 });
    await driver.release(active, { delay: 60_000 });
    await clock.advance(1_000);
    assertFields({ ...(await driver.tend(delayed.run)) }, { active: true });
    assertFields(await driver.run(active), { status: "canceled", rolledBack: true });
    assertFields(await driver.thread(threadId), { activeRunId: delayed.run.id, queueLength: 0 });
  },

  async "a delayed run that would be refused waits for its turn"({ driver, clock }) {
    const { active, threadId } = await busyThread(driver);
    const { run } = await driver.accept({ threadId, whenBusy: "reject", delay: 1_000 });
    await clock.advance(1_000);
    await driver.tend(run);
    await driver.settle(active);
    assert.equal((await driver.thread(threadId)).activeRunId, run.id);
  },
});

export async function busyThread(
  driver: StorageDriver,
): Promise<{ readonly active: RunRecord; readonly threadId: string }> {
  const active = await driver.start({ threadId: freshId("thr") });
  return { active, threadId: active.threadId as string };
}
