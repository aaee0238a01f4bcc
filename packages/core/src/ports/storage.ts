/**
 * The storage contract: what an engine asks of a database.
 *
 * Writing is intent-level and batched (`model/intents/intent.ts` says what each intent guards and answers); reading
 * returns plain records. A storage reads records under its locks, lets the model apply the intents to a `UnitOfWork`,
 * and writes the changes; so storages differ in how they read and write, never in what a command means. Each guarantee
 * below that a type cannot express has a case in `@heddle/core/testing`.
 *
 * Guarantees of every storage:
 * - `commit` is atomic per intent and durable when it resolves. Intents of one call may share a transaction.
 * - A refused or poisonous intent fails alone.
 * - Two commits that touch the same thread or run behave as if one came after the other, across processes too.
 * - Updates are predicated on what was read (`attempt`, `status`), so a stale writer changes nothing.
 * - Text comes back as it was given; all ordering is binary.
 * - Reads see every commit that resolved before they began.
 */

import type { HeddleError } from "../errors.js";
import type { CheckpointHead, CheckpointRecord } from "../model/checkpoint.js";
import type { DeltaFrame, EventRecord } from "../model/event.js";
import type { Effect, Intent, IntentKind, IntentValues } from "../model/intents/intent.js";
import type { MemoRecord, MemoRef } from "../model/memo.js";
import type { QuestionRecord } from "../model/question.js";
import type { RunRecord, RunStatus } from "../model/run.js";
import type { ThreadRecord, ThreadStatus } from "../model/thread.js";
import type { Clock } from "./clock.js";

export type IntentResult =
  | {
      readonly ok: true;
      readonly value: IntentValues[IntentKind];
      /** What it changed, in order, for those who tell others. Only trustworthy because the commit returned. */
      readonly effects: readonly Effect[];
    }
  | { readonly ok: false; readonly error: HeddleError };

/**
 * @typeParam Host what the host's own statements run on inside `transaction`
 */
export interface Storage<Host = unknown> {
  /** For messages and reports: `memory`, `sqlite`, `postgres`, … */
  readonly name: string;
  /** Whether deltas reach subscribers in other processes (`all`) or only in this one (`local`) now. */
  readonly deltas: "all" | "local";
  /** Carries deltas to other engines. Absent where they never leave the process. */
  readonly relay?: DeltaRelay;
  /**
   * Present where hints (`work.watch`) may be lost: every poll must look for what others committed as well, and polls
   * may be this many ms apart, 0 while no hints come at all. Read before each wait.
   */
  readonly lookAgainAfter?: number;

  /**
   * Connect, check or migrate the schema. Safe to call twice; a failed open may be tried again.
   * @throws HeddleError STORAGE_UNAVAILABLE, STORAGE_CORRUPT, STORAGE_FOREIGN, STORAGE_NEWER, STORAGE_READONLY
   */
  open(context: StorageContext): Promise<void>;
  /** Release what `open` took. Whoever handed in a connection closes it. Safe to call twice. */
  close(): Promise<void>;

  /**
   * Apply the intents in order and answer each. Rejects only when the database failed as a whole; then nothing of the
   * call was written, unless the error says that the outcome is unknown.
   *
   * One intent waits for a thread that another transaction holds. Several do not wait, so that a host's transaction does
   * not hold up other threads: those of its thread are answered with STORAGE_BUSY, to be asked again one by one.
   * @throws HeddleError STORAGE_BUSY, STORAGE_FULL, STORAGE_UNAVAILABLE, …
   */
  commit(intents: readonly Intent[]): Promise<readonly IntentResult[]>;

  /**
   * Run `body` in one transaction with the host's own statements. It may await storage calls only. Rolled back when
   * `body` throws. The effects are those of all its intents, to be told after the commit.
   */
  transaction<Result>(
    body: (tx: StorageTransaction<Host>) => Promise<Result>,
  ): Promise<{ readonly result: Result; readonly effects: readonly Effect[] }>;

  /**
   * Join a transaction that the host began itself: intents applied in it take effect with its commit, which the storage
   * does not see, and others are told then. `undefined`: `foreign` is no transaction of this kind of database.
   */
  adopt?(foreign: unknown): StorageTransaction<unknown> | undefined;

  readonly runs: RunReader;
  readonly threads: ThreadReader;
  readonly checkpoints: CheckpointReader;
  readonly events: EventReader;
  readonly lineages: LineageReader;
  readonly work: WorkReader;
}

