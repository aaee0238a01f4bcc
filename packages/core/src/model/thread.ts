/**
 * What a thread is. Its status is *derived*: `busy` exactly while an active run exists. No busy flag is stored that a
 * crash could leave behind: the record refers to the active run, and only the transactions that activate and settle
 * that run write the reference.
 */

import type { BusyStrategy, SettledStatus } from "./run.js";

export type ThreadStatus = "idle" | "busy" | "interrupted" | "error";
export const threadStatuses = ["idle", "busy", "interrupted", "error"] as const;

/** A thread as storages keep it: JSON as text, times in epoch ms, `null` for absent. */
export interface ThreadRecord {
  readonly id: string;
  readonly title: string | null;
  readonly metadata: string;
  readonly archived: boolean;
  /** What its runs do while it is busy, unless they say it themselves; `null`: their agent or engine says it. */
  readonly whenBusy: BusyStrategy | null;
  /** The run that holds the mutex. */
  readonly activeRunId: string | null;
  /** How the last run that settled while active ended; rolled-back runs left out. */
  readonly lastOutcome: SettledStatus | null;
  /** The agent of the last activated run. */
  readonly lastAgent: string | null;
  /** The current checkpoint; `null` before the first. */
  readonly headCheckpointId: string | null;
  /** The checkpoint of another thread that this one was copied from. */
  readonly originCheckpointId: string | null;
  /** The last number given out in this thread's log. */
  readonly lastSeq: number;
  readonly rollout: number;
  /** Runs that wait: queued, handed to the live run, delayed. */
  readonly queueLength: number;
  /** The next place at the queue's tail. */
  readonly queueTail: number;
  /** The next place at the queue's front (negative, goes down). */
  readonly queueFront: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** DESIGN: busy while an active run exists, else by the last outcome. */
export function threadStatus(thread: Pick<ThreadRecord, "activeRunId" | "lastOutcome">): ThreadStatus {
  if (thread.activeRunId !== null) return "busy";
  if (thread.lastOutcome === "failed") return "error";
  if (thread.lastOutcome === "interrupted") return "interrupted";
  return "idle";
}

/** What is left of a deleted thread, so that nothing revives it and its numbers are never given out again. */
export interface TombstoneRecord {
  readonly threadId: string;
  readonly lastSeq: number;
  readonly deletedAt: number;
  /** May be swept from here on. */
  readonly keepUntil: number;
}

/** An idempotency key: lives as long as its run and at least its retention. */
export interface KeyRecord {
  /** `t:<thread id>` or `s` for stateless. */
  readonly scope: string;
  readonly agent: string;
  readonly key: string;
  /** Canonical JSON of input, agent and config, hashed. */
  readonly fingerprint: string;
  readonly runId: string;
  readonly keepUntil: number;
}
