/** All records of a memory storage: what a unit of work reads, and where its changes go. */

import type { CheckpointHead, CheckpointRecord } from "../model/checkpoint.js";
import { streamOf, threadStream } from "../model/event.js";
import { byteLength } from "../model/json.js";
import { type MemoRecord, type MemoRef, memoId } from "../model/memo.js";
import { type QuestionRecord, questionId } from "../model/question.js";
import type { RunRecord } from "../model/run.js";
import type { KeyRecord, ThreadRecord, TombstoneRecord } from "../model/thread.js";
import {
  type Changes,
  type CheckpointLink,
  type ClaimQuery,
  isHandedOver,
  type KeyRef,
  keyId,
  type OriginRecord,
  type RecordReader,
  type Removal,
} from "../model/unit-of-work.js";
import { EventLog } from "./event-log.js";
import { Journal } from "./journal.js";
import { GroupIndex, indexes, MemoryTable } from "./memory-table.js";
import { RunIndexes } from "./run-indexes.js";

const idOf = (row: { readonly id: string }): string => row.id;
const threadIdOf = (row: { readonly threadId: string }): string => row.threadId;

export class MemoryTables implements RecordReader {
  readonly journal = new Journal();
  readonly runIndexes = new RunIndexes();
  readonly runs = new MemoryTable<RunRecord>(this.journal, idOf, this.runIndexes);
  readonly threads = new MemoryTable<ThreadRecord>(this.journal, idOf);
  readonly events = new EventLog(this.journal);
  readonly keys = new MemoryTable<KeyRecord>(this.journal, keyId);
  readonly #memosOf = new GroupIndex<MemoRecord>((memo) => memo.lineageId, memoId);
  readonly memos = new MemoryTable<MemoRecord>(this.journal, memoId, this.#memosOf);
  readonly #questionsOf = new GroupIndex<QuestionRecord>((question) => question.lineageId, questionId);
  readonly openQuestionsOf = new GroupIndex<QuestionRecord>(threadOfOpen, questionId);
  readonly questionRows = new MemoryTable<QuestionRecord>(
    this.journal,
    questionId,
    indexes(this.#questionsOf, this.openQuestionsOf),
  );
  readonly tombstones = new MemoryTable<TombstoneRecord>(this.journal, threadIdOf);
  readonly #checkpointsOf = new GroupIndex<CheckpointRecord>(ownerOf, idOf);
  readonly checkpoints = new MemoryTable<CheckpointRecord>(this.journal, idOf, this.#checkpointsOf);
  readonly #originsFrom = new GroupIndex<OriginRecord>((origin) => origin.ownerId, threadIdOf);
  readonly origins = new MemoryTable<OriginRecord>(this.journal, threadIdOf, this.#originsFrom);

  thread(id: string): ThreadRecord | undefined {
    return this.threads.get(id);
  }

  tombstone(threadId: string): TombstoneRecord | undefined {
    return this.tombstones.get(threadId);
  }

  run(id: string): RunRecord | undefined {
    return this.runs.get(id);
  }

  queue(threadId: string, limit: number): readonly RunRecord[] {
    return this.runIndexes.queue(threadId, limit);
  }

  steeredRuns(threadId: string): readonly RunRecord[] {
    return this.unsettledRuns(threadId).filter(isHandedOver);
  }

  unsettledRuns(threadId: string): readonly RunRecord[] {
    return this.runIndexes.unsettledOfThread.of(threadId);
  }

  claimable(query: ClaimQuery): readonly RunRecord[] {
    return this.runIndexes.claims.first(query);
  }

  key(ref: KeyRef): KeyRecord | undefined {
    return this.keys.get(keyId(ref));
  }

  memo(ref: MemoRef): MemoRecord | undefined {
    return this.memos.get(memoId(ref));
  }

  memosOf(lineageId: string): readonly MemoRecord[] {
    return this.#memosOf.of(lineageId);
  }

  questions(lineageId: string): readonly QuestionRecord[] {
    return this.#questionsOf.of(lineageId);
  }

  checkpoint(id: string): CheckpointHead | undefined {
    const checkpoint = this.checkpoints.get(id);
    return checkpoint && headOf(checkpoint);
  }

  origin(threadId: string): OriginRecord | undefined {
    return this.origins.get(threadId);
  }

  originsFrom(ownerId: string): readonly OriginRecord[] {
    return this.#originsFrom.of(ownerId);
  }

  checkpointLinks(threadId: string): readonly CheckpointLink[] {
    return this.checkpointsOf(threadId);
  }

  checkpointsOf(threadId: string): readonly CheckpointRecord[] {
    return this.#checkpointsOf.of(threadStream(threadId));
  }

  /** Write what a unit of work changed: all of it, or nothing where it does not fit. */
  write(changes: Changes): void {
    this.#check(changes);
    for (const { after } of changes.threads) this.threads.put(after);
    for (const { after } of changes.runs) this.runs.put(after);
    for (const checkpoint of changes.checkpoints) this.checkpoints.put(checkpoint);
    for (const event of changes.events) this.events.append(event);
    for (const key of changes.keys) this.keys.put(key);
    for (const memo of changes.memos) this.memos.put(memo);
    for (const question of changes.questions) this.questionRows.put(question);
    for (const origin of changes.origins) this.origins.put(origin);
    for (const tombstone of changes.tombstones) this.tombstones.put(tombstone);
    for (const removal of changes.removals) this.#remove(removal);
  }

  /** A database's primary keys: an id that is taken is taken, before anything is written. */
  #check(changes: Changes): void {
    for (const { before, after } of changes.runs) {
      if (before === undefined && this.runs.get(after.id)) throw new Error(`there is a run "${after.id}" already`);
    }
    for (const { id } of changes.checkpoints) {
      if (this.checkpoints.get(id)) throw new Error(`there is a checkpoint "${id}" already`);
    }
  }

  #remove(removal: Removal): void {
    switch (removal.type) {
      case "thread":
        this.#removeThread(removal.id);
        break;
      case "run":
        this.#removeRun(removal);
        break;
      case "memos":
        this.#removeMemos(removal.lineageId, removal.runId);
        break;
      case "checkpoints":
        for (const id of removal.ids) this.checkpoints.delete(id);
        break;
      case "parent":
        this.#part(removal);
        break;
      case "checkpoints_of":
        this.#removeCheckpoints(threadStream(removal.threadId));
        break;
      case "origin":
        this.origins.delete(removal.threadId);
        break;
      case "tombstone":
        this.tombstones.delete(removal.threadId);
    }
  }

  #part({ id, body, valuesBytes }: Extract<Removal, { type: "parent" }>): void {
    const checkpoint = this.checkpoints.get(id);
    if (checkpoint === undefined) return;
    const whole = body === null ? {} : ({ encoding: "snapshot", body, valuesBytes } as const);
    this.checkpoints.put({ ...checkpoint, parentId: null, ...whole });
  }

  #removeThread(id: string): void {
    for (const run of this.runIndexes.ofThread.of(id)) {
      this.#removeMemos(run.lineageId, run.id);
      this.#removeQuestions(run.lineageId, run.id);
      this.runs.delete(run.id);
    }
    this.runIndexes.dropQueue(id);
    this.events.drop(threadStream(id));
    this.threads.delete(id);
  }

