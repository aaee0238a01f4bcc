/**
 * What a run is, and what it may do next.
 *
 *   pending ──claim──▶ running ──succeed / fail / cancel / interrupt──▶ settled, final
 *      ▲                  │
 *      └──── release ─────┘   retry, sleep, child wait, lost lease, graceful shutdown
 *
 * A pending run may also settle without running: `cancel`, or `fail` (deadline, crash limit, unreadable input); and one
 * that was handed to the live run settles with it, whichever way that ends.
 * A run in a thread is *active* while it holds the thread's mutex: from acceptance or promotion until it settles,
 * also while it is pending again. A stateless run has nobody to wait for and is active from acceptance.
 */

export type RunStatus = "pending" | "running" | "succeeded" | "failed" | "canceled" | "interrupted";
export type SettledStatus = Exclude<RunStatus, "pending" | "running">;
export type RunMove = "claim" | "release" | "succeed" | "fail" | "cancel" | "interrupt";

/** The table of legal moves: the one truth that the engine's checks and the SQL guards are both built from. */
export const runMoves = {
  // Without having run it succeeds or asks only with the live run that it was handed to.
  pending: { claim: "running", succeed: "succeeded", fail: "failed", cancel: "canceled", interrupt: "interrupted" },
  running: {
    release: "pending",
    succeed: "succeeded",
    fail: "failed",
    cancel: "canceled",
    interrupt: "interrupted",
  },
  succeeded: {},
  failed: {},
  canceled: {},
  interrupted: {},
} as const satisfies Record<RunStatus, Partial<Record<RunMove, RunStatus>>>;

/** Where `move` leads from `status`; undefined when the move is illegal. */
export function nextStatus(status: RunStatus, move: RunMove): RunStatus | undefined {
  const legal: Partial<Record<RunMove, RunStatus>> = runMoves[status];
  return legal[move];
}

/** The statuses from which `move` is legal: what an SQL guard compares with. */
export function sourcesOf(move: RunMove): RunStatus[] {
  return (Object.keys(runMoves) as RunStatus[]).filter((status) => nextStatus(status, move));
}

export const settledStatuses = ["succeeded", "failed", "canceled", "interrupted"] as const;

export function isSettled(status: RunStatus): status is SettledStatus {
  return status !== "pending" && status !== "running";
}

/**
 * Is its lineage over with this run? A rolled-back run that resumed another leaves the lineage where it was: the
 * questions that it had got answers to are open again.
 */
export function endsLineage(run: Pick<RunRecord, "id" | "status" | "lineageId" | "rolledBack">): boolean {
  if (!isSettled(run.status) || run.status === "interrupted") return false;
  return !run.rolledBack || run.id === run.lineageId;
}

/** `availableAt` of a run that no time wakes: the last moment that a `Date` can show. */
export const never = 8.64e15;

/** What a run does when its thread is busy. */
export const busyStrategies = ["reject", "enqueue", "interrupt", "rollback", "steer"] as const;
export type BusyStrategy = (typeof busyStrategies)[number];

/** Why a run was canceled. `by` names the run that superseded it or the parent that took it along. */
export interface CancelReason {
  readonly kind: "user" | "superseded" | "disconnect" | "parent" | "deleted" | "rolled_back";
  readonly by?: string;
  /** Free text of whoever canceled, at most 1,000 characters. */
  readonly note?: string;
}

