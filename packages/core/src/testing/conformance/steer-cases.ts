import assert from "node:assert/strict";
import type { RunRecord } from "../../model/run.js";
import { acceptRun } from "../intents.js";
import { lease, type StorageDriver } from "../storage-driver.js";
import { busyThread } from "./busy-cases.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, idsOf, json, typesOf } from "./expect.js";

export const steerCases = inGroup("run: steering", {
  async "is handed to the live run, which is told, and counts among those that wait"({ driver, storage }) {
    const { active, threadId } = await busyThread(driver);
    const [first, second] = await steer(driver, threadId, 2);
    assertFields(first, { status: "pending", active: false, steers: active.lineageId, takenBy: null });
    assertFields(await driver.run(active), { steered: 2 });
    assertFields(await driver.thread(threadId), { queueLength: 2, activeRunId: active.id });
    const held = await storage.work.heldBy(driver.worker);
    assert.equal(held.find(({ id }) => id === active.id)?.steered, 2);
    const page = { limit: 10, sortBy: "createdAt", order: "asc" } as const;
    const handed = await storage.runs.list({ steers: active.lineageId, status: ["pending"], ...page });
    assert.deepEqual(idsOf(handed).sort(), [first.id, second.id].sort());
    assert.ok((first.queuePosition as number) < (second.queuePosition as number));
    assert.deepEqual(await driver.claim(), []);
  },

  async "tells of the live run as an effect"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const [result] = await driver.storage.commit([steerIntent(threadId)]);
    assert.ok(result?.ok);
    const told = result.effects.find(({ type }) => type === "steered");
    assert.ok(told?.type === "steered");
    assertFields(told.run, { id: active.id, steered: 1, status: "running" });
  },

  async "taken: it settles with the run that took it, in the order in which they came"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const [first, second] = await steer(driver, threadId, 2);
    const settled = await driver.settle(active, { taken: [second.id, first.id] });
    for (const message of [first, second]) {
      assertFields(await driver.run(message), {
        status: "succeeded",
        output: settled.output,
        takenBy: active.id,
        steers: active.lineageId,
        queuePosition: null,
        attempt: 0,
        headCheckpointId: null,
      });
    }
    const events = await driver.threadEvents(threadId);
    assert.deepEqual(
      events.map(({ type, runId }) => [type, runId]),
      [
        ["run_started", active.id],
        ["run_succeeded", active.id],
        ["run_succeeded", first.id],
        ["run_succeeded", second.id],
      ],
    );
    assertFields(await driver.thread(threadId), { activeRunId: null, queueLength: 0, lastOutcome: "succeeded" });
  },

  async "taken by a run that fails: it fails with it, and is no failure of its own"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const [message] = await steer(driver, threadId, 1);
    const error = { code: "AGENT_ERROR", message: "boom" };
    await driver.settle(active, { outcome: { status: "failed", error, counts: "failure" }, taken: [message.id] });
    assertFields(await driver.run(message), {
      status: "failed",
      error: JSON.stringify(error),
      failures: 0,
      takenBy: active.id,
    });
  },

  async "untaken: they are next, in their order, ahead of those that queue"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const { run: queued } = await driver.accept({ threadId, whenBusy: "enqueue" });
    const [taken, second, third] = await steer(driver, threadId, 3);
    await driver.settle(active, { taken: [taken.id] });
    assertFields(await driver.thread(threadId), { activeRunId: second.id, queueLength: 2 });
    for (const next of [second, third, queued]) {
      const [claimed] = await driver.claim();
      assert.equal(claimed?.id, next.id);
      assertFields(claimed, { steers: null, takenBy: null, attempt: 1 });
      await driver.settle(claimed);
    }
    assertFields(await driver.thread(threadId), { activeRunId: null, queueLength: 0 });
  },

  async "untaken by a run that was canceled by its user: runs of their own"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const [message] = await steer(driver, threadId, 1);
    await driver.cancel(active);
    await driver.settle(active);
    assertFields(await driver.run(message), { active: true, steers: null });
  },

  async "a run that is told to stop takes nobody: who steers it then waits for its turn"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    await driver.cancel(active);
    const [message] = await steer(driver, threadId, 1);
    assertFields(message, { steers: null, status: "pending" });
    assert.notEqual(message.queuePosition, null);
  },

  async "of another agent than the live run's: it waits for its turn"({ driver }) {
    const { threadId } = await busyThread(driver);
    const { run } = await driver.accept({ threadId, whenBusy: "steer", agent: "other" });
    assertFields(run, { steers: null });
    assert.notEqual(run.queuePosition, null);
  },

  async "is canceled with those that queue when its run is superseded"({ driver }) {
    for (const whenBusy of ["interrupt", "rollback"] as const) {
      const { active, threadId } = await busyThread(driver);
      const [taken, untaken] = await steer(driver, threadId, 2);
      const { run } = await driver.accept({ threadId, whenBusy });
      await driver.settle(active, { taken: [taken.id] });
      for (const message of [taken, untaken]) {
        const { cancelReason } = await driver.run(message);
        assert.deepEqual(json(cancelReason), { kind: "superseded", by: run.id });
      }
      assertFields(await driver.thread(threadId), { activeRunId: run.id, queueLength: 0 });
      await driver.claim();
    }
  },

  async "goes with a run that is rolled back"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const [taken, untaken] = await steer(driver, threadId, 2);
    await driver.cancel(active, { reason: { kind: "rolled_back" } });
    await driver.settle(active, { taken: [taken.id] });
    assertFields(await driver.run(taken), { status: "canceled", rolledBack: true, takenBy: active.id });
    assertFields(await driver.run(untaken), { status: "canceled", rolledBack: false, takenBy: null });
    assert.deepEqual(json((await driver.run(untaken)).cancelReason), { kind: "superseded" });
    assertFields(await driver.thread(threadId), { activeRunId: null, queueLength: 0 });
  },

  async "waits on while its run is tried again or changes workers"({ driver, clock }) {
    const { active, threadId } = await busyThread(driver);
    const [message] = await steer(driver, threadId, 1);
    await driver.release(active);
    const [again] = await driver.claim();
    assertFields({ ...again }, { id: active.id, steered: 1 });
    await clock.advance(lease);
    await driver.tend(active);
    const [third] = await driver.claim();
    assert.ok(third);
    const [late] = await steer(driver, threadId, 1);
    assertFields(await driver.run(message), { steers: active.lineageId, status: "pending" });
    await driver.settle(third, { taken: [message.id, late.id] });
    for (const one of [message, late]) assertFields(await driver.run(one), { takenBy: active.id });
  },

  async "may be handed to a run that waits for its next attempt"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    await driver.release(active, { delay: 60_000 });
    const [message] = await steer(driver, threadId, 1);
    assertFields(message, { steers: active.lineageId });
  },

  async "can be canceled by itself; the run that took it does not bring it back"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const [message] = await steer(driver, threadId, 1);
    assertFields(await driver.cancel(message), { outcome: "settled" });
    assertFields(await driver.thread(threadId), { queueLength: 0 });
    await driver.settle(active, { taken: [message.id] });
    assertFields(await driver.run(message), { status: "canceled", takenBy: null });
  },

  async "a run takes only what was handed to it"({ driver }) {
    const { active, threadId } = await busyThread(driver);
    const { run: queued } = await driver.accept({ threadId, whenBusy: "enqueue" });
    await steer(driver, threadId, 1);
    const stateless = await driver.accept({ agent: "other" });
    await driver.settle(active, { taken: [queued.id, stateless.run.id, "run_unknown"] });
    assertFields(await driver.run(queued), { status: "pending", takenBy: null });
    assertFields(await driver.run(stateless.run), { status: "pending" });
  },

  async "a deadline that passes while it waits fails it"({ driver, clock }) {
    const { threadId } = await busyThread(driver);
    const { run } = await driver.accept({ threadId, whenBusy: "steer", deadline: 1_000 });
    await clock.advance(1_000);
    assertFields({ ...(await driver.tend(run)) }, { status: "failed", queuePosition: null });
    assert.equal((await driver.thread(threadId)).queueLength, 0);
  },

  async "goes with its thread"({ driver }) {
    const { threadId } = await busyThread(driver);
    const [message] = await steer(driver, threadId, 1);
    await driver.deleteThread(threadId);
    assert.equal(await driver.storage.runs.get(message.id), undefined);
  },

  async "delayed: it is handed over when it falls due"({ driver, clock }) {
    const { active, threadId } = await busyThread(driver);
    const { run } = await driver.accept({ threadId, whenBusy: "steer", delay: 1_000 });
    assertFields(run, { steers: null, queuePosition: null });
    await clock.advance(1_000);
    assertFields({ ...(await driver.tend(run)) }, { steers: active.lineageId });
    assertFields(await driver.run(active), { steered: 1 });
    await driver.settle(active, { taken: [run.id] });
    assertFields(await driver.run(run), { status: "succeeded" });
    assert.deepEqual(typesOf(await driver.threadEvents(threadId)).slice(1), ["run_succeeded", "run_succeeded"]);
  },
});

function steerIntent(threadId: string) {
  return acceptRun({ threadId, whenBusy: "steer" });
}

type Steered = readonly [RunRecord, RunRecord, RunRecord];

async function steer(driver: StorageDriver, threadId: string, count: 1 | 2 | 3): Promise<Steered> {
  const runs: RunRecord[] = [];
  for (let index = 0; index < count; index++) {
    runs.push((await driver.apply<"accept_run">(steerIntent(threadId))).run);
  }
  return runs as unknown as Steered;
}
