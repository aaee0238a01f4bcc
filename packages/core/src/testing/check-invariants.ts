/**
 * Reads everything that a storage holds and asserts what DESIGN section 3 promises of it. For quiet moments: what is
 * read while others commit is not one moment's truth.
 */

import assert from "node:assert/strict";
import type { CheckpointHead } from "../model/checkpoint.js";
import { type EventRecord, isTerminalEvent, streamOf, terminalEvents, threadStream } from "../model/event.js";
import { type CancelReason, isSettled, type RunRecord } from "../model/run.js";
import type { ThreadRecord } from "../model/thread.js";
import type { Storage } from "../ports/storage.js";
import { requireStorage } from "./check-arguments.js";
import { checkChildren } from "./check-children.js";
import { checkQuestions } from "./check-questions.js";

/** All that was read, for a later check that what must not change did not. */
export interface StorageSnapshot {
  readonly runs: ReadonlyMap<string, RunRecord>;
  readonly threads: ReadonlyMap<string, ThreadRecord>;
  readonly events: ReadonlyMap<string, readonly EventRecord[]>;
}

/**
 * @param earlier what an earlier check returned: settled runs, given numbers and attempts are compared with it
 * @param options.pruned checkpoints were pruned: runs may lack their final ones. Default `false`
 * @throws AssertionError naming the run or thread that breaks an invariant; HeddleError INVALID_ARGUMENT, STORAGE_…
 */
export async function checkInvariants(
  storage: Storage,
  earlier?: StorageSnapshot,
  options: { readonly pruned?: boolean } = {},
): Promise<StorageSnapshot> {
  const snapshot = await readStorage(storage);
  for (const run of snapshot.runs.values()) {
    checkFields(run);
    checkPlace(run, snapshot);
    checkRunEvents(run, snapshot);
  }
  await checkChildren(storage, snapshot.runs);
  await checkQuestions(storage, snapshot.runs);
  for (const thread of snapshot.threads.values()) {
    checkThread(thread, runsOf(thread, snapshot));
    checkLog(threadStream(thread.id), snapshot);
    await checkHistory(storage, thread, runsOf(thread, snapshot), options.pruned ?? false);
  }
  if (earlier !== undefined) checkUnchanged(earlier, snapshot);
  return snapshot;
}

/** Everything that can be listed, with all events. @throws HeddleError INVALID_ARGUMENT, STORAGE_… */
export async function readStorage(storage: Storage): Promise<StorageSnapshot> {
  requireStorage("storage", storage);
  const runs = await readPages((page) => storage.runs.list({ ...page, sortBy: "createdAt" }));
  const threads = await readPages((page) => storage.threads.list({ ...page, sortBy: "createdAt" }));
  const streams = new Set([...threads.map(({ id }) => threadStream(id)), ...runs.map(streamOf)]);
  const events = new Map<string, readonly EventRecord[]>();
  for (const stream of streams) events.set(stream, await readStream(storage, stream));
  return { runs: byId(runs), threads: byId(threads), events };
}

type AnyPage = {
  readonly limit: number;
  readonly order: "asc";
  readonly after?: { readonly value: number; readonly id: string };
};

async function readPages<Row extends { readonly id: string; readonly createdAt: number }>(
  list: (page: AnyPage) => Promise<readonly Row[]>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const last = rows.at(-1);
    const after = last && { value: last.createdAt, id: last.id };
    const page = await list({ limit: 500, order: "asc", ...(after && { after }) });
    if (page.length === 0) return rows;
    rows.push(...page);
  }
}

async function readStream(storage: Storage, stream: string): Promise<EventRecord[]> {
  const events: EventRecord[] = [];
  for (;;) {
    const after = events.at(-1)?.seq ?? 0;
    const page = await storage.events.read({ stream, after, limit: 500 });
    if (page.length === 0) return events;
    // Otherwise the same page would come for ever.
    assert.ok((page.at(-1)?.seq ?? 0) > after, `stream ${stream}: behind #${after} comes #${page.at(-1)?.seq}`);
    events.push(...page);
  }
}

function byId<Row extends { readonly id: string }>(rows: readonly Row[]): Map<string, Row> {
  const map = new Map(rows.map((row) => [row.id, row]));
  assert.equal(map.size, rows.length, "paging showed a row twice");
  return map;
}

function runsOf(thread: ThreadRecord, { runs }: StorageSnapshot): RunRecord[] {
  return [...runs.values()].filter((run) => run.threadId === thread.id);
}

