/** What an engine reads outside its writes, answered from the tables. */

import type { CheckpointHead, CheckpointRecord } from "../model/checkpoint.js";
import { type EventRecord, succeededPayload } from "../model/event.js";
import { earlier, tendAt } from "../model/intents/tend-run.js";
import type { MemoRecord } from "../model/memo.js";
import type { QuestionRecord } from "../model/question.js";
import { awaitedBy, endsLineage, type RunRecord } from "../model/run.js";
import { compareText } from "../model/text-order.js";
import type { ThreadRecord } from "../model/thread.js";
import type {
  CheckpointChain,
  CheckpointPage,
  DueQuery,
  DueWork,
  EventQuery,
  RunQuery,
  ThreadQuery,
} from "../ports/storage.js";
import { inOrder, isBehindCursor, runMatches, threadMatches } from "./memory-filter.js";
import { headOf, type MemoryTables } from "./memory-tables.js";
import type { RunIndexes } from "./run-indexes.js";

export function listRuns({ runs, runIndexes }: MemoryTables, query: RunQuery): RunRecord[] {
  if (query.ids !== undefined)
    return listFew(
      query.ids.flatMap((id) => runs.get(id) ?? []),
      query,
    );
  if (query.threadId != null) return listFew(runIndexes.ofThread.of(query.threadId), query);
  if (query.steers !== undefined) return listFew(runIndexes.ofLive.of(query.steers), query);
  if (query.lineageId !== undefined) return listFew(runIndexes.ofLineage.of(query.lineageId), query);
  if (query.parentRunId !== undefined) return listFew(runIndexes.ofParent.of(query.parentRunId), query);
  const matches = runMatches(query);
  const listed: RunRecord[] = [];
  for (const run of query.order === "asc" ? runIndexes.created : runIndexes.created.descending()) {
    if (listed.length >= query.limit) break;
    if (isBehindCursor(query, run) && matches(run)) listed.push(run);
  }
  return listed;
}

function listFew(candidates: readonly RunRecord[], query: RunQuery): RunRecord[] {
  const matches = runMatches(query);
  const listed = candidates.filter((run) => isBehindCursor(query, run) && matches(run));
  return [...new Set(listed)].sort(inOrder(query)).slice(0, query.limit);
}

export function listThreads({ threads }: MemoryTables, query: ThreadQuery): ThreadRecord[] {
  const matches = threadMatches(query);
  const listed = [...threads.rows.values()].filter((thread) => isBehindCursor(query, thread) && matches(thread));
  return listed.sort(inOrder(query)).slice(0, query.limit);
}

export function count<Row>(rows: Iterable<Row>, matches: (row: Row) => boolean): number {
  let matching = 0;
  for (const row of rows) if (matches(row)) matching++;
  return matching;
}

export function chain({ checkpoints }: MemoryTables, id: string, since?: string): CheckpointChain | undefined {
  if (checkpoints.get(id) === undefined) return undefined;
  const links: CheckpointRecord[] = [];
  let at: string | null = id;
  while (at !== null && at !== since && links.at(-1)?.encoding !== "snapshot") {
    const checkpoint = checkpoints.get(at);
    if (checkpoint === undefined) break;
    links.push(checkpoint);
    at = checkpoint.parentId;
  }
  const standsAlone = links.at(-1)?.encoding === "snapshot";
  return { links: links.reverse().map(linkOf), continuesSince: !standsAlone && at !== null && at === since };
}

function linkOf({ id, encoding, body, valuesBytes }: CheckpointRecord): CheckpointChain["links"][number] {
  return { id, encoding, body, valuesBytes };
}

export function history({ checkpoints }: MemoryTables, id: string, limit: number): CheckpointHead[] {
  const heads: CheckpointHead[] = [];
  let at = checkpoints.get(id);
  while (at !== undefined && heads.length < limit) {
    heads.push(headOf(at));
    at = at.parentId === null ? undefined : checkpoints.get(at.parentId);
  }
  return heads;
}

export function listCheckpoints(tables: MemoryTables, threadId: string, page: CheckpointPage): CheckpointHead[] {
  const newestFirst = (a: Place, b: Place): number => b.seq - a.seq || compareText(b.id, a.id);
  const { after, limit } = page;
  const checkpoints = tables.checkpointsOf(threadId).toSorted(newestFirst);
  const listed = after === undefined ? checkpoints : checkpoints.filter((each) => newestFirst(after, each) < 0);
  return listed.slice(0, limit).map(headOf);
}

type Place = Pick<CheckpointHead, "seq" | "id">;

export function readEvents({ events, runs }: MemoryTables, { stream, after, limit, runId }: EventQuery): EventRecord[] {
  // Nothing of a run lies before its first event: its log in a long thread is not searched from the start.
  const firstSeq = runId === undefined ? 0 : (runs.get(runId)?.firstSeq ?? 0);
  const read: EventRecord[] = [];
  for (const event of events.after(stream, Math.max(after, firstSeq - 1))) {
    if (read.length >= limit) break;
    if (runId !== undefined && event.runId !== runId) continue;
    const isFromRun = event.type === "run_succeeded";
    read.push(isFromRun ? { ...event, payload: succeededPayload(runs.get(event.runId ?? "")?.output) } : event);
  }
  return read;
}

