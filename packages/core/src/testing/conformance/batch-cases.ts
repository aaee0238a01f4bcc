import assert from "node:assert/strict";
import { HeddleError } from "../../errors.js";
import type { Intent } from "../../model/intents/intent.js";
import type { RunRecord } from "../../model/run.js";
import { acceptRun, cancelRun, freshId, releaseRun, setKey, settleRun, snapshot } from "../intents.js";
import { lease } from "../storage-driver.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, idsOf } from "./expect.js";

export const batchCases = inGroup("batch", {
  async "an empty one answers nothing"({ storage }) {
    assert.deepEqual(await storage.commit([]), []);
  },

  async "answers come in the order of the intents, each with its own effects"({ driver, storage }) {
    const run = await driver.start();
    const intents: Intent[] = [
      acceptRun(),
      { kind: "create_thread", id: freshId("thr"), title: null, metadata: "{}", ifExists: "fail" },
      settleRun(run),
      acceptRun({ threadId: "thr_unknown", createThread: false }),
      acceptRun(),
    ];
    const results = await storage.commit(intents);
    const shapes = results.map((result) => (result.ok ? result.effects.map(({ type }) => type) : result.error.code));
    assert.deepEqual(shapes, [["run", "claimable"], [], ["event", "run"], "THREAD_NOT_FOUND", ["run", "claimable"]]);
  },

  async "later intents see what earlier ones did"({ storage }) {
    const accept = acceptRun({ threadId: freshId("thr") });
    const results = await storage.commit([
      accept,
      {
        kind: "cancel_run",
        runId: accept.run.id,
        threadId: accept.run.threadId,
        reason: { kind: "user" },
        finalCheckpointId: freshId("chk"),
      },
      { kind: "delete_run", runId: accept.run.id, threadId: accept.run.threadId },
      { kind: "delete_thread", id: accept.run.threadId as string, keepTombstone: 1_000 },
      acceptRun({ threadId: accept.run.threadId }),
    ]);
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [true, true, true, true, true],
    );
    const thread = await storage.threads.get(accept.run.threadId as string);
    assert.equal(thread?.lastSeq, 1);
  },

  async "a poisonous intent fails alone, before and behind others"({ driver, storage }) {
    const taken = await driver.start({ threadId: freshId("thr") });
    const checkpoint = snapshot({ a: 1 });
    await driver.record(taken, { checkpoint });
    const [before, behind] = [acceptRun(), acceptRun({ threadId: freshId("thr") })];
    const poison: Intent[] = [
      acceptRun({ id: taken.id, threadId: freshId("thr") }),
      settleRun(taken, { checkpoint: { ...setKey("b", 2), id: checkpoint.id } }),
    ];
    const results = await storage.commit([before, ...poison, behind]);
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [true, false, false, true],
    );
    for (const result of results)
      if (!result.ok) assert.ok(HeddleError.is(result.error, "STORAGE_ERROR"), result.error.message);
    assertFields(await driver.run(taken), {
      status: "running",
      threadId: taken.threadId,
      headCheckpointId: checkpoint.id,
    });
    assertFields(await driver.run(before.run), { status: "pending" });
    assertFields(await driver.run(behind.run), { status: "pending" });
    assert.equal((await driver.settle(taken)).status, "succeeded");
  },

  async "two of a batch that want one id: the first gets it"({ driver, storage }) {
    const [first, second] = [acceptRun({ priority: 1 }), acceptRun({ priority: 2 })];
    const results = await storage.commit([first, { ...second, run: { ...second.run, id: first.run.id } }]);
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [true, false],
    );
    assertFields(await driver.run(first.run), { priority: 1 });
  },

  async "two claims share what there is, and neither takes what was just put off"({ driver, storage }) {
    const accepted = await storage.commit(Array.from({ length: 4 }, () => acceptRun()));
    assert.equal(accepted.length, 4);
    const [running] = await driver.claim(1);
    assert.ok(running !== undefined);
    const claim = { kind: "claim_runs", worker: driver.worker, lease, agents: ["worker"], limit: 2 } as const;
    const results = await storage.commit([releaseRun(running, { delay: 1_000 }), claim, claim]);
    const claimed = results.slice(1).map((result) => (result.ok ? idsOf(result.value as readonly RunRecord[]) : []));
    assert.deepEqual(
      claimed.map(({ length }) => length),
      [2, 1],
    );
    assert.equal(new Set([...claimed.flat(), running.id]).size, 4);
  },

  async "a thread that changes hands several times ends with the next in line"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const queue: RunRecord[] = [];
    for (let at = 0; at < 4; at++)
      queue.push((await driver.accept({ threadId: run.threadId, whenBusy: "enqueue" })).run);
    const [first, second, third, fourth] = queue as [RunRecord, RunRecord, RunRecord, RunRecord];
    const results = await storage.commit([settleRun(run), cancelRun(first), cancelRun(third), cancelRun(second)]);
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [true, true, true, true],
    );
    assertFields(await driver.thread(run.threadId as string), { activeRunId: fourth.id, queueLength: 0 });
    assertFields(await driver.run(third), { headCheckpointId: null });
  },

  async "five hundred in one call"({ driver, storage }) {
    const intents = Array.from({ length: 500 }, (_, index) =>
      acceptRun({ threadId: `thr${index % 50}`, whenBusy: "enqueue" }),
    );
    const results = await storage.commit(intents);
    assert.ok(results.every(({ ok }) => ok));
    assert.equal(await storage.runs.count({ status: ["pending"] }), 500);
    assert.equal((await driver.claim(1_000)).length, 50);
    assert.equal((await driver.thread("thr0")).queueLength, 9);
  },
});
