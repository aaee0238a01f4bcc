/**
 * Intents: everything that may be asked of a storage to change, one type per question.
 *
 * Each intent carries its own guard and gets its own result, so independent intents share one transaction (group
 * commit). An intent either changes all it says or throws before it changed anything; its refusal never harms its
 * neighbours. All ids, JSON texts and random numbers come from the caller, so applying an intent is deterministic.
 */

import type { CheckpointKind, CheckpointRecord } from "../checkpoint.js";
import type { EventRecord } from "../event.js";
import type { JsonObject } from "../json.js";
import type { MemoRecord } from "../memo.js";
import type { QuestionRecord } from "../question.js";
import type { BusyStrategy, CancelReason, RunError, RunRecord } from "../run.js";
import type { ThreadRecord } from "../thread.js";

/** An event to append; the storage gives it its number. */
export interface NewEvent {
  readonly type: string;
  /** JSON text. */
  readonly payload: string;
  /** Stored once per lineage: an attempt that emits it again changes nothing. */
  readonly key?: string;
}

/** What the lineage shall remember; the first of a key counts. */
export type NewMemo = Pick<MemoRecord, "kind" | "key" | "body">;

/** A question to store, or to ask again. */
export type NewQuestion = Pick<QuestionRecord, "key" | "payload" | "schema"> & {
  /** ms from the settle. */
  readonly expiresIn: number | null;
};

/** A checkpoint to write: its parent is the run's newest checkpoint, its thread the run's. */
export interface NewCheckpoint {
  readonly id: string;
  readonly encoding: CheckpointRecord["encoding"];
  readonly body: string | null;
  readonly valuesBytes: number | null;
  /** Top-level keys that changed; they go into the `values_updated` event. */
  readonly changedKeys: readonly string[];
}

/** A checkpoint that is there already. */
export interface CheckpointRef {
  readonly id: string;
  /** The thread shares it with the one it was copied from, as the caller saw. Otherwise it must be the thread's own. */
  readonly isShared: boolean;
}

/** Names an attempt that holds a lease. Writes under it are refused with `LEASE_LOST` once `attempt` moved on. */
export interface AttemptRef {
  readonly runId: string;
  readonly threadId: string | null;
  readonly lineageId: string;
  readonly attempt: number;
}

export interface Claimer {
  readonly worker: string;
  /** ms from the storage's now. */
  readonly lease: number;
}

/**
 * Accept a run. Guards in order: the parent's token and what it remembers of this child, idempotency key, thread exists,
 * deadlock, busy policy, queue bound.
 */
export interface AcceptRun {
  readonly kind: "accept_run";
  readonly run: NewRun;
  /** What it does when the thread is busy. */
  readonly whenBusy: BusyStrategy;
  /** The caller named no strategy: the thread's own counts instead, where it has one. */
  readonly threadDecides?: boolean;
  /** Of the run that it supersedes, should that settle at once. */
  readonly finalCheckpointId: string;
  /** Create the thread where it does not exist. */
  readonly createThread: boolean;
  /** Begin there instead of at the thread's head, which moves there when the run becomes active. */
  readonly from?: CheckpointRef;
  readonly queueBound: number;
  readonly idempotency?: {
    readonly key: string;
    readonly fingerprint: string;
    /** ms; the key outlives its run at least until accepted + keep. */
    readonly keep: number;
  };
  /**
   * Claim it in the same transaction, unless an older or more urgent run of `agents` is claimable.
   */
  readonly claim?: Claimer & { readonly agents: readonly string[] };
  readonly child?: ChildStart;
}

/** An attempt starts the run as a child, once per lineage and key. The child's deadline is never later than its own. */
export interface ChildStart {
  readonly attempt: AttemptRef;
  readonly key: string;
  /** The attempt's lineage and its ancestors': a child that waits for a thread that one of them holds waits for ever. */
  readonly family: readonly string[];
}

export type NewRun = Pick<
  RunRecord,
  | "id"
  | "threadId"
  | "agent"
  | "lineageId"
  | "parentRunId"
  | "parentThreadId"
  | "input"
  | "config"
  | "metadata"
  | "policy"
  | "priority"
  | "settleHook"
