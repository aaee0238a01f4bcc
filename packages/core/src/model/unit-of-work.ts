/**
 * One transaction's view of the records: reads go to what the storage holds (under its locks), changes stay here until
 * the storage writes them all. Intents are applied to it one after the other, and each sees what those before it did.
 *
 * Every storage applies the same intents to the same unit of work; they differ only in how they read and write. That is
 * why the same commands give the same results on memory, SQLite and Postgres.
 */

import type { CheckpointHead, CheckpointRecord } from "./checkpoint.js";
import type { EventRecord } from "./event.js";
import type { Effect } from "./intents/intent.js";
import { byteLength } from "./json.js";
import { type MemoRecord, type MemoRef, memoId } from "./memo.js";
import type { QuestionRecord } from "./question.js";
import { questionId } from "./question.js";
import type { RunRecord } from "./run.js";
import { isSettled } from "./run.js";
import { compareText } from "./text-order.js";
import type { KeyRecord, ThreadRecord, TombstoneRecord } from "./thread.js";

export type KeyRef = Pick<KeyRecord, "scope" | "agent" | "key">;
export type CheckpointLink = Pick<CheckpointRecord, "id" | "parentId">;

/** A thread that was copied: which checkpoint of which thread it goes on from. */
export interface OriginRecord {
  readonly threadId: string;
  readonly checkpointId: string;
  /** The thread that wrote that checkpoint. */
  readonly ownerId: string;
}

export interface ClaimQuery {
  readonly agents: readonly string[];
  readonly now: number;
  readonly limit: number;
}

/** What a unit of work reads: records as they were before this transaction, locked by it where it may change them. */
export interface RecordReader {
  thread(id: string): ThreadRecord | undefined;
  tombstone(threadId: string): TombstoneRecord | undefined;
  run(id: string): RunRecord | undefined;
  /** Queued runs of a thread by place, at most `limit`; not those that are handed to the live run. */
  queue(threadId: string, limit: number): readonly RunRecord[];
  /** Runs of a thread that wait to be taken by the live run, by place. */
  steeredRuns(threadId: string): readonly RunRecord[];
  /** Unsettled runs of a thread: active, queued, handed over, delayed. */
  unsettledRuns(threadId: string): readonly RunRecord[];
  /** Pending, active, due: highest priority first, then `availableAt`, then `createdAt`, then id. */
  claimable(query: ClaimQuery): readonly RunRecord[];
  key(ref: KeyRef): KeyRecord | undefined;
  memo(ref: MemoRef): MemoRecord | undefined;
  /** All questions of a lineage, in any order. */
  questions(lineageId: string): readonly QuestionRecord[];
  checkpoint(id: string): CheckpointHead | undefined;
  origin(threadId: string): OriginRecord | undefined;
  /** Copies that go on from a checkpoint that `ownerId` wrote. */
  originsFrom(ownerId: string): readonly OriginRecord[];
  /** All checkpoints that a thread wrote. */
  checkpointLinks(threadId: string): readonly CheckpointLink[];
}

/** A changed record: as it was read (`undefined`: new) and as it shall be. */
export interface Change<Row> {
  readonly before: Row | undefined;
  readonly after: Row;
}

/** All that one transaction writes, in an order in which no constraint is broken on the way. */
export interface Changes {
  readonly threads: readonly Change<ThreadRecord>[];
  /** Releases of a thread's mutex come before promotions. */
  readonly runs: readonly Change<RunRecord>[];
  readonly checkpoints: readonly CheckpointRecord[];
  readonly events: readonly EventRecord[];
  readonly keys: readonly KeyRecord[];
  readonly memos: readonly MemoRecord[];
  /** New ones, and those that are there already. */
  readonly questions: readonly QuestionRecord[];
  readonly origins: readonly OriginRecord[];
  readonly tombstones: readonly TombstoneRecord[];
  readonly removals: readonly Removal[];
}