/** Each status carries only its own fields. */
function checkFields(run: RunRecord): void {
  const is = (holds: boolean, what: string): void => assert.ok(holds, `run ${run.id} is ${run.status}, but ${what}`);
  const settled = isSettled(run.status);
  const running = run.status === "running";
  is((run.settledAt !== null) === settled, `settledAt is ${run.settledAt}`);
  is((run.output !== null) === (run.status === "succeeded"), `output is ${run.output}`);
  is((run.error !== null) === (run.status === "failed"), `error is ${run.error}`);
  is((run.worker !== null) === running, `worker is ${run.worker}`);
  is((run.leaseUntil !== null) === running, `leaseUntil is ${run.leaseUntil}`);
  is(!running || run.attempt > 0, "it has no attempt");
  is((run.startedAt !== null) === run.attempt > 0, `startedAt is ${run.startedAt} at attempt ${run.attempt}`);
  is(run.failures + run.crashes <= run.attempt, "it failed more often than it was tried");
  is(run.status !== "canceled" || run.cancelReason !== null, "has no reason");
  const reason = run.status === "canceled" ? (JSON.parse(run.cancelReason ?? "{}") as Partial<CancelReason>) : {};
  is(run.rolledBack === (reason.kind === "rolled_back"), `rolledBack is ${run.rolledBack}`);
  is(reason.kind !== "superseded" || reason.by !== undefined || run.attempt === 0, "does not say what superseded it");
  is(run.takenBy === null || (settled && run.steers !== null && run.attempt === 0), `takenBy is ${run.takenBy}`);
  is(run.status !== "pending" || run.cancelRequestedAt === null || run.settleHook, "a cancel is requested");
  is((run.graceUntil !== null) === (run.cancelRequestedAt !== null), `graceUntil is ${run.graceUntil}`);
}

/** Where the run stands: active, queued, delayed or settled. */
function checkPlace(run: RunRecord, { runs, threads }: StorageSnapshot): void {
  const is = (holds: boolean, what: string): void => assert.ok(holds, `run ${run.id} (${run.status}) ${what}`);
  if (isSettled(run.status)) is(!run.active && run.queuePosition === null, "is settled and has a place");
  if (run.status === "running") is(run.active, "is running and not active");
  if (run.active) is(run.queuePosition === null, "is active and queued");
  if (run.active) is(run.steers === null, "is active and handed over");
  if (run.threadId === null) is(run.active !== isSettled(run.status), "is stateless and waits for a thread");
  else is(threads.has(run.threadId), `is of thread ${run.threadId}, which is gone`);
  if (run.takenBy !== null) checkTaken(run, runs.get(run.takenBy));
}

/** It went with the run that took it, and ended as that did. */
function checkTaken(run: RunRecord, taker: RunRecord | undefined): void {
  if (taker === undefined) return;
  const endOf = ({ status, output, error, cancelReason, threadId }: RunRecord) => {
    return { status, output, error, cancelReason: status === "canceled" ? cancelReason : null, threadId };
  };
  assert.deepEqual(endOf(run), endOf(taker), `run ${run.id} was taken by ${taker.id} and ended otherwise`);
  assert.equal(run.steers, taker.lineageId, `run ${run.id} was taken by another lineage than it was handed to`);
}

/** Exactly one terminal event, the last; none before the run is settled. */
function checkRunEvents(run: RunRecord, { events }: StorageSnapshot): void {
  const stream = streamOf(run);
  const own = (events.get(stream) ?? []).filter((event) => event.runId === run.id);
  assert.equal(own[0]?.seq ?? 0, run.firstSeq, `run ${run.id}: firstSeq`);
  assert.equal(own.at(-1)?.seq ?? 0, run.lastSeq, `run ${run.id}: lastSeq`);
  const terminal = own.filter((event) => isTerminalEvent(event.type));
  const expected = isSettled(run.status) ? [terminalEvents[run.status]] : [];
  assert.deepEqual(
    terminal.map(({ type }) => type),
    expected,
    `run ${run.id}: terminal events`,
  );
  if (expected.length > 0) assert.equal(terminal[0], own.at(-1), `run ${run.id}: events behind the terminal one`);
  if (run.threadId === null)
    assert.deepEqual(
      own.map(({ seq }) => seq),
      own.map((_, index) => index + 1),
    );
  if (run.status === "succeeded") assert.equal(terminal[0]?.payload, `{"output":${run.output}}`);
}

function checkThread(thread: ThreadRecord, runs: readonly RunRecord[]): void {
  const active = runs.filter((run) => run.active).map(({ id }) => id);
  assert.deepEqual(active, thread.activeRunId === null ? [] : [thread.activeRunId], `thread ${thread.id}: active runs`);
  const waiting = runs.filter((run) => run.status === "pending" && !run.active);
  assert.equal(waiting.length, thread.queueLength, `thread ${thread.id}: queueLength`);
  const places = waiting.flatMap((run) => run.queuePosition ?? []);
  assert.equal(new Set(places).size, places.length, `thread ${thread.id}: two runs have one place`);
  for (const place of places)
    assert.ok(place > thread.queueFront && place < thread.queueTail, `thread ${thread.id}: place ${place}`);
  if (active.length === 0) assert.deepEqual(places, [], `thread ${thread.id} is idle and runs are queued`);
  const holder = runs.find((run) => run.active);
  const handedOver = waiting.filter((run) => run.steers !== null);
  for (const run of handedOver) {
    assert.equal(run.steers, holder?.lineageId, `run ${run.id} is handed to a run that is not live`);
    assert.equal(run.agent, holder?.agent, `run ${run.id} is handed to another agent's run`);
  }
  assert.ok(
    (holder?.steered ?? 0) >= handedOver.length,
    `thread ${thread.id}: its run does not know what it was handed`,
  );
  if (holder !== undefined) assert.equal(thread.headCheckpointId, holder.headCheckpointId, `thread ${thread.id}: head`);
}