> & {
  /** ms after acceptance; 0 = at once. */
  readonly delay: number;
  /** ms after acceptance. */
  readonly deadline: number | null;
};

export interface Accepted {
  readonly run: RunRecord;
  /** `existing`: the idempotency key, or the parent's key of this child, named this run already. */
  readonly outcome: "accepted" | "existing";
  /** Present when the run was claimed in the same transaction. */
  readonly claimed?: RunRecord;
}

/** Claim up to `limit` pending, active, due runs of `agents`: by priority, then oldest due first. */
export interface ClaimRuns extends Claimer {
  readonly kind: "claim_runs";
  readonly agents: readonly string[];
  readonly limit: number;
}

/** Prolong leases. Says of each whether it is still held, and whether a cancel was requested. */
export interface ExtendLeases extends Claimer {
  readonly kind: "extend_leases";
  readonly attempts: readonly AttemptRef[];
}

export interface LeaseState {
  readonly runId: string;
  readonly attempt: number;
  /** `undefined`: the lease is lost. */
  readonly run: RunRecord | undefined;
}

/** Append an attempt's events and memos and, optionally, a mid-run checkpoint. Guard: the attempt's token. */
export interface RecordProgress {
  readonly kind: "record_progress";
  readonly attempt: AttemptRef;
  /**
   * The number of the run's newest event as the attempt knows it. Only the attempt writes to its run: where the run has
   * moved on, this very intent was carried out before and its answer got lost. Then nothing is written again.
   */
  readonly after?: number;
  readonly events: readonly NewEvent[];
  readonly memos?: readonly NewMemo[];
  readonly checkpoint?: NewCheckpoint;
}

export type Outcome =
  | { readonly status: "succeeded"; readonly output: string }
  | { readonly status: "failed"; readonly error: RunError; readonly counts: "failure" | "none" }
  | { readonly status: "canceled"; readonly reason: CancelReason }
  | {
      readonly status: "interrupted";
      readonly questions: readonly NewQuestion[];
      /** The next run of the lineage, should one of them have been answered meanwhile. */
      readonly nextRunId: string;
    };

/**
 * Settle a run: status, output or error, checkpoint, head, terminal event, release of the mutex, promotion of the next
 * queued run; all or nothing. A run whose cancel was requested settles as canceled whatever its outcome says.
 */
export interface SettleRun {
  readonly kind: "settle_run";
  readonly attempt: AttemptRef;
  readonly outcome: Outcome;
  /** Events that the attempt emitted and that were not recorded yet. */
  readonly events: readonly NewEvent[];
  /** Ignored where the run does not end as succeeded. A thread run without one gets an unchanged final checkpoint. */
  readonly checkpoint?: NewCheckpoint;
  /** Id of the unchanged final checkpoint, should one be needed. */
  readonly finalCheckpointId: string;
  /** Runs that were handed to this one and that it took: they settle with it. Others go on as runs of their own. */
  readonly taken?: readonly string[];
}

/**
 * Give a running run back: it goes on later, keeps the mutex. Guard: the attempt's token. `sleep` and `child` suspend it:
 * that is neither a failure nor a crash.
 */
export interface ReleaseRun {
  readonly kind: "release_run";
  readonly attempt: AttemptRef;
  readonly why: "retry" | "shutdown" | "sleep" | "child";
  readonly events: readonly NewEvent[];
  readonly error?: RunError;
  /** ms from now. */
  readonly delay: number;
  /** Of a suspended run, in place of the delay: epoch ms by the storage's clock. Absent: only a child's end wakes it. */
  readonly until?: number;
  /** Lineages of children: the end of one of them wakes it. */
  readonly awaits?: readonly string[];
  /** Used when a cancel was requested meanwhile: then the run settles instead. */
  readonly finalCheckpointId: string;
}

/**
 * Cancel: a waiting run settles at once; a running one gets its signal and a grace period. A waiting run that is active
 * and has a settle hook is handed to the next attempt instead, which ends as canceled. The reason `rolled_back` also
 * takes back what the run did to its thread.
 */
