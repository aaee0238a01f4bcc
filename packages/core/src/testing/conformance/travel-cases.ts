import assert from "node:assert/strict";
import type { NewCheckpoint } from "../../model/intents/intent.js";
import type { JsonObject } from "../../model/json.js";
import type { RunRecord } from "../../model/run.js";
import { ValuesCache } from "../../runtime/values-cache.js";
import { freshId, setKey, snapshot } from "../intents.js";
import { StorageDriver } from "../storage-driver.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, idsOf, json, refused, refusedUnchanged } from "./expect.js";

const own = (id: string) => ({ id, isShared: false });

export const travelCases = inGroup(
  "travel",
  {
    async "edited values are a checkpoint of the thread's own, with an event without a run"({
      driver,
      storage,
      clock,
    }) {
      const { id, head } = await threadOf(driver, 2);
      const before = await driver.thread(id);
      await clock.advance(7);
      const edit = setKey("edited", true);
      const { outcome, thread } = await driver.moveHead(id, { expectedHead: head, checkpoint: edit });
      assert.equal(outcome, "moved");
      assertFields(thread, { headCheckpointId: edit.id, lastSeq: before.lastSeq + 1, updatedAt: clock.now() });
      assertFields(thread, { lastOutcome: before.lastOutcome, lastAgent: before.lastAgent, activeRunId: null });
      assert.deepEqual(await driver.thread(id), thread);
      assertFields(
        { ...(await storage.checkpoints.get(edit.id)) },
        { kind: "update", threadId: id, runId: null, parentId: head, attempt: 0, seq: before.lastSeq },
      );
      const [event] = await storage.events.read({ stream: `t:${id}`, after: before.lastSeq, limit: 10 });
      assertFields({ ...event }, { type: "values_updated", runId: null, attempt: 0, seq: before.lastSeq + 1 });
      assert.deepEqual(json(event?.payload ?? null), { checkpointId: edit.id, changedKeys: ["edited"] });
      assert.deepEqual(await valuesAt(driver, edit.id), { n: 2, edited: true });
    },

    async "an edit of a head that moved meanwhile changes nothing"({ driver, storage }) {
      const { id, turns, head } = await threadOf(driver, 2);
      const before = await driver.thread(id);
      const edit = setKey("edited", true);
      const answer = await driver.moveHead(id, { expectedHead: turns[0] as string, checkpoint: edit });
      assert.deepEqual(answer, { outcome: "stale", thread: before });
      assert.deepEqual(await driver.thread(id), before);
      assert.equal(await storage.checkpoints.get(edit.id), undefined);
      assert.equal((await driver.moveHead(id, { expectedHead: head, checkpoint: edit })).outcome, "moved");
    },

    async "of two edits at once one finds the head moved"({ driver }) {
      const { id, head } = await threadOf(driver, 1);
      const edits = [setKey("a", 1), setKey("b", 2), setKey("c", 3)];
      const answers = await Promise.all(
        edits.map((checkpoint) => driver.moveHead(id, { expectedHead: head, checkpoint })),
      );
      assert.deepEqual(answers.map(({ outcome }) => outcome).sort(), ["moved", "stale", "stale"]);
    },

    async "a busy thread's head is the run's, whatever the run waits for"({ driver }) {
      const { id, turns, head } = await threadOf(driver, 2);
      const { run } = await driver.accept({ threadId: id });
      const moves = [{ expectedHead: head, checkpoint: setKey("x", 1) }, { to: own(turns[0] as string) }];
      for (const move of moves) {
        const error = await refusedUnchanged(driver, () => driver.moveHead(id, move), "THREAD_BUSY");
        assert.equal(error.details.activeRunId, run.id);
      }
      const [claimed] = await driver.claim();
      await driver.release(claimed as RunRecord, { delay: 60_000 });
      for (const move of moves) await refusedUnchanged(driver, () => driver.moveHead(id, move), "THREAD_BUSY");
    },

    async "a branch moves the head; later checkpoints are its children, the old ones stay"({ driver, storage }) {
      const { id, turns } = await threadOf(driver, 3);
      const [first, second, third] = turns as [string, string, string];
      assertFields((await driver.moveHead(id, { to: own(first) })).thread, { headCheckpointId: first });
      const run = await driver.start({ threadId: id });
      assertFields(run, { baseCheckpointId: first, headCheckpointId: first });
      const { headCheckpointId } = await driver.settle(run, { checkpoint: setKey("branch", true) });
      assertFields({ ...(await storage.checkpoints.get(headCheckpointId as string)) }, { parentId: first });
      assert.deepEqual(await valuesAt(driver, headCheckpointId as string), { n: 1, branch: true });
      const history = await storage.checkpoints.history(headCheckpointId as string, 10);
      assert.deepEqual(idsOf(history), [headCheckpointId, first]);
      assert.deepEqual(await valuesAt(driver, third), { n: 3 });
      const all = await storage.checkpoints.ofThread(id, { limit: 10 });
      assert.deepEqual(idsOf(all), [headCheckpointId, third, second, first]);
    },

    async "an edit of an older checkpoint is a branch too"({ driver, storage }) {
      const { id, turns } = await threadOf(driver, 3);
      const edit = setKey("edited", true);
      await driver.moveHead(id, { to: own(turns[1] as string), checkpoint: edit });
      assertFields({ ...(await storage.checkpoints.get(edit.id)) }, { parentId: turns[1] as string, kind: "update" });
      assert.deepEqual(await valuesAt(driver, edit.id), { n: 2, edited: true });
      const events = await driver.threadEvents(id);
      assert.deepEqual(json(events.at(-1)?.payload ?? null), { checkpointId: edit.id });
    },

    async "a thread without checkpoints can be edited"({ driver }) {
      const { id } = await driver.createThread();
      const edit = snapshot({ a: 1 });
      assertFields(await driver.moveHead(id, { expectedHead: null, checkpoint: edit }), { outcome: "moved" });
      assertFields(await driver.thread(id), { headCheckpointId: edit.id, lastSeq: 1 });
    },

    async "a replay starts at its checkpoint, and says where it was before"({ driver }) {
      const { id, turns, head } = await threadOf(driver, 3);
      const run = await driver.start({ threadId: id, from: own(turns[0] as string) });
      assertFields(run, { headCheckpointId: turns[0] as string, baseCheckpointId: head });
      assertFields(await driver.thread(id), { headCheckpointId: turns[0] as string });
      const settled = await driver.settle(run, { checkpoint: setKey("replayed", true) });
      assert.deepEqual(await valuesAt(driver, settled.headCheckpointId as string), { n: 1, replayed: true });
    },

    async "a replay that waits moves the head only when its turn comes"({ driver }) {
      const { id, turns } = await threadOf(driver, 2);
      const active = await driver.start({ threadId: id });
      const from = own(turns[0] as string);
      const { run: replay } = await driver.accept({ threadId: id, whenBusy: "enqueue", from });
      const { run: canceled } = await driver.accept({ threadId: id, whenBusy: "enqueue", from });
      const { run: delayed } = await driver.accept({ threadId: id, delay: 1_000, from });
      assertFields(await driver.thread(id), { headCheckpointId: active.headCheckpointId });
      await driver.cancel(canceled);
      assertFields(await driver.run(canceled), { headCheckpointId: null, baseCheckpointId: null });
      const end = await driver.settle(active, { checkpoint: setKey("later", 1) });
      assertFields(await driver.run(replay), { headCheckpointId: from.id, baseCheckpointId: end.headCheckpointId });
      assertFields(await driver.thread(id), { headCheckpointId: from.id, activeRunId: replay.id });
      await driver.cancel(replay);
      await driver.cancel(delayed);
    },

    async "what is not the thread's is not found, for a replay, a branch, an edit or a fork"({ driver }) {
      const { id } = await threadOf(driver, 2);
      const other = await threadOf(driver, 1);
      const stateless = await driver.settle(await driver.start(), { checkpoint: snapshot({ s: 1 }) });
      for (const wrong of ["chk_unknown", other.head, stateless.headCheckpointId as string]) {
        const tries = [
          () => driver.accept({ threadId: id, from: own(wrong) }),
          () => driver.moveHead(id, { to: own(wrong) }),
          () => driver.moveHead(id, { to: own(wrong), checkpoint: setKey("x", 1) }),
          () => driver.copyThread(id, { at: own(wrong) }),
        ];
        for (const attempt of tries) await refusedUnchanged(driver, attempt, "CHECKPOINT_NOT_FOUND");
      }
      await refusedUnchanged(driver, () => driver.moveHead("thr_unknown", { to: own("c") }), "THREAD_NOT_FOUND");
      const nowhere = { threadId: freshId("thr"), createThread: true, from: own(other.head) };
      await refusedUnchanged(driver, () => driver.accept(nowhere), "THREAD_NOT_FOUND");
    },

    async "a checkpoint of a deleted thread of the same id is not the new one's"({ driver }) {
      const { id, turns } = await threadOf(driver, 2);
      const copy = await driver.copyThread(id);
      await driver.deleteThread(id);
      await driver.createThread({ id, values: snapshot({ fresh: true }) });
      for (const old of turns)
        await refusedUnchanged(driver, () => driver.moveHead(id, { to: own(old) }), "CHECKPOINT_NOT_FOUND");
      assert.deepEqual(await valuesAt(driver, copy.headCheckpointId as string), { n: 2 });
      const head = (await driver.thread(id)).headCheckpointId as string;
      assertFields(await driver.moveHead(id, { to: own(head) }), { outcome: "moved" });
    },

    async "a fork shares the history up to its checkpoint and nothing else"({ driver, storage }) {
      const { id, turns } = await threadOf(driver, 3);
      const fork = await driver.copyThread(id, { at: own(turns[1] as string) });
      assertFields(fork, { headCheckpointId: turns[1] as string, originCheckpointId: turns[1] as string, lastSeq: 0 });
      assert.deepEqual(await valuesAt(driver, fork.headCheckpointId as string), { n: 2 });
      assert.deepEqual(await storage.checkpoints.ofThread(fork.id, { limit: 10 }), []);
      const settled = await driver.settle(await driver.start({ threadId: fork.id }), { checkpoint: setKey("fork", 1) });
      assert.deepEqual(await valuesAt(driver, settled.headCheckpointId as string), { n: 2, fork: 1 });
      await driver.deleteThread(id);
      assert.equal(await storage.checkpoints.get(turns[2] as string), undefined);
      assert.deepEqual(await valuesAt(driver, settled.headCheckpointId as string), { n: 2, fork: 1 });
    },

    async "a copy may go back to what it shares, and a copy of it go on from there"({ driver }) {
      const { id, turns } = await threadOf(driver, 3);
      const copy = await driver.copyThread(id);
      const shared = { id: turns[0] as string, isShared: true };
      assertFields((await driver.moveHead(copy.id, { to: shared })).thread, { headCheckpointId: shared.id });
      const origin = own(copy.originCheckpointId as string);
      assertFields((await driver.moveHead(copy.id, { to: origin })).thread, { headCheckpointId: origin.id });
      const third = await driver.copyThread(copy.id, { at: shared });
      await driver.deleteThread(copy.id);
      await driver.deleteThread(id);
      assert.deepEqual(await valuesAt(driver, third.headCheckpointId as string), { n: 1 });
    },

    async "all of a thread's checkpoints are listed page by page, newest first"({ driver, storage }) {
      const { id, turns } = await threadOf(driver, 5);
      await driver.moveHead(id, { to: own(turns[1] as string) });
      const edit = setKey("x", 1);
      await driver.moveHead(id, { checkpoint: edit });
      const all = await storage.checkpoints.ofThread(id, { limit: 100 });
      assert.deepEqual(idsOf(all), [edit.id, ...[...turns].reverse()]);
      assert.deepEqual(all[0], await storage.checkpoints.get(edit.id));
      const pages: string[] = [];
      for (let after = undefined as (typeof all)[number] | undefined; ; ) {
        const page = await storage.checkpoints.ofThread(id, { limit: 2, ...(after && { after }) });
        if (page.length === 0) break;
        pages.push(...idsOf(page));
        after = page.at(-1);
      }
      assert.deepEqual(pages, idsOf(all));
      assert.deepEqual(await storage.checkpoints.ofThread("thr_unknown", { limit: 2 }), []);
    },

    async "pruned ones are gone, what stays reads back the same"({ driver, storage }) {
      const { id, turns, head } = await threadOf(driver, 5);
      const before = await driver.thread(id);
      const gone = turns.slice(0, 3);
      assert.deepEqual(await driver.prune(id, gone, { [turns[3] as string]: { n: 4 } }), { removed: 3 });
      for (const each of gone) {
        assert.equal(await storage.checkpoints.get(each), undefined);
        assert.equal(await storage.checkpoints.chain(each), undefined);
      }
      assertFields(
        { ...(await storage.checkpoints.get(turns[3] as string)) },
        { parentId: null, encoding: "snapshot", kind: "final", valuesBytes: 7, bodyBytes: 7 },
      );
      assert.deepEqual(await valuesAt(driver, turns[3] as string), { n: 4 });
      assert.deepEqual(await valuesAt(driver, head), { n: 5 });
      assert.deepEqual(await driver.thread(id), before);
      for (const each of gone)
        await refusedUnchanged(driver, () => driver.copyThread(id, { at: own(each) }), "CHECKPOINT_NOT_FOUND");
      const next = await driver.settle(await driver.start({ threadId: id }), { checkpoint: setKey("m", 6) });
      assert.deepEqual(await valuesAt(driver, next.headCheckpointId as string), { n: 5, m: 6 });
    },

    async "the head stays, and what is not made to stand alone keeps its ancestors"({ driver }) {
      const { id, turns, head } = await threadOf(driver, 4);
      assert.deepEqual(await driver.prune(id, turns), { removed: 0 });
      assert.deepEqual(await valuesAt(driver, head), { n: 4 });
      assert.deepEqual(await driver.prune(id, turns, { [head]: { n: 4 } }), { removed: 3 });
      assert.deepEqual(await valuesAt(driver, head), { n: 4 });
      assert.deepEqual(await driver.prune(id, ["chk_unknown"]), { removed: 0 });
      await refused(driver.prune("thr_unknown", []), "THREAD_NOT_FOUND");
    },

    async "a branch that is kept keeps what it needs"({ driver }) {
      const { id, turns } = await threadOf(driver, 4);
      await driver.moveHead(id, { to: own(turns[1] as string) });
      const edit = setKey("x", 1);
      await driver.moveHead(id, { checkpoint: edit });
      // The old branch's tip stays and stands alone; the edit cannot, so the second turn and what is above it stay.
      const gone = turns.slice(0, 3);
      assert.deepEqual(await driver.prune(id, gone, { [turns[3] as string]: { n: 4 } }), { removed: 1 });
      assert.deepEqual(await valuesAt(driver, edit.id), { n: 2, x: 1 });
      assert.deepEqual(await valuesAt(driver, turns[3] as string), { n: 4 });
      assert.deepEqual(await valuesAt(driver, turns[0] as string), { n: 1 });
    },

    async "two that lose one parent both stand alone, or both keep it"({ driver, storage }) {
      const { id, turns } = await threadOf(driver, 2);
      const [root, left] = turns as [string, string];
      const right = setKey("right", 1);
      await driver.moveHead(id, { to: own(root), checkpoint: right });
      assert.deepEqual(await driver.prune(id, [root], { [left]: { n: 2 } }), { removed: 0 });
      assertFields({ ...(await storage.checkpoints.get(left)) }, { parentId: root });
      const both = { [left]: { n: 2 }, [right.id]: { n: 1, right: 1 } };
      assert.deepEqual(await driver.prune(id, [root], both), { removed: 1 });
      assert.deepEqual(await valuesAt(driver, left), { n: 2 });
      assert.deepEqual(await valuesAt(driver, right.id), { n: 1, right: 1 });
    },

    async "a copy's origin and all above it stay; once the copy is gone they may go"({ driver }) {
      const { id, turns, head } = await threadOf(driver, 4);
      const copy = await driver.copyThread(id, { at: own(turns[1] as string) });
      const whole = { [head]: { n: 4 } };
      assert.deepEqual(await driver.prune(id, turns, whole), { removed: 1 });
      for (const [index, turn] of turns.slice(0, 2).entries())
        assert.deepEqual(await valuesAt(driver, turn), { n: index + 1 });
      assert.deepEqual(await valuesAt(driver, head), { n: 4 });
      await driver.deleteThread(copy.id);
      assert.deepEqual(await driver.prune(id, turns), { removed: 2 });
      assert.deepEqual(await valuesAt(driver, head), { n: 4 });
    },

    async "where unsettled runs began, are and will begin stays"({ driver, storage }) {
      const { id, turns, head } = await threadOf(driver, 4);
      const replay = await driver.start({ threadId: id, from: own(turns[2] as string) });
      const mid = setKey("mid", 1);
      await driver.record(replay, { checkpoint: mid });
      await driver.accept({ threadId: id, whenBusy: "enqueue", from: own(turns[0] as string) });
      const wholes = { [turns[2] as string]: { n: 3 }, [head]: { n: 4 }, [mid.id]: { n: 3, mid: 1 } };
      assert.deepEqual(await driver.prune(id, [...turns, mid.id], wholes), { removed: 2 });
      const left = idsOf(await storage.checkpoints.ofThread(id, { limit: 10 }));
      assert.deepEqual(left, [mid.id, head, turns[0]]);
      assert.deepEqual(await valuesAt(driver, mid.id), { n: 3, mid: 1 });
      const settled = await driver.settle(replay, { checkpoint: setKey("end", 1) });
      assert.deepEqual(await valuesAt(driver, settled.headCheckpointId as string), { n: 3, mid: 1, end: 1 });
    },

    async "pruned by several at once, what stays reads back"({ driver, fixture, storage }) {
      const { id, turns, head } = await threadOf(driver, 6);
      const other = await fixture.reopen?.();
      const drivers = [driver, driver, ...(other === undefined ? [] : [new StorageDriver(other)])];
      const prunings = drivers.map((each, index) => {
        const kept = turns[3 + (index % 2)] as string;
        return each.prune(id, turns.slice(0, turns.indexOf(kept)), { [kept]: { n: turns.indexOf(kept) + 1 } });
      });
      const removed = (await Promise.all(prunings)).reduce((sum, each) => sum + each.removed, 0);
      assert.equal(removed, 4);
      const left = idsOf(await storage.checkpoints.ofThread(id, { limit: 10 }));
      assert.deepEqual(left, [head, turns[4]]);
      for (const [index, turn] of left.entries()) assert.deepEqual(await valuesAt(driver, turn), { n: 6 - index });
      await other?.close();
    },

    async "what a thread takes is told in rows and bytes"({ driver, storage }) {
      const none = { rows: 0, bytes: 0 };
      const nothing = { runs: none, events: none, checkpoints: none, memos: none, questions: none };
      assert.deepEqual(await storage.threads.usage("thr_unknown"), nothing);
      const { id } = await driver.createThread({ values: snapshot({ a: "ä" }) });
      assert.deepEqual(await storage.threads.usage(id), { ...nothing, checkpoints: { rows: 1, bytes: 10 } });
      const run = await driver.start({ threadId: id });
      const empty = await storage.threads.usage(id);
      assert.equal(empty.runs.rows, 1);
      assert.equal(empty.events.rows, 1);
      await driver.record(run, {
        events: [{ type: "log", payload: '"ü"', key: "once" }],
        memos: [{ kind: "step", key: "a", body: '"bä"' }],
        checkpoint: setKey("b", 1),
      });
      await driver.settle(run, { outcome: { status: "succeeded", output: '"ö"' } });
      const usage = await storage.threads.usage(id);
      assert.deepEqual(usage.memos, { rows: 2, bytes: 4 + 1 + 5 });
      assert.deepEqual(usage.runs, { rows: 1, bytes: empty.runs.bytes + 4 });
      assert.deepEqual(usage.checkpoints, { rows: 3, bytes: 10 + '[["=",["b"],1]]'.length });
      assert.equal(usage.events.rows, (await driver.threadEvents(id)).length);
      await driver.copyThread(id, { id: "thr_copy" });
      assert.deepEqual(await storage.threads.usage("thr_copy"), nothing);
    },
  },
  { pruned: true },
);

/** A thread with so many turns: after the nth its values are `{ n }`, as a delta but the first. */
async function threadOf(driver: StorageDriver, count: number) {
  const { id } = await driver.createThread();
  const turns: string[] = [];
  for (let n = 1; n <= count; n++) {
    const checkpoint: NewCheckpoint = n === 1 ? snapshot({ n }) : setKey("n", n);
    await driver.settle(await driver.start({ threadId: id }), { checkpoint });
    turns.push(checkpoint.id);
  }
  return { id, turns, head: turns.at(-1) as string };
}

/** Read anew, without anything remembered. */
async function valuesAt({ storage }: StorageDriver, checkpointId: string): Promise<JsonObject> {
  const { tree } = await new ValuesCache(storage.checkpoints, 1_000_000).load(checkpointId, "");
  return tree;
}