export type Removal =
  /** The thread's row, runs, their memos and questions, and events. Its checkpoints are told apart: copies may need them. */
  | { readonly type: "thread"; readonly id: string }
  /** A run's row, memos and questions; a thread run's events lose their payload, a stateless run's log and checkpoints go with it. */
  | { readonly type: "run"; readonly id: string; readonly threadId: string | null; readonly lineageId: string }
  /** What a run made its lineage remember. */
  | { readonly type: "memos"; readonly runId: string; readonly lineageId: string }
  | { readonly type: "checkpoints"; readonly ids: readonly string[] }
  /** Not the row: its parent. From here on it holds its values whole; `body` `null`: as it does already. */
  | { readonly type: "parent"; readonly id: string; readonly body: string | null; readonly valuesBytes: number }
  | { readonly type: "checkpoints_of"; readonly threadId: string }
  | { readonly type: "origin"; readonly threadId: string }
  | { readonly type: "tombstone"; readonly threadId: string };

class Table<Row extends { readonly id: string }> {
  readonly changed = new Map<string, { before: Row | undefined; after: Row | undefined }>();
  /** How many stored rows the changes may hide, so how many more must be read to see past them. */
  hidden = 0;
  constructor(private readonly read: (id: string) => Row | undefined) {}

  get(id: string): Row | undefined {
    const entry = this.changed.get(id);
    return entry === undefined ? this.read(id) : entry.after;
  }

  put(row: Row): Row {
    const entry = this.changed.get(row.id);
    if (entry !== undefined) entry.after = row;
    else this.#hide(row.id, this.read(row.id), row);
    return row;
  }

  /** As `put`, for a row that is known to be new: saves the read. */
  insert(row: Row): Row {
    if (this.changed.has(row.id)) throw new Error(`there is a row "${row.id}" already`);
    this.changed.set(row.id, { before: undefined, after: row });
    return row;
  }

  remove(id: string): void {
    this.#hide(id, this.changed.get(id)?.before, undefined);
  }

  changes(): Change<Row>[] {
    const list: Change<Row>[] = [];
    for (const { before, after } of this.changed.values()) {
      if (after !== undefined && after !== before) list.push({ before, after });
    }
    return list;
  }

  #hide(id: string, before: Row | undefined, after: Row | undefined): void {
    this.changed.set(id, { before, after });
    this.hidden++;
  }
}

const byPlace = (a: RunRecord, b: RunRecord): number => (a.queuePosition ?? 0) - (b.queuePosition ?? 0);

/** Waits for its turn. */
export function isQueued(run: RunRecord): boolean {
  return run.queuePosition !== null && run.steers === null;
}

/** Waits to be taken by the live run. */
export function isHandedOver(run: RunRecord): boolean {
  return run.queuePosition !== null && run.steers !== null;
}

/** Claim order: DESIGN section 9. Ids break ties, in binary order. */
export function byUrgency(a: RunRecord, b: RunRecord): number {
  return (
    b.priority - a.priority || a.availableAt - b.availableAt || a.createdAt - b.createdAt || compareText(a.id, b.id)
  );
}

export function isClaimable(run: RunRecord, query: Pick<ClaimQuery, "agents" | "now">): boolean {
  return run.status === "pending" && run.active && run.availableAt <= query.now && query.agents.includes(run.agent);
}

export class UnitOfWork {
  readonly #reader: RecordReader;
  readonly #threads: Table<ThreadRecord>;
  readonly #runs: Table<RunRecord>;
  /** Of the changed runs those that wait for a claim: few, where a batch claims most runs that it accepts. */
  readonly #waiting = new Map<string, RunRecord>();
  readonly #keys = new Map<string, KeyRecord>();
  readonly #memos = new Map<string, MemoRecord>();
  readonly #questions = new Map<string, QuestionRecord>();
  readonly #checkpoints = new Map<string, CheckpointRecord>();
  readonly #events: EventRecord[] = [];
  readonly #origins: OriginRecord[] = [];
  readonly #tombstones = new Map<string, TombstoneRecord>();
  readonly #removals: Removal[] = [];
  #effects: Effect[] = [];