/** A delta on its way to readers in other engines. */
export type RelayedFrame =
  | { readonly kind: "delta"; readonly stream: string; readonly delta: DeltaFrame; readonly behind: number }
  /** Those of the attempt's deltas up to number `upTo` that were not heard are lost. */
  | {
      readonly kind: "lost";
      readonly stream: string;
      readonly runId: string;
      readonly attempt: number;
      readonly upTo: number;
      readonly behind: number;
    };

/** Best effort, in order per attempt: a frame may be lost, and come late or twice. */
export interface DeltaRelay {
  /** To whoever follows the stream, save `engine` itself. Never waits, never throws. */
  send(engine: string, frame: RelayedFrame): void;
  /** From now on `engine` hears of the stream's deltas. Returns its undo. */
  follow(engine: string, stream: string, hear: (frame: RelayedFrame) => void): () => void;
}

export interface StorageContext {
  readonly clock: Clock;
}

export interface StorageTransaction<Host> {
  /** For the host's own statements. */
  readonly host: Host;
  /**
   * Calls that do not wait for each other are applied in the order in which they were made.
   * @throws HeddleError when the intent is refused: the transaction goes on unless the caller lets it fail
   */
  apply(intent: Intent): Promise<IntentValues[IntentKind]>;
}

export interface RunReader {
  get(id: string): Promise<RunRecord | undefined>;
  /** Newest first unless told otherwise; at most `limit`. */
  list(query: RunQuery): Promise<readonly RunRecord[]>;
  count(filter: RunFilter): Promise<number>;
}

export interface ThreadReader {
  get(id: string): Promise<ThreadRecord | undefined>;
  /** Is the thread gone but still remembered? */
  isDeleted(id: string): Promise<boolean>;
  list(query: ThreadQuery): Promise<readonly ThreadRecord[]>;
  count(filter: ThreadFilter): Promise<number>;
  /** What is stored for a thread, and is removed with it. Nothing for one that is not there. */
  usage(id: string): Promise<ThreadUsage>;
}

export interface ThreadUsage {
  readonly runs: Usage;
  readonly events: Usage;
  /** Those that the thread wrote; not what it shares with the one it was copied from. */
  readonly checkpoints: Usage;
  /** What its runs remember: steps, sleeps, children, keyed events. */
  readonly memos: Usage;
  readonly questions: Usage;
}

export interface Usage {
  readonly rows: number;
  /** Bytes of UTF-8 in the JSON texts and keys of these rows; ids, numbers and indexes come on top. */
  readonly bytes: number;
}

export interface CheckpointReader {
  get(id: string): Promise<CheckpointHead | undefined>;
  /**
   * The checkpoint and its ancestors, oldest first, from the nearest snapshot (or the root) on; from behind `since`
   * where that is an ancestor, so that a cached state needs only what came after it. `undefined`: no such checkpoint.
   */
  chain(id: string, since?: string): Promise<CheckpointChain | undefined>;
  /**
   * What the links of that chain hold, for storages that can say it faster: thousands of links cost more than parsing
   * what is in them. Absent: `chain` is used.
   */
  bodies?(id: string, since?: string): Promise<ChainBodies | undefined>;
  /** The checkpoint and its ancestors, newest first, at most `limit`. */
  history(id: string, limit: number): Promise<readonly CheckpointHead[]>;
  /** All that a thread wrote, on whatever branch: by `seq` and id, newest first. */
  ofThread(threadId: string, page: CheckpointPage): Promise<readonly CheckpointHead[]>;
}

export interface CheckpointPage {
  readonly limit: number;
  /** Start behind this one. */
  readonly after?: Pick<CheckpointHead, "seq" | "id">;
}

export interface CheckpointChain {
  readonly links: readonly Pick<CheckpointRecord, "id" | "encoding" | "body" | "valuesBytes">[];
  /** True where the first link changes what `since` holds. A snapshot stands alone. */
  readonly continuesSince: boolean;
}

/** What the links of a chain hold. */
export interface ChainBodies {
  /** Body of the snapshot that the deltas change; `null`: they change what `since` holds, or nothing. */
  readonly snapshot: string | null;
  /** Newest first: the order in which a walk up the tree finds them. */
  readonly deltas: readonly string[];
  /** Of the newest link that is not `same`. */
  readonly valuesBytes: number | null;
  /** As in a chain. */
  readonly continuesSince: boolean;
}