export interface CancelRun {
  readonly kind: "cancel_run";
  readonly runId: string;
  readonly threadId: string | null;
  readonly reason: CancelReason;
  /** ms; default: the run's own. */
  readonly grace?: number;
  readonly finalCheckpointId: string;
}

export interface Canceled {
  readonly run: RunRecord;
  /** `settled`: it waited, and is settled now. `requested`: it runs. `late`: it was settled before. */
  readonly outcome: "settled" | "requested" | "late";
}

/**
 * Apply what time has made due to a run: a lost lease, a passed deadline, a passed cancel grace, a delay that is over;
 * or wake it for a child that is done.
 * Changes nothing where nothing is due, so anyone may send it at any time.
 */
export interface TendRun {
  readonly kind: "tend_run";
  readonly runId: string;
  readonly threadId: string | null;
  /** Workers that are proved dead: their leases count as expired. */
  readonly deadWorkers: readonly string[];
  /** A child's lineage that is over: that wakes a run that waits for it. */
  readonly childDone?: string;
  readonly finalCheckpointId: string;
}

/**
 * Answer questions of one lineage, and start its next run unless one is under way: that one gets the answers should it still
 * ask. Guards: each question is there (`QUESTION_NOT_FOUND`) and open (`QUESTION_CLOSED`).
 */
export interface AnswerQuestions {
  readonly kind: "answer_questions";
  readonly lineageId: string;
  readonly threadId: string | null;
  /** At least one. */
  readonly answers: readonly NewAnswer[];
  readonly nextRunId: string;
  /** Claim the next run in the same transaction, unless an older or more urgent run of `agents` is claimable. */
  readonly claim?: AcceptRun["claim"];
}

export interface NewAnswer extends Pick<QuestionRecord, "key" | "schema"> {
  /** JSON text. It was found to fit `schema`. */
  readonly answer: string;
}

export type Answered =
  /** `stored`: a run of the lineage is under way. */
  | { readonly outcome: "started" | "stored"; readonly run: RunRecord; readonly claimed?: RunRecord }
  /** A question was asked again with another schema meanwhile: nothing was changed. */
  | { readonly outcome: "stale"; readonly run?: undefined; readonly claimed?: undefined };

/**
 * Delete a settled run: its row; a thread keeps the checkpoints, and the events without payload. A stateless run goes with
 * all runs of its lineage. Refused while a run of its lineage is unsettled.
 */
export interface DeleteRun {
  readonly kind: "delete_run";
  readonly runId: string;
  readonly threadId: string | null;
}

export interface CreateThread {
  readonly kind: "create_thread";
  readonly id: string;
  readonly title: string | null;
  readonly metadata: string;
  readonly values?: NewCheckpoint;
  readonly whenBusy?: BusyStrategy | null;
  readonly ifExists: "fail" | "return";
}

/** Change title, metadata (a JSON merge patch on the top level: `null` removes, RFC 7396) or the archived mark. */
export interface UpdateThread {
  readonly kind: "update_thread";
  readonly id: string;
  readonly title?: string | null;
  readonly metadata?: JsonObject;
  readonly archived?: boolean;
  readonly whenBusy?: BusyStrategy | null;
  /** Bytes of metadata allowed. */
  readonly maxMetadata: number;
}

/** A new thread that shares `from`'s history up to `at`, else its head: constant time and bytes. */
export interface CopyThread {
  readonly kind: "copy_thread";
  readonly from: string;
  readonly at?: CheckpointRef;
  readonly id: string;
  readonly title?: string | null;
  readonly metadata?: string;
}

/**
 * Move an idle thread's head: to a checkpoint of its tree, to a new one with edited values, or both. What was behind the
 * head stays a branch. Guards: thread exists, not busy, `to` is there.
 */