/** Numbers without gap, up to the last that was given out. */
function checkLog(stream: string, { events, threads }: StorageSnapshot): void {
  const log = events.get(stream) ?? [];
  const thread = threads.get(stream.slice(2));
  const first = log[0]?.seq ?? 1;
  assert.deepEqual(
    log.map(({ seq }) => seq),
    log.map((_, index) => first + index),
    `stream ${stream} has gaps`,
  );
  if (log.length > 0) assert.equal(log.at(-1)?.seq, thread?.lastSeq, `stream ${stream}: lastSeq`);
}

/** The head's ancestors are all there, and each run that settled while active left exactly one final checkpoint. */
async function checkHistory(
  storage: Storage,
  thread: ThreadRecord,
  runs: readonly RunRecord[],
  pruned: boolean,
): Promise<void> {
  const { headCheckpointId } = thread;
  const history = headCheckpointId === null ? [] : await storage.checkpoints.history(headCheckpointId, 1_000_000);
  assert.equal(history[0]?.id ?? null, headCheckpointId, `thread ${thread.id}: the head is gone`);
  assert.equal(history.at(-1)?.parentId ?? null, null, `thread ${thread.id}: an ancestor of the head is gone`);
  const tree = await storage.checkpoints.ofThread(thread.id, { limit: 1_000_000 });
  await checkTree(storage, thread, tree);
  for (const run of runs) checkFinal(run, tree, pruned);
  const head = history[0];
  const last = runs.find((run) => run.id === head?.runId);
  const isNewest = head?.kind === "final" && head.id === tree[0]?.id;
  if (thread.activeRunId !== null || !isNewest || last === undefined) return;
  assert.equal(last.status, thread.lastOutcome, `thread ${thread.id}: lastOutcome`);
}

/** Each checkpoint of each branch has its parent, or none to look for. */
async function checkTree(storage: Storage, thread: ThreadRecord, tree: readonly CheckpointHead[]): Promise<void> {
  const known = new Map(tree.map((checkpoint) => [checkpoint.id, checkpoint]));
  for (const { id, parentId, seq } of tree) {
    if (parentId === null) continue;
    const parent = known.get(parentId) ?? (await storage.checkpoints.get(parentId));
    assert.ok(parent !== undefined, `thread ${thread.id}: checkpoint ${id} lost its parent ${parentId}`);
    if (known.has(parentId))
      assert.ok(parent.seq <= seq, `thread ${thread.id}: checkpoint ${id} is older than its parent`);
  }
}

/** @param mayBeGone checkpoints may have been pruned */
function checkFinal(run: RunRecord, tree: readonly CheckpointHead[], mayBeGone: boolean): void {
  const finals = tree.filter((checkpoint) => checkpoint.kind === "final" && checkpoint.runId === run.id);
  // What it wrote on the way may be in the history yet: where somebody branched off from it.
  if (run.rolledBack) return assert.deepEqual(finals, [], `run ${run.id} is rolled back and left its end`);
  if (finals.length === 0 && mayBeGone) return;
  // A run that waited until it settled never got a base or wrote anything.
  const wasActive = isSettled(run.status) && run.headCheckpointId !== null;
  if (run.attempt > 0 && isSettled(run.status)) assert.ok(wasActive, `run ${run.id} ran and left no checkpoint`);
  assert.deepEqual(
    finals.map(({ id }) => id),
    wasActive ? [run.headCheckpointId] : [],
    `run ${run.id}: final checkpoints`,
  );
}

function checkUnchanged(earlier: StorageSnapshot, now: StorageSnapshot): void {
  for (const before of earlier.runs.values()) {
    const after = now.runs.get(before.id);
    if (after === undefined) continue;
    assert.ok(after.attempt >= before.attempt, `run ${before.id}: its attempts went back`);
    if (isSettled(before.status)) assert.deepEqual(after, before, `settled run ${before.id} changed`);
  }
  for (const [stream, before] of earlier.events) {
    if (isSameThread(stream, earlier, now)) checkNumbers(before, now.events.get(stream) ?? []);
  }
}

/** Once a deleted thread's tombstone is forgotten as well, its id and numbers are anyone's. */
function isSameThread(stream: string, earlier: StorageSnapshot, now: StorageSnapshot): boolean {
  const id = stream.slice(2);
  return !stream.startsWith("t:") || earlier.threads.get(id)?.createdAt === now.threads.get(id)?.createdAt;
}

/** A number means one event for ever; only its payload may go. */
function checkNumbers(before: readonly EventRecord[], now: readonly EventRecord[]): void {
  const known = new Map(before.map((event) => [event.seq, event]));
  for (const event of now) {
    const same = known.get(event.seq);
    if (same === undefined) continue;
    assert.deepEqual(
      { ...event, payload: null },
      { ...same, payload: null },
      `event ${event.stream}#${event.seq} changed`,
    );
    if (event.payload !== null) assert.equal(event.payload, same.payload);
  }
}