  /** @param now epoch ms, the storage's clock, the same for the whole transaction */
  constructor(
    reader: RecordReader,
    readonly now: number,
  ) {
    this.#reader = reader;
    this.#threads = new Table((id) => reader.thread(id));
    this.#runs = new Table((id) => reader.run(id));
  }

  thread(id: string): ThreadRecord | undefined {
    return this.#threads.get(id);
  }

  putThread(thread: ThreadRecord): ThreadRecord {
    return this.#threads.put(thread);
  }

  /** The tombstone, where the thread is gone. */
  tombstone(threadId: string): TombstoneRecord | undefined {
    return this.#tombstones.get(threadId) ?? this.#reader.tombstone(threadId);
  }

  run(id: string): RunRecord | undefined {
    return this.#runs.get(id);
  }

  putRun(run: RunRecord): RunRecord {
    this.#noteWaiting(run);
    return this.#runs.put(run);
  }

  insertRun(run: RunRecord): RunRecord {
    this.#noteWaiting(run);
    return this.#runs.insert(run);
  }

  /** The thread's queued run that is next in line. */
  nextQueued(threadId: string): RunRecord | undefined {
    const stored = this.#reader.queue(threadId, this.#runs.hidden + 1);
    const queued = this.#overlay(stored, (run) => run.threadId === threadId && isQueued(run));
    return queued.sort(byPlace)[0];
  }

  /** Runs that wait to be taken by the live run, in the order in which they came. */
  steeredRuns(threadId: string): RunRecord[] {
    const stored = this.#reader.steeredRuns(threadId);
    return this.#overlay(stored, (run) => run.threadId === threadId && isHandedOver(run)).sort(byPlace);
  }