export interface EventReader {
  /** Events with `seq > after`, in order, at most `limit`; of one run where `runId` is given. */
  read(query: EventQuery): Promise<readonly EventRecord[]>;
}

/** What lineages remember and ask. */
export interface LineageReader {
  memo(ref: MemoRef): Promise<MemoRecord | undefined>;
  /** By kind and key, at most `limit`. */
  memos(lineageId: string, limit: number): Promise<readonly MemoRecord[]>;
  /** Every question of a lineage, by key. */
  questions(lineageId: string): Promise<readonly QuestionRecord[]>;
  /** Open ones of a thread (expired ones too), by the time they were asked, then lineage and key; at most `limit`. */
  openQuestions(threadId: string, limit: number): Promise<readonly QuestionRecord[]>;
}

export interface EventQuery {
  readonly stream: string;
  readonly after: number;
  readonly limit: number;
  readonly runId?: string;
}

export interface WorkReader {
  /** What is due now, and when something will be due next: one question per poll. */
  due(query: DueQuery): Promise<DueWork>;
  /** The runs that `worker` holds: its cancels and lost leases show here. */
  heldBy(worker: string): Promise<readonly RunRecord[]>;
  /**
   * From now until `close` or the process's death, `worker` is provably alive. Storages that cannot prove life do
   * nothing: leases decide alone.
   */
  announce(worker: string): Promise<void>;
  /** Those of `workers` that are proved dead. Never one that might still write. */
  findDead(workers: readonly string[]): Promise<readonly string[]>;
  /** Call `hint` when another process may have committed. A hint may be late, doubled or for nothing. Returns its undo. */
  watch(hint: () => void): () => void;
}

export interface DueQuery {
  /** The asker: it prolongs its own leases itself, so their ends do not count towards `nextAt` and `workers`. */
  readonly worker: string;
  readonly deadWorkers: readonly string[];
  readonly limit: number;
  /** Agents whose runs this engine can claim. */
  readonly agents: readonly string[];
  /** Also forget tombstones and idempotency keys whose time is over: a poll that sweeps is one question still. */
  readonly purge?: boolean;
}

export interface DueRun {
  readonly runId: string;
  readonly threadId: string | null;
}

export interface DueWork {
  /** Runs for which `tend_run` would change something. */
  readonly tend: readonly DueRun[];
  /** Suspended runs with a child that is done or gone (`childDone`, its lineage): what the child's settle left undone. */
  readonly wake: readonly (DueRun & { readonly childDone: string })[];
  /**
   * Unsettled children, not canceled yet, of a lineage that failed or was canceled or whose thread was deleted: what the
   * parent's end left undone.
   */
  readonly orphans: readonly (DueRun & { readonly parentRunId: string })[];
  /** Is any run of `agents` claimable now? */
  readonly claimable: boolean;
  /**
   * Epoch ms of the next thing that time will make due: an `availableAt`, a deadline, a grace, another worker's lease.
   * `null`: nothing waits for time.
   */
  readonly nextAt: number | null;
  /** Other workers that hold leases. */
  readonly workers: readonly string[];
  /** The storage's clock, epoch ms. */
  readonly now: number;
}

export type MetadataFilter = Readonly<Record<string, string | number | boolean>>;

export interface RunFilter {
  readonly ids?: readonly string[];
  /** `null`: stateless runs only. */
  readonly threadId?: string | null;
  readonly agent?: string;
  readonly status?: readonly RunStatus[];
  /** Equality on top-level scalars. */
  readonly metadata?: MetadataFilter;
  readonly parentRunId?: string;
  readonly lineageId?: string;
  /** Handed to the live run of this lineage, or taken by one of its runs. */
  readonly steers?: string;
  readonly rolledBack?: boolean;
  /** Epoch ms, exclusive. */
  readonly settledBefore?: number;
}

export interface ThreadFilter {
  readonly ids?: readonly string[];
  readonly status?: readonly ThreadStatus[];
  /** The agent of the last active run. */
  readonly agent?: string;
  readonly archived?: boolean;
  readonly metadata?: MetadataFilter;
}

export interface Page<SortKey extends string> {
  readonly limit: number;
  readonly sortBy: SortKey;
  readonly order: "asc" | "desc";
  /** Start behind this row: its sort value and id. */
  readonly after?: { readonly value: number; readonly id: string };
}

export interface RunQuery extends RunFilter, Page<"createdAt"> {}
export interface ThreadQuery extends ThreadFilter, Page<"createdAt" | "updatedAt"> {}