/** Why a run failed, as stored: plain data that survives the process. */
export interface RunError {
  /** A HeddleErrorCode, or `AGENT_ERROR` for what the agent itself threw. */
  readonly code: string;
  readonly message: string;
  /** The thrown error's class name. */
  readonly name?: string;
  readonly stack?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * When a checkpoint in the middle of a run is stored:
 *
 * | `sync`  | before `checkpoint()` resolves                                                      |
 * | `async` | behind the agent's back, in order; those that come meanwhile are merged into one     |
 * | `exit`  | as one, when the attempt ends, however it ends; a crash loses them                   |
 */
export type Durability = (typeof durabilities)[number];
export const durabilities = ["sync", "async", "exit"] as const;

/** Steps at which a run stops until it is resumed: by name, or `"*"` for each. */
export interface Breakpoints {
  /** The step has not begun. */
  readonly before?: "*" | readonly string[];
  /** The step's result is stored. */
  readonly after?: "*" | readonly string[];
}

/** Options that travel with a run and are only read by whoever drives it. */
export interface RunPolicy {
  readonly retry: RetryPolicy;
  /** Time limit of one attempt, ms. */
  readonly attemptTimeout?: number;
  /** What happens to a stateless run when it settles. Default `keep`. */
  readonly onCompletion?: "keep" | "delete";
  readonly breakpoints?: Breakpoints;
  /** How long a cancel waits for the agent's code before the run is settled without it, ms. */
  readonly cancelGrace: number;
  /** Of checkpoints in the middle of a run. Default `sync`. */
  readonly durability?: Durability;
  /** What a delayed run does when it falls due and its thread is busy. Default: it queues. */
  readonly whenBusy?: Exclude<BusyStrategy, "reject" | "enqueue">;
}

/** Where the stored policy is unreadable, one that ends the run: what nobody can read must not hold its thread for ever. */
export function storedPolicy(run: Pick<RunRecord, "policy">): RunPolicy {
  try {
    return JSON.parse(run.policy) as RunPolicy;
  } catch {
    const retry = { maxFailures: 1, maxCrashes: 1, delay: 0, factor: 1, maxDelay: 0, jitter: "none" } as const;
    return { retry, cancelGrace: 0 };
  }
}

/** How often a run may fail or crash, and how long it waits between. */
export interface RetryPolicy {
  /** Attempts that may throw or time out before the run fails. 1 = no retry. */
  readonly maxFailures: number;
  /** Lost leases before the run fails, so that a run that kills its process cannot loop. */
  readonly maxCrashes: number;
  /** First wait, ms; doubles (`factor`) up to `maxDelay`. */
  readonly delay: number;
  readonly factor: number;
  readonly maxDelay: number;
  /** `full`: uniformly random between 0 and the wait (AWS Architecture Blog, "Exponential Backoff And Jitter"). */
  readonly jitter: "full" | "none";
}

/**
 * A run as storages keep it: flat, JSON as text, times in epoch ms, `null` for absent.
 * Users see the union `Run` instead (see `run-view.ts`).
 */
export interface RunRecord {
  readonly id: string;
  /** `null`: a stateless run. */
  readonly threadId: string | null;
  readonly agent: string;
  readonly status: RunStatus;
  /** The first run of the lineage; its own id unless it resumed another run. */
  readonly lineageId: string;
  /** The lineage of the run that started it as a child. */
  readonly parentRunId: string | null;
  /** That run's thread: a child goes with it. */
  readonly parentThreadId: string | null;
  readonly input: string;
  readonly config: string | null;
  readonly metadata: string;
  readonly policy: string;
  readonly output: string | null;
  readonly error: string | null;
  readonly cancelReason: string | null;
  /** Higher is claimed first. */
  readonly priority: number;
  /** Holds its thread's mutex (stateless: unsettled). */
  readonly active: boolean;
  /** Place in its thread's queue, or among those handed to the live run; `null`: active, delayed, settled, stateless. */
  readonly queuePosition: number | null;
  /** Not claimed before. */
  readonly availableAt: number;
  /** Rises with every claim; the fencing token. */
  readonly attempt: number;
  readonly failures: number;
  readonly crashes: number;
  /** The worker that holds the lease. */
  readonly worker: string | null;
  readonly leaseUntil: number | null;
  readonly cancelRequestedAt: number | null;
  /** From here on anyone may settle the canceled run. Settled later than this: its code was left behind. */
  readonly graceUntil: number | null;
  readonly deadlineAt: number | null;
  readonly idempotencyKey: string | null;
  /** Its agent has a settle hook: only an attempt, where that agent is, may settle the run once it is active. */
  readonly settleHook: boolean;
  /**
   * Handed to the live run of this lineage instead of waiting for its turn. `null`: it is a run of its own, also once it
   * became one because nobody took it.
   */
  readonly steers: string | null;
  /** The run that took it, and with whose outcome it settled. */
  readonly takenBy: string | null;
  /** How many runs were handed to this one so far. */
  readonly steered: number;
  /** JSON array of the lineages of children whose end it waits for; `null`: it waits for none. */
  readonly awaits: string | null;
  /** Canceled, and all it did to its thread was taken back. Left out of the thread's status and default lists. */
  readonly rolledBack: boolean;
  /** The thread's head when the run was activated: what a rollback goes back to. */
  readonly baseCheckpointId: string | null;
  /** The newest checkpoint that this run wrote, else the base. A stateless run's own values. */
  readonly headCheckpointId: string | null;
  /** First and last event of the run in its stream; 0 before the first. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly settledAt: number | null;
}

/** Lineages of children whose end the run waits for. */
export function awaitedBy({ awaits }: Pick<RunRecord, "awaits">): readonly string[] {
  return awaits === null ? [] : (JSON.parse(awaits) as string[]);
}