  #removeRun({ id, threadId, lineageId }: Extract<Removal, { type: "run" }>): void {
    this.#removeMemos(lineageId, id);
    this.#removeQuestions(lineageId, id);
    this.runs.delete(id);
    if (threadId !== null) {
      this.events.blank(threadStream(threadId), id);
      return;
    }
    const stream = streamOf({ id, threadId });
    this.events.drop(stream);
    this.#removeCheckpoints(stream);
  }

  #removeMemos(lineageId: string, runId: string): void {
    for (const memo of this.#memosOf.of(lineageId)) if (memo.runId === runId) this.memos.delete(memoId(memo));
  }

  #removeQuestions(lineageId: string, runId: string): void {
    for (const question of this.questions(lineageId)) {
      if (question.runId === runId) this.questionRows.delete(questionId(question));
    }
  }

  #removeCheckpoints(owner: string): void {
    for (const { id } of this.#checkpointsOf.of(owner)) this.checkpoints.delete(id);
  }
}

function threadOfOpen({ status, threadId }: QuestionRecord): string | null {
  return status === "open" ? threadId : null;
}

/** Whom a checkpoint goes with, named as its stream is: a thread, or a stateless run. */
function ownerOf({ threadId, runId }: CheckpointRecord): string | null {
  if (threadId !== null) return threadStream(threadId);
  return runId === null ? null : streamOf({ id: runId, threadId });
}

export function headOf({ body, ...head }: CheckpointRecord): CheckpointHead {
  return { ...head, bodyBytes: body === null ? 0 : byteLength(body) };
}
