import { expect, test } from "vitest";
import {
  noon,
  questionRecord,
  readerOf,
  runningRecord,
  runRecord,
  type Shelf,
  threadRecord,
} from "../testing/shelf.js";
import type { CheckpointRecord } from "./checkpoint.js";
import type { MemoRecord } from "./memo.js";
import { byUrgency, isClaimable, UnitOfWork } from "./unit-of-work.js";

const workOn = (shelf: Shelf) => new UnitOfWork(readerOf(shelf), noon);
const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id);
const queued = (id: string, queuePosition: number) => runRecord({ id, threadId: "thr", queuePosition });
const handedOver = (id: string, queuePosition: number) => ({ ...queued(id, queuePosition), steers: "live" });
const elsewhere = <Row>(run: Row) => ({ ...run, threadId: "other" });

test("reads its own changes over what is stored", () => {
  const work = workOn({ runs: [runRecord({ id: "a" })], threads: [threadRecord()] });
  work.putRun(runRecord({ id: "a", priority: 9 }));
  work.putThread(threadRecord({ title: "new" }));
  expect(work.run("a")?.priority).toBe(9);
  expect(work.thread("thr")?.title).toBe("new");
  expect(work.run("b")).toBeUndefined();
});

test("a change remembers the row as it was read, however often it changes", () => {
  const stored = runRecord({ id: "a" });
  const work = workOn({ runs: [stored] });
  work.putRun({ ...stored, priority: 1 });
  const after = work.putRun({ ...stored, priority: 2 });
  expect(work.changes().runs).toEqual([{ before: stored, after }]);
});

test("what was put back as it was is no change", () => {
  const stored = runRecord({ id: "a" });
  const work = workOn({ runs: [stored] });
  work.putRun(stored);
  expect(work.changes().runs).toEqual([]);
});

test("runs that give a thread up are written before those that take it", () => {
  const work = workOn({ runs: [runningRecord({ id: "a", threadId: "thr" })] });
  work.insertRun(runRecord({ id: "b", threadId: "thr", active: true }));
  work.putRun(runRecord({ id: "a", threadId: "thr", status: "succeeded" }));
  expect(work.changes().runs.map(({ after }) => after.id)).toEqual(["a", "b"]);
});

test("an id is inserted once", () => {
  const work = workOn({});
  work.insertRun(runRecord({ id: "a" }));
  expect(() => work.insertRun(runRecord({ id: "a" }))).toThrow("already");
});

test("claimable sees past the runs that it changed itself", () => {
  const runs = ["a", "b", "c", "d"].map((id) => runRecord({ id }));
  const work = workOn({ runs });
  for (const run of work.claimable({ agents: ["worker"], limit: 2 })) work.putRun(runningRecord({ id: run.id }));
  work.insertRun(runRecord({ id: "urgent", priority: 1 }));
  expect(ids(work.claimable({ agents: ["worker"], limit: 2 }))).toEqual(["urgent", "c"]);
  work.dropRun("urgent");
  expect(ids(work.claimable({ agents: ["worker"], limit: 9 }))).toEqual(["c", "d"]);
});

test("the next in the queue is found behind those that left it here", () => {
  const work = workOn({ runs: [queued("c", 3), queued("a", 1), queued("b", 2)] });
  expect(work.nextQueued("thr")?.id).toBe("a");
  work.putRun({ ...queued("a", 1), status: "canceled", queuePosition: null });
  work.putRun({ ...queued("b", 2), queuePosition: null, active: true });
  work.insertRun(queued("d", 4));
  expect(work.nextQueued("thr")?.id).toBe("c");
  expect(work.nextQueued("other")).toBeUndefined();
});

test("who is handed to the live run is not next in the queue", () => {
  const work = workOn({ runs: [handedOver("a", 1), queued("b", 2)] });
  expect(work.nextQueued("thr")?.id).toBe("b");
  work.insertRun(handedOver("0", 0));
  expect(work.nextQueued("thr")?.id).toBe("b");
});

test("who is handed to the live run comes by place, until it is taken", () => {
  const work = workOn({ runs: [handedOver("b", 2), handedOver("taken", 0), queued("queued", 4)] });
  expect(ids(work.steeredRuns("thr"))).toEqual(["taken", "b"]);
  work.putRun({ ...handedOver("taken", 0), queuePosition: null });
  work.insertRun(handedOver("c", 3));
  work.insertRun(handedOver("a", 1));
  work.insertRun(queued("later", 5));
  work.insertRun(elsewhere(handedOver("else", 1)));
  expect(ids(work.steeredRuns("thr"))).toEqual(["a", "b", "c"]);
});

test("all that wait come by place, also behind those that left here", () => {
  const thread = threadRecord({ queueLength: 3 });
  const work = workOn({ threads: [thread], runs: [queued("a", 1), queued("c", 3), handedOver("b", 2)] });
  expect(ids(work.waitingRuns("thr"))).toEqual(["a", "b", "c"]);
  work.putRun({ ...queued("a", 1), queuePosition: null, active: true });
  work.insertRun(queued("0", 0));
  work.insertRun(elsewhere(queued("else", 1)));
  work.putThread({ ...thread, queueLength: 1 });
  expect(ids(work.waitingRuns("thr"))).toEqual(["0", "b", "c"]);
  expect(work.waitingRuns("unknown")).toEqual([]);
});

test("unsettled runs of a thread come by id, with this transaction's changes", () => {
  const work = workOn({ runs: [queued("b", 2), queued("a", 1), queued("gone", 4), elsewhere(queued("else", 1))] });
  work.putRun({ ...queued("a", 1), status: "canceled" });
  work.dropRun("gone");
  work.insertRun(queued("0", 3));
  work.insertRun(elsewhere(queued("new", 1)));
  expect(ids(work.unsettledRuns("thr"))).toEqual(["0", "b"]);
});

