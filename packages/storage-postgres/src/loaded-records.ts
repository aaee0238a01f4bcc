/** What was loaded for a batch: the unit of work reads from here and nowhere else. */

import type {
  CheckpointHead,
  CheckpointLink,
  ClaimQuery,
  Intent,
  KeyRecord,
  KeyRef,
  MemoRecord,
  MemoRef,
  OriginRecord,
  QuestionRecord,
  RecordReader,
  RunRecord,
  ThreadRecord,
  TombstoneRecord,
} from "@heddle/core/storage";
import { isClaimable, keyId, memoId } from "@heddle/core/storage";

export class LoadedRecords implements RecordReader {
  readonly threads = new Map<string, ThreadRecord>();
  /** Threads that were looked for: those that were not found are not there. */
  readonly asked = new Set<string>();
  /** Threads that somebody else holds. */
  readonly held = new Set<string>();
  readonly runs = new Map<string, RunRecord>();
  readonly queues = new Map<string, RunRecord[]>();
  readonly steered = new Map<string, RunRecord[]>();
  readonly unsettled = new Map<string, RunRecord[]>();
  readonly tombstones = new Map<string, TombstoneRecord>();
  readonly keys = new Map<string, KeyRecord>();
  readonly memos = new Map<string, MemoRecord>();
  readonly questionsById = new Map<string, QuestionRecord>();
  readonly checkpoints = new Map<string, CheckpointHead>();
  readonly origins: OriginRecord[] = [];
  readonly links = new Map<string, CheckpointLink & { readonly threadId: string }>();
  /** By the agents asked for. */
  readonly claims = new Map<string, RunRecord[]>();
  readonly peeks = new Map<string, RunRecord[]>();
  /** Runs that an intent names: not among the claims and peeks, which leave them out. */
  readonly named = new Set<string>();
  #serving: Intent["kind"] | undefined;

  /** Whose intent is applied next: an accepted run is only compared with what waits, a claim may take it. */
  serve(kind: Intent["kind"]): void {
    this.#serving = kind;
  }

  /**
   * A thread that nobody looked for, or that somebody else holds, must not be taken for one that is not there: its log
   * would begin again.
   */
  thread(id: string): ThreadRecord | undefined {
    const thread = this.threads.get(id);
    if (thread === undefined && (!this.asked.has(id) || this.held.has(id)))
      throw new Error(`thread "${id}" was not loaded`);
    return thread;
  }

  tombstone(threadId: string): TombstoneRecord | undefined {
    return this.tombstones.get(threadId);
  }

  run(id: string): RunRecord | undefined {
    return this.runs.get(id);
  }

  queue(threadId: string): readonly RunRecord[] {
    return this.queues.get(threadId) ?? [];
  }

  steeredRuns(threadId: string): readonly RunRecord[] {
    return this.steered.get(threadId) ?? [];
  }

  unsettledRuns(threadId: string): readonly RunRecord[] {
    return this.unsettled.get(threadId) ?? [];
  }

  /** All there is, in no order: the unit of work sorts, and leaves out what the batch has changed. */
  claimable(query: ClaimQuery): readonly RunRecord[] {
    const found = this.#serving === "claim_runs" ? this.claims : this.peeks;
    const named = [...this.named].flatMap((id) => this.runs.get(id) ?? []).filter((run) => this.#may(run, query));
    return [...named, ...(found.get(JSON.stringify(query.agents)) ?? [])];
  }

  /** A run was named and locked; its thread may be somebody else's all the same. */
  #may(run: RunRecord, query: ClaimQuery): boolean {
    const isHeld = run.threadId !== null && !this.threads.has(run.threadId);
    return !isHeld && isClaimable(run, query);
  }

  key(ref: KeyRef): KeyRecord | undefined {
    return this.keys.get(keyId(ref));
  }

  memo(ref: MemoRef): MemoRecord | undefined {
    return this.memos.get(memoId(ref));
  }

  questions(lineageId: string): readonly QuestionRecord[] {
    return [...this.questionsById.values()].filter((question) => question.lineageId === lineageId);
  }

  checkpoint(id: string): CheckpointHead | undefined {
    return this.checkpoints.get(id);
  }

  origin(threadId: string): OriginRecord | undefined {
    return this.origins.find((origin) => origin.threadId === threadId);
  }

  originsFrom(ownerId: string): readonly OriginRecord[] {
    return this.origins.filter((origin) => origin.ownerId === ownerId);
  }

  checkpointLinks(threadId: string): readonly CheckpointLink[] {
    return [...this.links.values()].filter((link) => link.threadId === threadId);
  }
}
