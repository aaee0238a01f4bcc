import assert from "node:assert/strict";
import type { IntentResult } from "../../ports/storage.js";
import { acceptRun, freshId, setKey, snapshot } from "../intents.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, json, refused, refusedUnchanged, typesOf } from "./expect.js";

export const threadCases = inGroup("thread", {
  async "is created with its values as first checkpoint"({ driver, clock, storage }) {
    const values = snapshot({ a: 1 });
    const thread = await driver.createThread({ title: "Ä 😀", metadata: '{"user":"u1"}', values });
    assert.deepEqual(await driver.thread(thread.id), thread);
    assertFields(thread, { title: "Ä 😀", metadata: '{"user":"u1"}', archived: false, headCheckpointId: values.id });
    assertFields(thread, {
      activeRunId: null,
      lastOutcome: null,
      lastAgent: null,
      lastSeq: 0,
      rollout: 1,
      queueLength: 0,
    });
    assertFields(thread, { createdAt: clock.now(), updatedAt: clock.now(), originCheckpointId: null });
    const head = { kind: "initial", threadId: thread.id, runId: null, parentId: null, attempt: 0 } as const;
    assertFields({ ...(await storage.checkpoints.get(values.id)) }, head);
  },

  async "is created once: a second time fails or returns what is there"({ driver }) {
    const thread = await driver.createThread({ title: "first" });
    const again = { id: thread.id, title: "second" };
    await refusedUnchanged(driver, () => driver.createThread(again), "THREAD_EXISTS");
    assert.deepEqual(await driver.createThread({ ...again, ifExists: "return" }), thread);
    assert.deepEqual(await driver.thread(thread.id), thread);
  },

  async "created by several at once exists once"({ driver }) {
    const id = freshId("thr");
    const create = (title: string) => driver.createThread({ id, title, ifExists: "return" });
    const threads = await Promise.all(["a", "b", "c", "d"].map(create));
    assert.equal(new Set(threads.map(({ title }) => title)).size, 1);
  },

  async "metadata is merged by top-level key, null removes"({ driver, clock }) {
    const { id } = await driver.createThread({ metadata: '{"a":1,"b":"x","c":true}' });
    await clock.advance(5);
    const updated = await driver.updateThread(id, { metadata: { b: null, c: false, d: "new" } });
    assert.deepEqual(json(updated.metadata), { a: 1, c: false, d: "new" });
    assertFields(updated, { title: null, archived: false, updatedAt: clock.now() });
    assert.deepEqual(await driver.thread(id), updated);
  },

  async "hostile metadata keys are keys like any other"({ driver }) {
    const { id } = await driver.createThread();
    const hostile = { ["__proto__"]: "p", "a.b": 1, 'quote"': "'", "": 0, "$.x": "%_" };
    const updated = await driver.updateThread(id, { metadata: hostile });
    assert.deepEqual(Object.entries(json(updated.metadata)).sort(), Object.entries(hostile).sort());
  },

  async "metadata beyond the limit is refused"({ driver }) {
    const { id } = await driver.createThread({ metadata: '{"a":1}' });
    const update = () => driver.updateThread(id, { title: "no", metadata: { b: "ä".repeat(10) }, maxMetadata: 30 });
    const error = await refusedUnchanged(driver, update, "TOO_LARGE");
    assert.equal(error.details.limit, 30);
  },

  async "title and archived mark change alone, and are told"({ driver }) {
    const { id } = await driver.createThread({ title: "old" });
    const update = { kind: "update_thread", id, maxMetadata: 100 } as const;
    const renamed = await driver.result({ ...update, title: "new" });
    const archived = await driver.result({ ...update, archived: true });
    assertFields(await driver.thread(id), { title: "new", archived: true, metadata: "{}" });
    assert.deepEqual([renamed, archived].map(changesOf), [["renamed"], ["archived"]]);
    assertFields(await driver.updateThread(id, { title: null }), { title: null, archived: true });
  },

  async "what is not there is named"({ driver }) {
    const error = await refused(driver.updateThread("thr_unknown", { title: "x" }), "THREAD_NOT_FOUND");
    assert.equal(error.details.threadId, "thr_unknown");
    await refused(driver.deleteThread("thr_unknown"), "THREAD_NOT_FOUND");
    await refused(driver.copyThread("thr_unknown"), "THREAD_NOT_FOUND");
    assert.equal(await driver.storage.threads.get("thr_unknown"), undefined);
    assert.equal(await driver.storage.threads.isDeleted("thr_unknown"), false);
  },

  async "deleted: rows, runs, events and checkpoints go; waiters are told"({ driver, storage }) {
    const values = snapshot({ a: 1 });
    const { id } = await driver.createThread({ values });
    const settled = await driver.settle(await driver.start({ threadId: id }));
    const active = await driver.start({ threadId: id });
    const { run: queued } = await driver.accept({ threadId: id, whenBusy: "enqueue" });
    const result = await driver.result({ kind: "delete_thread", id, keepTombstone: 1_000 });
    assert.ok(result.ok);
    const told = result.effects.flatMap((effect) => (effect.type === "run" ? [effect.run] : []));
    assert.deepEqual(
      told.map(({ id, status }) => [id, status]),
      [
        [active.id, "canceled"],
        [queued.id, "canceled"],
      ],
    );
    assert.deepEqual(
      result.effects.find(({ type }) => type === "thread_deleted"),
      {
        type: "thread_deleted",
        threadId: id,
        runIds: [active.id, queued.id],
      },
    );
    for (const run of [settled, active, queued]) assert.equal(await storage.runs.get(run.id), undefined);
    assert.equal(await storage.threads.get(id), undefined);
    assert.equal(await storage.threads.isDeleted(id), true);
    assert.deepEqual(await driver.threadEvents(id), []);
    for (const checkpoint of [values.id, settled.headCheckpointId as string]) {
      assert.equal(await storage.checkpoints.get(checkpoint), undefined);
      assert.equal(await storage.checkpoints.chain(checkpoint), undefined);
    }
    assert.deepEqual(await driver.claim(), []);
    assert.deepEqual(await storage.work.heldBy(driver.worker), []);
  },

  async "deleted: an idempotency key of it answers RUN_GONE"({ driver }) {
    const idempotency = { key: "k", fingerprint: "f", keep: 86_400_000 };
    const { run } = await driver.accept({ threadId: freshId("thr"), idempotency });
    await driver.deleteThread(run.threadId as string);
    const again = acceptRun({ threadId: run.threadId, idempotency });
    await refusedUnchanged(driver, () => driver.apply<"accept_run">(again), "RUN_GONE");
    assert.equal(await driver.storage.threads.get(run.threadId as string), undefined);
  },

  async "created again under its id, its numbers go on"({ driver, storage }) {
    const run = await driver.settle(await driver.start({ threadId: freshId("thr") }));
    const threadId = run.threadId as string;
    await driver.deleteThread(threadId);
    const again = await driver.createThread({ id: threadId });
    assertFields(again, { lastSeq: 2, headCheckpointId: null, lastOutcome: null });
    assert.equal(await storage.threads.isDeleted(threadId), false);
    await driver.start({ threadId });
    const events = await driver.threadEvents(threadId);
    assert.deepEqual(
      events.map(({ seq, type }) => [seq, type]),
      [[3, "run_started"]],
    );
    await driver.deleteThread(threadId);
    await driver.start({ threadId });
    assert.deepEqual(
      (await driver.threadEvents(threadId)).map(({ seq }) => seq),
      [4],
    );
  },

  async "a tombstone stays for its time, then a purge forgets it"({ driver, clock, storage }) {
    const { id } = await driver.createThread();
    await driver.deleteThread(id, 1_000);
    await clock.advance(999);
    await driver.due({ purge: true });
    assert.equal(await storage.threads.isDeleted(id), true);
    await clock.advance(1);
    await driver.due({ purge: true });
    assert.equal(await storage.threads.isDeleted(id), false);
  },

  async "a copy goes on from the head and shares the history"({ driver, storage }) {
    const source = await driver.createThread({ title: "source", metadata: '{"a":1}', values: snapshot({ a: 1 }) });
    const first = await driver.settle(await driver.start({ threadId: source.id }), { checkpoint: setKey("b", 2) });
    const copy = await driver.copyThread(source.id);
    assertFields(copy, { title: "source", metadata: '{"a":1}', headCheckpointId: first.headCheckpointId, lastSeq: 0 });
    assertFields(copy, { originCheckpointId: first.headCheckpointId, activeRunId: null, lastOutcome: null });
    const own = await driver.settle(await driver.start({ threadId: copy.id }), { checkpoint: setKey("c", 3) });
    assert.equal((await storage.checkpoints.history(own.headCheckpointId as string, 10)).length, 3);
    assert.equal((await driver.thread(source.id)).headCheckpointId, first.headCheckpointId);
    assert.deepEqual(typesOf(await driver.threadEvents(copy.id)), ["run_started", "values_updated", "run_succeeded"]);
  },

  async "a copy takes another title and metadata where given, and never an id in use"({ driver }) {
    const source = await driver.createThread({ title: "source" });
    assertFields(await driver.copyThread(source.id, { title: null, metadata: '{"b":2}' }), {
      title: null,
      metadata: '{"b":2}',
    });
    await refusedUnchanged(driver, () => driver.copyThread(source.id, { id: source.id }), "THREAD_EXISTS");
  },

  async "a copy of a busy thread starts at its last mid-run checkpoint, idle"({ driver }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const mid = snapshot({ a: 1 });
    await driver.record(run, { checkpoint: mid });
    const copy = await driver.copyThread(run.threadId as string);
    assertFields(copy, { headCheckpointId: mid.id, activeRunId: null, queueLength: 0 });
  },

  async "copies keep their history when the source is deleted, and only theirs is kept"({ driver, storage }) {
    const source = await driver.createThread({ values: snapshot({ a: 1 }) });
    const shared = await driver.settle(await driver.start({ threadId: source.id }), { checkpoint: setKey("b", 2) });
    const copy = await driver.copyThread(source.id);
    const unshared = await driver.settle(await driver.start({ threadId: source.id }), { checkpoint: setKey("c", 3) });
    await driver.deleteThread(source.id);
    assert.equal(await storage.checkpoints.get(unshared.headCheckpointId as string), undefined);
    const chain = await storage.checkpoints.chain(shared.headCheckpointId as string);
    assert.deepEqual(
      chain?.links.map(({ body }) => body),
      ['{"a":1}', '[["=",["b"],2]]'],
    );
    const result = await driver.result({ kind: "delete_thread", id: copy.id, keepTombstone: 0 });
    assert.deepEqual(result.ok && result.effects.at(-1), { type: "collect", threadId: source.id });
    await driver.apply<"collect_checkpoints">({ kind: "collect_checkpoints", threadId: source.id });
    assert.equal(await storage.checkpoints.get(shared.headCheckpointId as string), undefined);
  },

  async "a copy of a copy keeps the history of both"({ driver, storage }) {
    const first = await driver.createThread({ values: snapshot({ a: 1 }) });
    const second = await driver.copyThread(first.id);
    const third = await driver.copyThread(second.id);
    await driver.settle(await driver.start({ threadId: second.id }), { checkpoint: setKey("b", 2) });
    const fourth = await driver.copyThread(second.id);
    await driver.deleteThread(first.id);
    await driver.deleteThread(second.id);
    for (const { id, headCheckpointId } of [third, fourth]) {
      const history = await storage.checkpoints.history(headCheckpointId as string, 10);
      assert.equal(history.at(-1)?.parentId, null, `thread ${id}`);
    }
    assert.equal((await storage.checkpoints.history(fourth.headCheckpointId as string, 10)).length, 2);
  },

  async "a copy under the id of a deleted copy never costs other copies their history"({ driver, storage }) {
    const first = await driver.createThread({ values: snapshot({ a: 1 }) });
    const second = await driver.copyThread(first.id);
    await driver.settle(await driver.start({ threadId: second.id }), { checkpoint: setKey("b", 2) });
    const third = await driver.copyThread(second.id);
    await driver.deleteThread(second.id);
    const other = await driver.createThread({ values: snapshot({ c: 3 }) });
    await refusedUnchanged(driver, () => driver.copyThread(other.id, { id: second.id }), "THREAD_EXISTS");
    await driver.deleteThread(first.id);
    const chain = await storage.checkpoints.chain(third.headCheckpointId as string);
    assert.deepEqual(
      chain?.links.map(({ body }) => body),
      ['{"a":1}', '[["=",["b"],2]]'],
    );
    await driver.deleteThread(third.id);
    await driver.apply<"collect_checkpoints">({ kind: "collect_checkpoints", threadId: second.id });
    assertFields(await driver.copyThread(other.id, { id: second.id }), { id: second.id });
  },

  async "collecting spares a living thread and forgives an unknown one"({ driver, storage }) {
    const values = snapshot({ a: 1 });
    const { id } = await driver.createThread({ values });
    for (const threadId of [id, "thr_unknown"]) {
      await driver.apply<"collect_checkpoints">({ kind: "collect_checkpoints", threadId });
    }
    assert.notEqual(await storage.checkpoints.get(values.id), undefined);
  },

  async "a deleted run leaves its checkpoints, and its events without payload"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    await driver.record(run, { events: [{ type: "log", payload: "1" }] });
    const settled = await driver.settle(run, { checkpoint: snapshot({ a: 1 }) });
    const kept = await driver.settle(await driver.start({ threadId: run.threadId }));
    const before = await driver.threadEvents(run.threadId as string);
    await driver.deleteRun(settled);
    assert.equal(await storage.runs.get(run.id), undefined);
    const expected = before.map((event) => (event.runId === run.id ? { ...event, payload: null } : event));
    assert.deepEqual(await driver.threadEvents(run.threadId as string), expected);
    assert.equal((await storage.checkpoints.history(kept.headCheckpointId as string, 10)).length, 2);
  },

  async "a deleted stateless run takes its log and values along"({ driver, storage }) {
    const checkpoint = snapshot({ a: 1 });
    const run = await driver.settle(await driver.start(), { checkpoint });
    const result = await driver.result({ kind: "delete_run", runId: run.id, threadId: null });
    assert.deepEqual(result, { ok: true, value: undefined, effects: [{ type: "run_deleted", runId: run.id }] });
    assert.equal(await storage.runs.get(run.id), undefined);
    assert.equal(await storage.checkpoints.get(checkpoint.id), undefined);
    assert.deepEqual(await driver.events(`r:${run.id}`), []);
  },

  async "a run is deleted only once it is settled"({ driver }) {
    const active = await driver.start({ threadId: freshId("thr") });
    const { run: queued } = await driver.accept({ threadId: active.threadId, whenBusy: "enqueue" });
    const { run: pending } = await driver.accept();
    for (const run of [active, queued, pending])
      await refusedUnchanged(driver, () => driver.deleteRun(run), "RUN_ACTIVE");
    await refused(driver.deleteRun({ ...pending, id: "run_unknown" }), "RUN_NOT_FOUND");
  },
});

function changesOf(result: IntentResult): readonly unknown[] {
  return result.ok ? result.effects.map((effect) => effect.type === "thread" && effect.change) : [];
}
