/** A run as users see it: a union by status, each with only its own fields. Times are `Date`. */

import type { Json, JsonObject } from "./json.js";
import { parseJson } from "./json.js";
import type { CancelReason, RunError, RunRecord } from "./run.js";
import { awaitedBy } from "./run.js";

export interface RunBase {
  readonly id: string;
  /** `undefined`: a stateless run. */
  readonly threadId: string | undefined;
  readonly agent: string;
  readonly input: Json;
  readonly config: Json | undefined;
  readonly metadata: JsonObject;
  readonly priority: number;
  readonly lineageId: string;
  /** The first run of the lineage that started this one as a child. */
  readonly parentRunId: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** Claims so far. */
  readonly attempt: number;
  /** Attempts that threw or timed out. */
  readonly failures: number;
  /** Attempts that lost their lease. */
  readonly crashes: number;
  readonly createdAt: Date;
  readonly deadlineAt: Date | undefined;
  /** First claim. */
  readonly startedAt: Date | undefined;
  /** The run that took it as a message, and with whose outcome it settled. */
  readonly takenBy: string | undefined;
}

export interface PendingRun extends RunBase {
  readonly status: "pending";
  /**
   * `ready`: waits for a worker. `queued`: for its thread. `steering`: to be taken by the live run. `delayed`: for its
   * time. `children`: for one of `awaits`.
   */
  readonly waiting: "ready" | "queued" | "steering" | "delayed" | "children";
  /** Children that it waits for, by their first runs. */
  readonly awaits: readonly string[];
  readonly availableAt: Date;
}

export interface RunningRun extends RunBase {
  readonly status: "running";
  readonly worker: string;
  readonly leaseUntil: Date;
  readonly cancelRequestedAt: Date | undefined;
}

interface Settled extends RunBase {
  readonly settledAt: Date;
}

export interface SucceededRun extends Settled {
  readonly status: "succeeded";
  readonly output: Json;
}

export interface FailedRun extends Settled {
  readonly status: "failed";
  readonly error: RunError;
}

export interface CanceledRun extends Settled {
  readonly status: "canceled";
  readonly reason: CancelReason;
  /** What it did to its thread was taken back. */
  readonly rolledBack: boolean;
}

export interface InterruptedRun extends Settled {
  readonly status: "interrupted";
}

export type SettledRun = SucceededRun | FailedRun | CanceledRun | InterruptedRun;
export type Run = PendingRun | RunningRun | SettledRun;

export function viewRun(record: RunRecord): Run {
  const base = viewBase(record);
  switch (record.status) {
    case "pending":
      return {
        ...base,
        status: "pending",
        waiting: waitingFor(record),
        awaits: awaitedBy(record),
        availableAt: new Date(record.availableAt),
      };
    case "running":
      return {
        ...base,
        status: "running",
        worker: record.worker ?? "",
        leaseUntil: new Date(record.leaseUntil ?? 0),
        cancelRequestedAt: date(record.cancelRequestedAt),
      };
    default:
      return viewSettled(record, { ...base, settledAt: new Date(record.settledAt ?? 0) });
  }
}

function viewSettled(record: RunRecord, base: Settled): SettledRun {
  const where = `run ${record.id}`;
  switch (record.status) {
    case "succeeded":
      return { ...base, status: "succeeded", output: parseJson(record.output ?? "null", `output of ${where}`) };
    case "failed":
      return { ...base, status: "failed", error: storedError(record) };
    case "canceled":
      return { ...base, status: "canceled", reason: storedReason(record), rolledBack: record.rolledBack };
    default:
      return { ...base, status: "interrupted" };
  }
}

export function storedError(record: RunRecord): RunError {
  return parseJson(record.error ?? "{}", `error of run ${record.id}`) as unknown as RunError;
}

export function storedReason(record: RunRecord): CancelReason {
  return parseJson(record.cancelReason ?? "{}", `reason of run ${record.id}`) as unknown as CancelReason;
}

function waitingFor(record: RunRecord): PendingRun["waiting"] {
  if (record.awaits !== null) return "children";
  if (record.active) return "ready";
  if (record.steers !== null) return "steering";
  return record.queuePosition === null ? "delayed" : "queued";
}

function viewBase(record: RunRecord): RunBase {
  const where = `run ${record.id}`;
  return {
    id: record.id,
    threadId: record.threadId ?? undefined,
    agent: record.agent,
    input: parseJson(record.input, `input of ${where}`),
    config: record.config === null ? undefined : parseJson(record.config, `config of ${where}`),
    metadata: parseJson(record.metadata, `metadata of ${where}`) as JsonObject,
    priority: record.priority,
    lineageId: record.lineageId,
    parentRunId: record.parentRunId ?? undefined,
    idempotencyKey: record.idempotencyKey ?? undefined,
    attempt: record.attempt,
    failures: record.failures,
    crashes: record.crashes,
    createdAt: new Date(record.createdAt),
    deadlineAt: date(record.deadlineAt),
    startedAt: date(record.startedAt),
    takenBy: record.takenBy ?? undefined,
  };
}

function date(time: number | null): Date | undefined {
  return time === null ? undefined : new Date(time);
}