  /** All that wait for their turn or to be taken, by place. */
  waitingRuns(threadId: string): RunRecord[] {
    const limit = (this.thread(threadId)?.queueLength ?? 0) + this.#runs.hidden;
    const stored = [...this.#reader.queue(threadId, limit), ...this.#reader.steeredRuns(threadId)];
    return this.#overlay(stored, (run) => run.threadId === threadId && run.queuePosition !== null).sort(byPlace);
  }

  /** By id, so that what is told of them does not depend on the storage. */
  unsettledRuns(threadId: string): RunRecord[] {
    const stored = this.#reader.unsettledRuns(threadId);
    const unsettled = this.#overlay(stored, (run) => run.threadId === threadId && !isSettled(run.status));
    return unsettled.sort((a, b) => compareText(a.id, b.id));
  }

  claimable(query: Omit<ClaimQuery, "now">): RunRecord[] {
    const { agents, limit } = query;
    const stored = this.#reader.claimable({ agents, limit: limit + this.#runs.hidden, now: this.now });
    const due = stored.filter((run) => !this.#runs.changed.has(run.id));
    for (const run of this.#waiting.values()) if (isClaimable(run, { agents, now: this.now })) due.push(run);
    return due.sort(byUrgency).slice(0, limit);
  }

  key(ref: KeyRef): KeyRecord | undefined {
    return this.#keys.get(keyId(ref)) ?? this.#reader.key(ref);
  }

  putKey(key: KeyRecord): void {
    this.#keys.set(keyId(key), key);
  }

  memo(ref: MemoRef): MemoRecord | undefined {
    const memo = this.#memos.get(memoId(ref)) ?? this.#reader.memo(ref);
    return memo === undefined || this.#isForgotten(memo) ? undefined : memo;
  }

  /** Of a lineage, by key. */
  questions(lineageId: string): QuestionRecord[] {
    const questions = new Map(this.#reader.questions(lineageId).map((question) => [questionId(question), question]));
    for (const [id, question] of this.#questions) if (question.lineageId === lineageId) questions.set(id, question);
    return [...questions.values()].sort((a, b) => compareText(a.key, b.key));
  }

  putQuestion(question: QuestionRecord): void {
    this.#questions.set(questionId(question), question);
  }

  putMemo(memo: MemoRecord): void {
    this.#memos.set(memoId(memo), memo);
  }

  checkpoint(id: string): CheckpointHead | undefined {
    const own = this.#checkpoints.get(id);
    if (own === undefined) return this.#reader.checkpoint(id);
    return { ...own, bodyBytes: own.body === null ? 0 : byteLength(own.body) };
  }

  insertCheckpoint(checkpoint: CheckpointRecord): void {
    if (this.#checkpoints.has(checkpoint.id)) throw new Error(`there is a checkpoint "${checkpoint.id}" already`);
    this.#checkpoints.set(checkpoint.id, checkpoint);
    this.tell({ type: "checkpoint", id: checkpoint.id, kind: checkpoint.kind });
  }

  appendEvent(event: EventRecord): void {
    this.#events.push(event);
    this.tell({ type: "event", event });
  }

  origin(threadId: string): OriginRecord | undefined {
    return this.#origins.find((o) => o.threadId === threadId) ?? this.#reader.origin(threadId);
  }

  originsFrom(ownerId: string): OriginRecord[] {
    const own = this.#origins.filter((o) => o.ownerId === ownerId);
    return [...this.#reader.originsFrom(ownerId), ...own];
  }

  checkpointLinks(threadId: string): CheckpointLink[] {
    const own = [...this.#checkpoints.values()].filter((c) => c.threadId === threadId);
    return [...this.#reader.checkpointLinks(threadId), ...own];
  }

  putOrigin(origin: OriginRecord): void {
    this.#origins.push(origin);
  }

  putTombstone(tombstone: TombstoneRecord): void {
    this.#tombstones.set(tombstone.threadId, tombstone);
  }

  /** Remove rows. What this transaction itself wrote of them is forgotten as well. */
  remove(removal: Removal): void {
    this.#removals.push(removal);
    if (removal.type === "run") this.dropRun(removal.id);
    if (removal.type === "thread") this.#threads.remove(removal.id);
  }

  /** Forget a run's pending change: its row goes with its thread. */
  dropRun(id: string): void {
    this.#waiting.delete(id);
    this.#runs.remove(id);
  }

  tell(effect: Effect): void {
    this.#effects.push(effect);
  }

  /** The effects since the last call: those of one intent. */
  takeEffects(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  changes(): Changes {
    const runs = this.#runs.changes();
    return {
      threads: this.#threads.changes(),
      runs: [...runs.filter((c) => !c.after.active), ...runs.filter((c) => c.after.active)],
      checkpoints: [...this.#checkpoints.values()],
      events: this.#events,
      keys: [...this.#keys.values()],
      memos: [...this.#memos.values()].filter((memo) => !this.#isForgotten(memo)),
      questions: [...this.#questions.values()],
      origins: this.#origins,
      tombstones: [...this.#tombstones.values()],
      removals: this.#removals,
    };
  }

  #isForgotten({ runId }: MemoRecord): boolean {
    return this.#removals.some((removal) => removal.type === "memos" && removal.runId === runId);
  }

  #noteWaiting(run: RunRecord): void {
    if (run.status === "pending" && run.active) this.#waiting.set(run.id, run);
    else this.#waiting.delete(run.id);
  }

  /** Stored records with this transaction's changes laid over them. */
  #overlay(stored: readonly RunRecord[], belongs: (run: RunRecord) => boolean): RunRecord[] {
    if (this.#runs.changed.size === 0) return [...stored];
    const list = stored.filter((run) => !this.#runs.changed.has(run.id));
    for (const { after } of this.#runs.changed.values()) {
      if (after !== undefined && belongs(after)) list.push(after);
    }
    return list;
  }
}

export function keyId(ref: KeyRef): string {
  return JSON.stringify([ref.scope, ref.agent, ref.key]);
}