test("a removed row is neither read nor written", () => {
  const work = workOn({ runs: [runRecord({ id: "a" })], threads: [threadRecord()] });
  work.putRun(runRecord({ id: "a", priority: 1 }));
  work.putThread(threadRecord({ title: "new" }));
  work.remove({ type: "run", id: "a", threadId: null, lineageId: "a" });
  work.remove({ type: "thread", id: "thr" });
  expect([work.run("a"), work.thread("thr")]).toEqual([undefined, undefined]);
  const { runs, threads, removals } = work.changes();
  expect([runs.length, threads.length, removals.length]).toEqual([0, 0, 2]);
});

test("a thread and a run may have the same id: one goes, the other stays", () => {
  const work = workOn({});
  work.insertRun(runRecord({ id: "a" }));
  work.putThread(threadRecord({ id: "b" }));
  work.remove({ type: "thread", id: "a" });
  work.remove({ type: "run", id: "b", threadId: null, lineageId: "b" });
  expect([work.run("a")?.id, work.thread("b")?.id]).toEqual(["a", "b"]);
});

test("what a run made its lineage remember is forgotten, stored or new, and nobody else's", () => {
  const memo = (key: string, runId: string): MemoRecord => ({ lineageId: "line", kind: "step", key, runId, body: "1" });
  const work = workOn({ memos: [memo("old", "gone"), memo("kept", "first")] });
  work.putMemo(memo("new", "gone"));
  work.putMemo(memo("next", "second"));
  work.remove({ type: "memos", runId: "gone", lineageId: "line" });
  const known = ["old", "kept", "new", "next"].filter((key) => work.memo({ lineageId: "line", kind: "step", key }));
  expect(known).toEqual(["kept", "next"]);
  expect(work.changes().memos).toEqual([memo("next", "second")]);
});

test("a lineage's questions come by key, stored ones as they are changed here", () => {
  const work = workOn({ questions: [questionRecord({ key: "c" }), questionRecord({ key: "b" })] });
  work.putQuestion(questionRecord({ key: "a" }));
  work.putQuestion(questionRecord({ key: "b", status: "answered", answer: "1" }));
  work.putQuestion(questionRecord({ key: "d", lineageId: "other" }));
  const asked = work.questions("run").map(({ key, status }) => [key, status]);
  expect(asked).toEqual([
    ["a", "open"],
    ["b", "answered"],
    ["c", "open"],
  ]);
});

test("checkpoints that were written here are read as they will be stored", () => {
  const { body: _body, ...stored } = { ...checkpoint({ id: "stored" }), bodyBytes: 7 };
  const work = workOn({ checkpoints: [stored] });
  work.insertCheckpoint(checkpoint({ id: "new", body: '"ü"' }));
  work.insertCheckpoint(checkpoint({ id: "same", encoding: "same", body: null }));
  work.insertCheckpoint(checkpoint({ id: "else", threadId: "other" }));
  expect(["stored", "new", "same"].map((id) => work.checkpoint(id)?.bodyBytes)).toEqual([7, 4, 0]);
  expect(work.checkpoint("new")).toMatchObject({ id: "new", threadId: "thr", kind: "final" });
  expect(work.checkpoint("unknown")).toBeUndefined();
  expect(ids(work.checkpointLinks("thr"))).toEqual(["stored", "new", "same"]);
  expect(() => work.insertCheckpoint(checkpoint({ id: "new" }))).toThrow("already");
});

test("copies of a thread are known, those that were made here among them", () => {
  const copy = (threadId: string, ownerId: string) => ({ threadId, ownerId, checkpointId: "cp" });
  const work = workOn({ origins: [copy("stored", "thr")] });
  work.putOrigin(copy("else", "other"));
  work.putOrigin(copy("new", "thr"));
  expect(work.originsFrom("thr")).toEqual([copy("stored", "thr"), copy("new", "thr")]);
  expect([work.origin("new"), work.origin("stored")]).toEqual([copy("new", "thr"), copy("stored", "thr")]);
  expect(work.origin("thr")).toBeUndefined();
});

test("effects are taken once, those of one intent at a time", () => {
  const work = workOn({});
  work.tell({ type: "claimable" });
  expect(work.takeEffects()).toEqual([{ type: "claimable" }]);
  expect(work.takeEffects()).toEqual([]);
});

test("urgency: priority, then time due, then age, then id by bytes", () => {
  const runs = [
    runRecord({ id: "older", createdAt: noon - 1 }),
    runRecord({ id: "a" }),
    runRecord({ id: "B" }),
    runRecord({ id: "later", availableAt: noon + 1 }),
    runRecord({ id: "urgent", priority: 1, availableAt: noon + 2 }),
  ];
  expect(ids(runs.sort(byUrgency))).toEqual(["urgent", "older", "B", "a", "later"]);
});

test.each([
  ["a pending active due one", {}, true],
  ["one of another agent", { agent: "other" }, false],
  ["one that is not due", { availableAt: noon + 1 }, false],
  ["one that does not hold its thread", { threadId: "thr", active: false }, false],
  ["a running one", { status: "running" }, false],
] as const)("claimable: %s", (_what, given, expected) => {
  expect(isClaimable(runRecord(given), { agents: ["worker"], now: noon })).toBe(expected);
});

function checkpoint(given: Partial<CheckpointRecord>): CheckpointRecord {
  return {
    id: "cp",
    threadId: "thr",
    runId: null,
    parentId: null,
    kind: "final",
    attempt: 1,
    seq: 1,
    encoding: "snapshot",
    body: "{}",
    valuesBytes: 2,
    createdAt: noon,
    ...given,
  };
}
