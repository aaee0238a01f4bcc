import { expect, test } from "vitest";
import { noon, readerOf, runningRecord, runRecord, type Shelf, threadRecord } from "../testing/shelf.js";
import { byUrgency, isClaimable, UnitOfWork } from "./unit-of-work.js";

const workOn = (shelf: Shelf) => new UnitOfWork(readerOf(shelf), noon);
const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id);
const queued = (id: string, queuePosition: number) => runRecord({ id, threadId: "thr", queuePosition });

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

test("unsettled runs of a thread come by id, with this transaction's changes", () => {
  const work = workOn({ runs: [queued("b", 2), queued("a", 1), runRecord({ id: "else", threadId: "other" })] });
  work.putRun({ ...queued("a", 1), status: "canceled" });
  work.insertRun(queued("0", 3));
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