export function listMemos(tables: MemoryTables, lineageId: string, limit: number): MemoRecord[] {
  const memos = tables.memosOf(lineageId);
  return memos.toSorted((a, b) => compareText(a.kind, b.kind) || compareText(a.key, b.key)).slice(0, limit);
}

export function listQuestions(tables: MemoryTables, lineageId: string): QuestionRecord[] {
  return tables.questions(lineageId).toSorted((a, b) => compareText(a.key, b.key));
}

export function listOpenQuestions(
  { openQuestionsOf }: MemoryTables,
  threadId: string,
  limit: number,
): QuestionRecord[] {
  const byAge = (a: QuestionRecord, b: QuestionRecord): number =>
    a.askedAt - b.askedAt || compareText(a.lineageId, b.lineageId) || compareText(a.key, b.key);
  return openQuestionsOf.of(threadId).toSorted(byAge).slice(0, limit);
}

export function due(tables: MemoryTables, query: DueQuery, now: number): DueWork {
  const { runIndexes } = tables;
  const { agents, worker, limit } = query;
  return {
    tend: runsToTend(runIndexes, query, now).map(({ id, threadId }) => ({ runId: id, threadId })),
    wake: runsToWake(runIndexes, now).slice(0, limit),
    orphans: orphans(tables).slice(0, limit),
    claimable: runIndexes.claims.first({ agents, now, limit: 1 }).length > 0,
    nextAt: earlier(runIndexes.claims.nextAt(agents, now), nextToTend(runIndexes, worker, now)),
    workers: runIndexes.heldBy.names.filter((name) => name !== worker),
    now,
  };
}

function runsToTend({ heldBy, upcoming }: RunIndexes, { deadWorkers, limit }: DueQuery, now: number): RunRecord[] {
  const found = new Set(deadWorkers.flatMap((worker) => heldBy.of(worker)));
  for (const run of upcoming) {
    if (found.size >= limit || (tendAt(run) ?? 0) > now) break;
    found.add(run);
  }
  return [...found].slice(0, limit);
}

function runsToWake(indexes: RunIndexes, now: number): DueWork["wake"][number][] {
  const suspended = indexes.awaiting.of("").filter((run) => run.availableAt > now);
  return suspended.toSorted(bySuspension).flatMap((run) => {
    const done = awaitedBy(run).filter((lineage) => isOver(indexes.ofLineage.of(lineage)));
    const [childDone] = done.sort(compareText);
    return childDone === undefined ? [] : [{ runId: run.id, threadId: run.threadId, childDone }];
  });
}

function bySuspension(a: RunRecord, b: RunRecord): number {
  return a.availableAt - b.availableAt || compareText(a.id, b.id);
}

/** Of a lineage whose runs are these: nothing more comes of it. */
function isOver(runs: readonly RunRecord[]): boolean {
  return runs.length === 0 || runs.some(endsLineage);
}

function orphans({ runIndexes, threads }: MemoryTables): DueWork["orphans"][number][] {
  const { children, ofLineage } = runIndexes;
  const found = children.names.flatMap((parentRunId) => {
    const failed = ofLineage.of(parentRunId).some((run) => endsLineage(run) && run.status !== "succeeded");
    return children.of(parentRunId).flatMap(({ id, threadId, parentThreadId, createdAt }) => {
      const thread = parentThreadId === null ? undefined : threads.get(parentThreadId);
      const isHome = parentThreadId === null || (thread !== undefined && thread.createdAt <= createdAt);
      return isHome && !failed ? [] : [{ runId: id, threadId, parentRunId }];
    });
  });
  return found.sort((a, b) => compareText(a.runId, b.runId));
}

/** Runs are walked by the soonest of their times; of the asker's own only the end of a cancel's grace counts. */
function nextToTend({ upcoming }: RunIndexes, asker: string, now: number): number | null {
  let next: number | null = null;
  for (const run of upcoming) {
    const soonest = tendAt(run) ?? 0;
    if (next !== null && next <= soonest) break;
    const at = run.worker === asker ? run.graceUntil : soonest;
    if (at !== null && at > now) next = earlier(next, at);
  }
  return next;
}

/** A key lives as long as its run and at least its retention. */
export function purge({ keys, tombstones, runs }: MemoryTables, now: number): void {
  for (const tombstone of [...tombstones.rows.values()]) {
    if (tombstone.keepUntil <= now) tombstones.delete(tombstone.threadId);
  }
  for (const [id, key] of [...keys.rows]) {
    if (key.keepUntil <= now && runs.get(key.runId) === undefined) keys.delete(id);
  }
}
