/**
 * Frames of a stream. An *event* is a durable, numbered fact; a *delta* is transient and never a row.
 * A stream is a thread's log or a stateless run's log.
 */

import type { Json } from "./json.js";

/** An event as storages keep it. `payload` is JSON text; `null` after its run was deleted. */
export interface EventRecord {
  readonly stream: string;
  readonly seq: number;
  /** `null`: of the thread itself, outside of any run. */
  readonly runId: string | null;
  readonly attempt: number;
  readonly rollout: number;
  readonly type: string;
  readonly payload: string | null;
  readonly createdAt: number;
}

/** The stream that a run writes to. Prefixed: a hostile thread id must not name a run's log. */
export function streamOf(run: { readonly id: string; readonly threadId: string | null }): string {
  return run.threadId === null ? `r:${run.id}` : threadStream(run.threadId);
}

export function threadStream(threadId: string): string {
  return `t:${threadId}`;
}

/** Event types that the engine alone emits. */
export const lifecycleEvents = [
  "run_started",
  "run_retrying",
  "run_suspended",
  "run_succeeded",
  "run_failed",
  "run_canceled",
  "run_interrupted",
  "values_updated",
] as const;
export type LifecycleEvent = (typeof lifecycleEvents)[number];

export const terminalEvents = {
  succeeded: "run_succeeded",
  failed: "run_failed",
  canceled: "run_canceled",
  interrupted: "run_interrupted",
} as const;

const terminal: ReadonlySet<string> = new Set(Object.values(terminalEvents));

export function isTerminalEvent(type: string): boolean {
  return terminal.has(type);
}

/** A durable event, as readers get it. */
export interface EventFrame {
  readonly kind: "event";
  /** Dense per stream, from 1. */
  readonly seq: number;
  /** `null`: of the thread itself, outside of any run; never so in a run's own stream. */
  readonly runId: string | null;
  readonly attempt: number;
  readonly rolloutId: string;
  readonly type: string;
  /** `null` once the run that wrote it was deleted. */
  readonly payload: Json;
  readonly createdAt: Date;
}

/** A transient frame: a token, a piece of tool output. */
export interface DeltaFrame {
  readonly kind: "delta";
  readonly runId: string;
  readonly attempt: number;
  /** Positive, rises by one with each delta of the attempt. */
  readonly sequenceNumber: number;
  readonly type: string;
  readonly messageId?: string;
  readonly payload: Json;
}

/** A slow reader lost `count` deltas here. Events are never dropped. */
export interface DroppedFrame {
  readonly kind: "dropped";
  readonly count: number;
}

/** The first frame of a thread stream that was opened without a cursor. */
export interface SnapshotFrame {
  readonly kind: "snapshot";
  readonly protocolVersion: 1;
  readonly seq: number;
  readonly values: Json;
  readonly activeRun: { readonly id: string; readonly agent: string } | null;
}

/** A change of the thread itself. Transient: the thread's record is the durable form. */
export interface ThreadChangeFrame {
  readonly kind: "thread";
  readonly type: "thread_renamed" | "thread_archived" | "thread_deleted";
  readonly threadId: string;
  readonly payload: Json;
}

export type RunFrame = EventFrame | DeltaFrame | DroppedFrame;
export type ThreadFrame = RunFrame | SnapshotFrame | ThreadChangeFrame;

/**
 * `run_succeeded` carries the run's output, which the run's own record holds: it is not stored a second time.
 * The column stays empty, and readers get the payload from the run.
 */
export function storedPayload(event: Pick<EventRecord, "type" | "payload">): string | null {
  return event.type === "run_succeeded" ? null : event.payload;
}

/** The payload of `run_succeeded`, from the run's output text; `null` where the run is gone. */
export function succeededPayload(output: string | null | undefined): string | null {
  return typeof output === "string" ? `{"output":${output}}` : null;
}
