import assert from "node:assert/strict";
import { freshId, setKey, settleRun, snapshot } from "../intents.js";
import { busyThread } from "./busy-cases.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, idsOf, json, typesOf } from "./expect.js";

const reason = { kind: "rolled_back" } as const;

export const rollbackCases = inGroup("run: rollback", {
  async "the head is the checkpoint from before the run, the very same"({ driver, storage }) {
    const first = await driver.start({ threadId: freshId("thr") });
    const threadId = first.threadId as string;
    const kept = await driver.settle(first, { checkpoint: snapshot({ text: "ä\u0000\ud800" }) });
    const before = await storage.checkpoints.chain(kept.headCheckpointId as string);
    const run = await driver.start({ threadId });
    await driver.record(run, { checkpoint: setKey("text", "gone") });
    await driver.cancel(run, { reason });
    const settled = await driver.settle(run, { checkpoint: setKey("more", 1), finalCheckpointId: "chk-never" });
    assertFields(settled, { status: "canceled", rolledBack: true, headCheckpointId: kept.headCheckpointId });
    const thread = await driver.thread(threadId);
    assertFields(thread, { headCheckpointId: kept.headCheckpointId, lastOutcome: "succeeded", activeRunId: null });
    assert.deepEqual(await storage.checkpoints.chain(thread.headCheckpointId as string), before);
    assert.equal(await storage.checkpoints.get("chk-never"), undefined);
  },

  async "of the first run leaves the thread as empty as it was"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    await driver.record(active, { checkpoint: snapshot({ a: 1 }) });
    await driver.cancel(active, { reason });
    await driver.settle(active);
    assertFields(await driver.thread(threadId), { headCheckpointId: null, lastOutcome: null, activeRunId: null });
  },

  async "events keep their numbers, and the terminal one says from where on they are void"({ driver }) {
    const first = await driver.settle(await driver.start({ threadId: freshId("thr") }));
    const threadId = first.threadId as string;
    const run = await driver.start({ threadId });
    await driver.record(run, { events: [{ type: "log", payload: "1" }], checkpoint: snapshot({ a: 1 }) });
    await driver.cancel(run, { reason });
    await driver.settle(run);
    const events = await driver.threadEvents(threadId);
    assert.deepEqual(typesOf(events).slice(2), ["run_started", "log", "values_updated", "run_canceled"]);
    assert.deepEqual(json(events.at(-1)?.payload ?? null), { reason, rolledBack: { fromSeq: 3 } });
  },

  async "what the run remembered is forgotten, what others of its lineage remembered is not"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const memo = { kind: "step", key: "k", body: '"gone"' } as const;
    await driver.record(run, { memos: [memo], events: [{ type: "log", payload: "1", key: "once" }] });
    await driver.cancel(run, { reason });
    await driver.settle(run);
    assert.deepEqual(await storage.lineages.memos(run.lineageId, 10), []);
  },

  async "a rollback asked for later than a cancel still counts; a cancel after it does not"({ driver, clock }) {
    const { active } = await busyThread(driver);
    const { run: requested } = await driver.cancel(active);
    await clock.advance(10);
    const amended = await driver.cancel(active, { reason, grace: 60_000 });
    assertFields(amended, { outcome: "requested" });
    assertFields(amended.run, { graceUntil: requested.graceUntil, cancelRequestedAt: requested.cancelRequestedAt });
    await driver.cancel(active, { reason: { kind: "user" } });
    assertFields(await driver.settle(active), { rolledBack: true, cancelReason: JSON.stringify(reason) });
  },

  async "anyone rolls back a run whose grace is over or whose worker is gone"({ driver, clock }) {
    for (const [grace, time] of [
      [100, 100],
      [100_000, 15_000],
    ] as const) {
      const { active, threadId } = await busyThread(driver);
      await driver.record(active, { checkpoint: snapshot({ a: 1 }) });
      await driver.cancel(active, { reason, grace });
      await clock.advance(time);
      assertFields(
        { ...(await driver.tend(active)) },
        { status: "canceled", rolledBack: true, headCheckpointId: null },
      );
      assertFields(await driver.thread(threadId), { headCheckpointId: null });
    }
  },

  async "of a run that waits settles it at once"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const { run: queued } = await driver.accept({ threadId, whenBusy: "enqueue" });
    assertFields(await driver.cancel(queued, { reason }), { outcome: "settled" });
    assertFields(await driver.run(queued), { status: "canceled", rolledBack: true });
    const events = await driver.threadEvents(threadId);
    assert.deepEqual(json(events.at(-1)?.payload ?? null), { reason, rolledBack: { fromSeq: 2 } });
    await driver.release(active, { delay: 60_000 });
    assertFields(await driver.cancel(active, { reason }), { outcome: "settled" });
    assertFields(await driver.thread(threadId), { activeRunId: null, headCheckpointId: null });
  },

  async "of a stateless run: its values are those from before it"({ driver }) {
    const run = await driver.start();
    await driver.record(run, { checkpoint: snapshot({ a: 1 }) });
    await driver.cancel(run, { reason });
    assertFields(await driver.settle(run), { rolledBack: true, headCheckpointId: null });
  },

  async "the queue goes on after a rollback that was asked for"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const { run: queued } = await driver.accept({ threadId, whenBusy: "enqueue" });
    await driver.cancel(active, { reason });
    await driver.settle(active);
    assertFields(await driver.thread(threadId), { activeRunId: queued.id });
  },

  async "strategy rollback: the new run starts from before the old one"({ driver }) {
    const first = await driver.settle(await driver.start({ threadId: freshId("thr") }), {
      checkpoint: snapshot({ a: 1 }),
    });
    const threadId = first.threadId as string;
    const active = await driver.start({ threadId });
    await driver.record(active, { checkpoint: setKey("a", 2) });
    const { run } = await driver.accept({ threadId, whenBusy: "rollback" });
    const by = { kind: "rolled_back", by: run.id };
    const settled = await driver.settle(active);
    assert.deepEqual(json(settled.cancelReason), by);
    assertFields(await driver.run(run), { active: true, baseCheckpointId: first.headCheckpointId });
  },

  async "lists tell rolled-back runs from others"({ driver, storage }) {
    const { active, threadId } = await busyThread(driver);
    await driver.cancel(active, { reason });
    await driver.settle(active);
    const kept = await driver.settle(await driver.start({ threadId }));
    const page = { limit: 10, sortBy: "createdAt", order: "asc" } as const;
    const list = (rolledBack: boolean) => storage.runs.list({ threadId, rolledBack, ...page });
    assert.deepEqual(idsOf(await list(true)), [active.id]);
    assert.deepEqual(idsOf(await list(false)), [kept.id]);
    assert.equal(await storage.runs.count({ threadId, rolledBack: true }), 1);
  },

  async "its checkpoints go, but for those that a copy goes on from, with their ancestors"({ driver, storage }) {
    const { active, threadId } = await busyThread(driver);
    const mids = [snapshot({ n: 0 }), setKey("n", 1), setKey("n", 2), setKey("n", 3)];
    for (const checkpoint of mids.slice(0, 2)) await driver.record(active, { checkpoint });
    const copy = await driver.copyThread(threadId);
    for (const checkpoint of mids.slice(2)) await driver.record(active, { checkpoint });
    await driver.cancel(active, { reason });
    const result = await driver.result(settleRun(active));
    assert.ok(result.ok);
    const told = result.effects.filter(({ type }) => type === "rolled_back");
    assert.deepEqual(
      told.map((effect) => (effect.type === "rolled_back" ? effect.checkpointId : "")),
      [mids[3]?.id],
    );
    const rolledBack = mids.map(({ id }) => id).reverse();
    await driver.apply<"collect_checkpoints">({ kind: "collect_checkpoints", threadId, rolledBack });
    const left = await Promise.all(mids.map(({ id }) => storage.checkpoints.get(id)));
    assert.deepEqual(
      left.map((checkpoint) => checkpoint !== undefined),
      [true, true, false, false],
    );
    const chain = await storage.checkpoints.chain(copy.headCheckpointId as string);
    assert.equal(chain?.links.length, 2);
  },
});