export interface MoveHead {
  readonly kind: "move_head";
  readonly threadId: string;
  /** Default: where the head is. */
  readonly to?: CheckpointRef;
  /** The head as the caller read it: where it is another one by now, nothing is changed. */
  readonly expectedHead?: string | null;
  /** Edited values: a child of `to`, else of the head. */
  readonly checkpoint?: NewCheckpoint;
}

export interface HeadMoved {
  /** `stale`: the head is not where it was expected, and nothing was changed. */
  readonly outcome: "moved" | "stale";
  readonly thread: ThreadRecord;
}

/**
 * Remove checkpoints of a thread. What must stay does, whatever is asked: the head, where unsettled runs began and are,
 * whatever copies go on from with all its ancestors, and the parents of what stays and is not made to stand alone.
 */
export interface PruneCheckpoints {
  readonly kind: "prune_checkpoints";
  readonly threadId: string;
  readonly ids: readonly string[];
  /** Checkpoints that stay and lose their parents. */
  readonly snapshots: readonly WholeValues[];
}

/** What lets a checkpoint stand alone. */
export interface WholeValues {
  readonly id: string;
  /** JSON text of its values; `null`: it holds them whole already. */
  readonly body: string | null;
  readonly valuesBytes: number;
}

/** Delete a thread with its runs, events and checkpoints; unsettled runs are canceled without grace. */
export interface DeleteThread {
  readonly kind: "delete_thread";
  readonly id: string;
  /** ms that the tombstone stays. */
  readonly keepTombstone: number;
}

/** Remove checkpoints that no copy needs: those of a deleted thread, or those that a rolled-back run wrote. */
export interface CollectCheckpoints {
  readonly kind: "collect_checkpoints";
  readonly threadId: string;
  /** All checkpoints of the rolled-back run, newest first. */
  readonly rolledBack?: readonly string[];
}

export type Intent =
  | AcceptRun
  | ClaimRuns
  | ExtendLeases
  | RecordProgress
  | SettleRun
  | ReleaseRun
  | CancelRun
  | TendRun
  | AnswerQuestions
  | DeleteRun
  | CreateThread
  | UpdateThread
  | CopyThread
  | MoveHead
  | PruneCheckpoints
  | DeleteThread
  | CollectCheckpoints;

/** What each intent answers. */
export interface IntentValues {
  readonly accept_run: Accepted;
  readonly claim_runs: readonly RunRecord[];
  readonly extend_leases: readonly LeaseState[];
  readonly record_progress: RunRecord;
  readonly settle_run: RunRecord;
  readonly release_run: RunRecord;
  readonly cancel_run: Canceled;
  readonly tend_run: RunRecord | undefined;
  readonly answer_questions: Answered;
  readonly delete_run: undefined;
  readonly create_thread: ThreadRecord;
  readonly update_thread: ThreadRecord;
  readonly copy_thread: ThreadRecord;
  readonly move_head: HeadMoved;
  readonly prune_checkpoints: { readonly removed: number };
  readonly delete_thread: undefined;
  readonly collect_checkpoints: undefined;
}

export type IntentKind = Intent["kind"];
export type IntentOf<Kind extends IntentKind> = Extract<Intent, { kind: Kind }>;

/**
 * What a commit changed, as plain data for those who tell others: subscribers, waiters, the dispatcher.
 */
export type Effect =
  | { readonly type: "event"; readonly event: EventRecord }
  | { readonly type: "run"; readonly run: RunRecord }
  | { readonly type: "run_deleted"; readonly runId: string }
  /** A run was handed to this one, which is live. */
  | { readonly type: "steered"; readonly run: RunRecord }
  | { readonly type: "claimable" }
  | { readonly type: "checkpoint"; readonly id: string; readonly kind: CheckpointKind }
  | { readonly type: "thread"; readonly thread: ThreadRecord; readonly change: "renamed" | "archived" | "updated" }
  | { readonly type: "thread_deleted"; readonly threadId: string; readonly runIds: readonly string[] }
  | { readonly type: "collect"; readonly threadId: string }
  /** `checkpointId` is the newest that the run wrote; the run's record does not name it any more. */
  | { readonly type: "rolled_back"; readonly run: RunRecord; readonly checkpointId: string };
