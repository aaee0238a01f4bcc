import assert from "node:assert/strict";
import { freshId } from "../intents.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, typesOf } from "./expect.js";

export const eventCases = inGroup("event", {
  async "numbers are dense from 1, in the order of the commits"({ driver, clock, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    await clock.advance(5);
    const events = ["a", "b", "c"].map((type) => ({ type, payload: JSON.stringify({ type }) }));
    const recorded = await driver.record(run, { events });
    assertFields(recorded, { firstSeq: 1, lastSeq: 4 });
    const log = await driver.threadEvents(run.threadId as string);
    assert.deepEqual(
      log.map(({ seq, type }) => [seq, type]),
      [
        [1, "run_started"],
        [2, "a"],
        [3, "b"],
        [4, "c"],
      ],
    );
    assert.deepEqual(log[1], {
      stream: `t:${run.threadId}`,
      seq: 2,
      runId: run.id,
      attempt: 1,
      rollout: 1,
      type: "a",
      payload: '{"type":"a"}',
      createdAt: clock.now(),
    });
    assert.equal((await storage.threads.get(run.threadId as string))?.lastSeq, 4);
  },

  async "numbers stay dense when many write at once"({ driver }) {
    const runs = await Promise.all([1, 2, 3].map(() => driver.start({ threadId: freshId("thr") })));
    const events = [
      { type: "log", payload: "1" },
      { type: "log", payload: "2" },
    ];
    await Promise.all(runs.flatMap((run) => Array.from({ length: 10 }, () => driver.record(run, { events }))));
    for (const run of runs) {
      const seqs = (await driver.threadEvents(run.threadId as string)).map(({ seq }) => seq);
      assert.deepEqual(
        seqs,
        Array.from({ length: 21 }, (_, index) => index + 1),
      );
    }
  },

  async "a keyed one is stored once per lineage, whatever is retried"({ driver }) {
    const run = await driver.start();
    const keyed = { type: "mail_sent", payload: "1", key: "mail" };
    await driver.record(run, { events: [keyed, keyed, { ...keyed, key: "other" }] });
    await driver.release(run, { events: [keyed] });
    const [again] = await driver.claim();
    assert.ok(again);
    const unchanged = await driver.record(again, { events: [keyed] });
    assert.equal(unchanged.lastSeq, again.lastSeq);
    await driver.settle(again, { events: [keyed, { ...keyed, key: "third" }] });
    const log = await driver.events(`r:${run.id}`);
    assert.equal(log.filter(({ type }) => type === "mail_sent").length, 3);
    assert.deepEqual(
      log.map(({ seq }) => seq),
      log.map((_, index) => index + 1),
    );
  },

  async "a deleted thread's keys are forgotten with it"({ driver }) {
    const threadId = freshId("thr");
    const keyed = { type: "mail_sent", payload: "1", key: "mail" };
    const run = await driver.start({ threadId });
    await driver.record(run, { events: [keyed] });
    await driver.apply<"delete_thread">({ kind: "delete_thread", id: threadId, keepTombstone: 1_000 });
    const next = await driver.start({ threadId });
    assert.equal((await driver.record(next, { events: [keyed] })).lastSeq, next.lastSeq + 1);
  },

  async "are read in pages behind a cursor"({ driver }) {
    const run = await driver.start();
    await driver.record(run, { events: Array.from({ length: 9 }, () => ({ type: "log", payload: "1" })) });
    const stream = `r:${run.id}`;
    const seqs = async (after: number, limit: number) =>
      (await driver.events(stream, { after, limit })).map(({ seq }) => seq);
    assert.deepEqual(await seqs(0, 4), [1, 2, 3, 4]);
    assert.deepEqual(await seqs(4, 4), [5, 6, 7, 8]);
    assert.deepEqual(await seqs(8, 4), [9, 10]);
    assert.deepEqual(await seqs(10, 4), []);
    assert.deepEqual(await seqs(1_000, 4), []);
    assert.deepEqual(await driver.events("r:run_unknown"), []);
  },

  async "of one run are read out of the thread's, with the same numbers"({ driver }) {
    const first = await driver.settle(await driver.start({ threadId: freshId("thr") }));
    const second = await driver.start({ threadId: first.threadId });
    const { run: queued } = await driver.accept({ threadId: first.threadId, whenBusy: "enqueue" });
    await driver.cancel(queued);
    await driver.settle(second);
    const stream = `t:${first.threadId}`;
    const of = async (runId: string, after = 0) =>
      (await driver.events(stream, { runId, after })).map(({ seq }) => seq);
    assert.deepEqual(await of(first.id), [1, 2]);
    assert.deepEqual(await of(second.id), [3, 5]);
    assert.deepEqual(await of(queued.id), [4]);
    assert.deepEqual(await of(second.id, 3), [5]);
    assert.deepEqual(
      (await driver.events(stream, { runId: second.id, limit: 1 })).map(({ seq }) => seq),
      [3],
    );
    assert.deepEqual(await of("run_unknown"), []);
  },

  async "run_succeeded carries the run's output text as it is"({ driver }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const output = '{"b":1.0,"a":10000000000000000001,"a":[ ]}';
    await driver.settle(run, { outcome: { status: "succeeded", output } });
    const log = await driver.threadEvents(run.threadId as string);
    assert.equal(log.at(-1)?.payload, `{"output":${output}}`);
    const [own] = await driver.events(`t:${run.threadId}`, { runId: run.id, after: 1 });
    assert.equal(own?.payload, `{"output":${output}}`);
  },

  async "a thread's log is not a run's, whatever their ids are"({ driver }) {
    const id = freshId("x");
    const run = await driver.start({ id });
    const inThread = await driver.start({ threadId: id });
    await driver.settle(run);
    assert.deepEqual(typesOf(await driver.events(`r:${id}`)), ["run_started", "run_succeeded"]);
    assert.deepEqual(typesOf(await driver.threadEvents(id)), ["run_started"]);
    await driver.deleteThread(id);
    assert.equal((await driver.events(`r:${id}`)).length, 2);
    assert.equal(await driver.storage.runs.get(inThread.id), undefined);
  },
});
