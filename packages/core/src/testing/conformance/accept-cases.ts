import assert from "node:assert/strict";
import { acceptRun, freshId, snapshot } from "../intents.js";
import { lease } from "../storage-driver.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, refused, refusedUnchanged } from "./expect.js";

const keep = 86_400_000;

export const acceptCases = inGroup("run: accept", {
  async "a stateless run is stored as it was given, pending and claimable"({ driver, clock, storage }) {
    const intent = acceptRun({ config: '{"a":1}', metadata: '{"user":"u1"}', priority: 7 });
    const result = await driver.result(intent);
    assert.ok(result.ok);
    const run = await driver.run(intent.run);
    assert.deepEqual(result.value, { run, outcome: "accepted" });
    const { delay, deadline, ...given } = intent.run;
    assertFields(run, { ...given, status: "pending", active: true, attempt: 0, queuePosition: null });
    assertFields(run, { createdAt: clock.now(), availableAt: clock.now(), settledAt: null, output: null, error: null });
    assert.deepEqual(result.effects, [{ type: "run", run }, { type: "claimable" }]);
    assert.equal(await storage.runs.get(freshId("run")), undefined);
  },

  async "a run on an idle thread takes the thread and starts from its head"({ driver }) {
    const values = snapshot({ a: 1 });
    const thread = await driver.createThread({ values });
    const { run } = await driver.accept({ threadId: thread.id });
    assertFields(run, { active: true, queuePosition: null, baseCheckpointId: values.id, headCheckpointId: values.id });
    assertFields(await driver.thread(thread.id), { activeRunId: run.id, lastAgent: "worker", queueLength: 0 });
  },

  async "a missing thread is created only when asked for"({ driver }) {
    const threadId = freshId("thr");
    await refusedUnchanged(driver, () => driver.accept({ threadId, createThread: false }), "THREAD_NOT_FOUND");
    const { run } = await driver.accept({ threadId, createThread: true });
    assertFields(await driver.thread(threadId), { activeRunId: run.id, title: null, metadata: "{}" });
  },

  async "a busy thread rejects, names the active run and its lease, and nothing changes"({ driver, clock }) {
    const active = await driver.start({ threadId: freshId("thr") });
    const { threadId } = active;
    const error = await refusedUnchanged(driver, () => driver.accept({ threadId }), "THREAD_BUSY");
    assert.equal(error.details.activeRunId, active.id);
    assert.deepEqual(error.details.leaseUntil, new Date(clock.now() + lease));
  },

  async "a busy thread enqueues in order of arrival"({ driver }) {
    const active = await driver.start({ threadId: freshId("thr") });
    const { threadId } = active;
    const first = await driver.accept({ threadId, whenBusy: "enqueue", priority: 1 });
    const second = await driver.accept({ threadId, whenBusy: "enqueue", priority: 2 });
    assertFields(first.run, { active: false, status: "pending", baseCheckpointId: null });
    assert.ok((first.run.queuePosition as number) < (second.run.queuePosition as number));
    assertFields(await driver.thread(threadId as string), { activeRunId: active.id, queueLength: 2 });
    assert.deepEqual(await driver.claim(), []);
  },

  async "the queue is bounded, delayed runs included"({ driver }) {
    const { threadId } = await driver.start({ threadId: freshId("thr") });
    const options = { threadId, whenBusy: "enqueue", queueBound: 2 } as const;
    await driver.accept(options);
    await driver.accept({ ...options, delay: 1_000 });
    const error = await refusedUnchanged(driver, () => driver.accept(options), "QUEUE_FULL");
    assertFields(error.details, { limit: 2, queueLength: 2 });
    await refusedUnchanged(driver, () => driver.accept({ ...options, delay: 1_000 }), "QUEUE_FULL");
  },

  async "a delayed run holds nothing before it is due"({ driver }) {
    const thread = await driver.createThread();
    const delayed = await driver.accept({ threadId: thread.id, delay: 1_000 });
    assertFields(delayed.run, { active: false, queuePosition: null });
    assertFields(await driver.thread(thread.id), { activeRunId: null, queueLength: 1 });
    const { run } = await driver.accept({ threadId: thread.id });
    assert.equal(run.active, true);
  },

  async "a delayed stateless run is claimable once it is due, not before"({ driver, clock }) {
    const { run } = await driver.accept({ delay: 1_000, claim: { worker: driver.worker, lease, agents: ["worker"] } });
    assertFields(run, { status: "pending", active: true, availableAt: clock.now() + 1_000 });
    await clock.advance(999);
    assert.deepEqual(await driver.claim(), []);
    await clock.advance(1);
    assert.equal((await driver.claim())[0]?.id, run.id);
  },

  async "a repeated idempotency key answers with the run as it is now"({ driver }) {
    const idempotency = { key: "k", fingerprint: "f", keep };
    const run = await driver.start({ idempotency });
    const settled = await driver.settle(run);
    const repeat = acceptRun({ idempotency });
    const result = await driver.result(repeat);
    assert.deepEqual(result, { ok: true, value: { run: settled, outcome: "existing" }, effects: [] });
    assert.equal(await driver.storage.runs.get(repeat.run.id), undefined);
  },

  async "an idempotency key is checked before the thread is"({ driver }) {
    const idempotency = { key: "k", fingerprint: "f", keep };
    const active = await driver.start({ threadId: freshId("thr"), idempotency });
    const repeat = await driver.accept({ threadId: active.threadId, idempotency });
    assert.deepEqual(repeat, { run: active, outcome: "existing" });
  },

  async "a key that is used with another fingerprint is a conflict"({ driver }) {
    await driver.accept({ idempotency: { key: "k", fingerprint: "f", keep } });
    const other = { key: "k", fingerprint: "g", keep };
    await refusedUnchanged(driver, () => driver.accept({ idempotency: other }), "IDEMPOTENCY_CONFLICT");
  },

  async "keys belong to one agent and one thread"({ driver }) {
    const idempotency = { key: "k", fingerprint: "f", keep };
    const places = [
      {},
      { agent: "other" },
      { threadId: freshId("thr") },
      { threadId: freshId("thr") },
      { threadId: "s" },
    ];
    const accepted = await Promise.all(places.map((place) => driver.accept({ ...place, idempotency })));
    assert.deepEqual(
      accepted.map(({ outcome }) => outcome),
      places.map(() => "accepted"),
    );
  },

  async "the key of a deleted run answers RUN_GONE while it is kept, then starts anew"({ driver, clock }) {
    const idempotency = { key: "k", fingerprint: "f", keep: 1_000 };
    const run = await driver.settle(await driver.start({ idempotency }));
    await driver.deleteRun(run);
    const error = await refusedUnchanged(driver, () => driver.accept({ idempotency }), "RUN_GONE");
    assert.equal(error.details.runId, run.id);
    await clock.advance(999);
    await refused(driver.accept({ idempotency }), "RUN_GONE");
    await clock.advance(1);
    await driver.due({ purge: true });
    assert.equal((await driver.accept({ idempotency })).outcome, "accepted");
  },

  async "an expired key of a deleted run starts anew without a purge too"({ driver, clock }) {
    const idempotency = { key: "k", fingerprint: "f", keep: 1_000 };
    await driver.deleteRun(await driver.settle(await driver.start({ idempotency })));
    await clock.advance(1_000);
    const again = await driver.accept({ idempotency: { ...idempotency, fingerprint: "g" } });
    assert.equal(again.outcome, "accepted");
    const repeat = await driver.accept({ idempotency: { ...idempotency, fingerprint: "g" } });
    assert.deepEqual(repeat, { run: again.run, outcome: "existing" });
  },

  async "a key lives as long as its run, however long that is"({ driver, clock }) {
    const idempotency = { key: "k", fingerprint: "f", keep: 1_000 };
    const { run } = await driver.accept({ idempotency });
    await clock.advance(10_000);
    await driver.due({ purge: true });
    assert.deepEqual(await driver.accept({ idempotency }), { run, outcome: "existing" });
  },

  async "in one batch the first takes the thread, the second is refused alone, the third queues"({ driver, storage }) {
    const threadId = freshId("thr");
    const results = await storage.commit([
      acceptRun({ threadId }),
      acceptRun({ threadId }),
      acceptRun({ threadId, whenBusy: "enqueue" }),
    ]);
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [true, false, true],
    );
    assertFields(await driver.thread(threadId), { queueLength: 1 });
  },

  async "in one batch a repeated key answers with the run accepted before it"({ storage }) {
    const idempotency = { key: "k", fingerprint: "f", keep };
    const first = acceptRun({ idempotency });
    const [, second] = await storage.commit([first, acceptRun({ idempotency })]);
    assert.ok(second?.ok);
    const { run, outcome } = second.value as { run: { id: string }; outcome: string };
    assert.deepEqual([run.id, outcome], [first.run.id, "existing"]);
  },
});
