/** The frames an agent sends: typed for the well-known types, free for its own. */

import type { DeltaFrame, EventFrame } from "../model/event.js";
import type { Json } from "../model/json.js";
import type { CancelReason, RunError } from "../model/run.js";

/** Content of a message: text, or blocks in the shape of the host's model. */
export type MessageContent = string | readonly Json[];

/** Durable events that every client knows. The engine itself emits the lifecycle (`run_started`, …). */
export interface AgentEvents {
  user_message: { readonly messageId?: string; readonly content: MessageContent };
  assistant_message: { readonly messageId?: string; readonly content: MessageContent };
  tool_call: { readonly toolCallId: string; readonly name: string; readonly input: Json };
  tool_result: { readonly toolCallId: string; readonly output: Json; readonly isError?: boolean };
  compaction_started: Json;
  compaction_completed: Json;
  log: { readonly level: "debug" | "info" | "warn" | "error"; readonly message: string; readonly data?: Json };
  /** A file, or a part of a large one. `run.artifacts()` puts them together. */
  artifact: {
    readonly name: string;
    readonly contentType?: string;
    /** Of the whole file, in bytes. */
    readonly size?: number;
    /** Base64. Something else is announced, but not read as a file. */
    readonly data?: Json;
    /** From 1; of how many. Parts of a file come one after the other. */
    readonly part?: number;
    readonly parts?: number;
  };
}

/** Transient frames that every client knows. */
export interface AgentDeltas {
  assistant_message: { readonly text: string };
  assistant_thinking: { readonly text: string };
  assistant_source: { readonly title?: string; readonly url?: string; readonly data?: Json };
  tool_call_started: { readonly toolCallId: string; readonly name: string };
  tool_output: { readonly toolCallId: string; readonly output: Json };
  tool_call_completed: { readonly toolCallId: string };
  /** A line of the log of an agent that runs elsewhere. */
  log: { readonly level: "debug" | "info" | "warn" | "error"; readonly message: string };
}

/** Own types are any other string and carry any JSON. */
type OwnType = string & {};

export interface Emit {
  <Type extends keyof AgentEvents>(type: Type, payload: AgentEvents[Type], options?: EmitOptions): Promise<void>;
  (type: OwnType, payload?: unknown, options?: EmitOptions): Promise<void>;
}

export interface EmitOptions {
  /** Stored once per lineage: a later attempt that emits it again changes nothing. 1 to 255 characters. */
  readonly key?: string;
}

export interface SendDelta {
  <Type extends keyof AgentDeltas>(type: Type, payload: AgentDeltas[Type], options?: DeltaOptions): void;
  (type: OwnType, payload?: unknown, options?: DeltaOptions): void;
}

export interface DeltaOptions {
  /** The message that the delta belongs to. */
  readonly messageId?: string;
}

/** What the engine itself says in a stream. Times are epoch ms. */
export interface EngineEvents {
  run_started: { readonly agent: string };
  run_retrying: {
    /** `cancel`: its grace is over, and the next attempt calls the settle hook. */
    readonly why: "retry" | "crash" | "shutdown" | "cancel";
    readonly error?: RunError;
    readonly failures: number;
    readonly crashes: number;
    readonly availableAt: number;
  };
  run_suspended: {
    readonly why: "sleep" | "child";
    readonly until?: number;
    /** Lineages of children: the end of one of them wakes it. */
    readonly awaits?: readonly string[];
  };
  values_updated: { readonly checkpointId: string; readonly changedKeys: readonly string[] };
  run_succeeded: { readonly output: Json };
  run_failed: { readonly error: RunError };
  run_canceled: { readonly reason: CancelReason };
  run_interrupted: { readonly questions: readonly AskedQuestion[] };
}

/** A question as it was asked. */
export interface AskedQuestion {
  readonly id: string;
  readonly key: string;
  readonly payload: Json;
  /** JSON Schema of the answer; `null`: any JSON. */
  readonly schema: Json;
}

type KnownEvents = AgentEvents & EngineEvents;
/** `null` once the run that wrote it was deleted. */
type PayloadOf<Events, Type> = Type extends keyof Events ? Events[Type] | null : Json;

/**
 * Is this frame an event of this type? Narrows `payload` for the well-known types.
 *
 * @example
 * ```ts
 * if (isEvent(frame, "tool_call")) console.log(frame.payload?.name);
 * ```
 */
export function isEvent<Type extends keyof KnownEvents | OwnType>(
  frame: { readonly kind: string },
  type: Type,
): frame is Omit<EventFrame, "type" | "payload"> & {
  readonly type: Type;
  readonly payload: PayloadOf<KnownEvents, Type>;
} {
  return frame?.kind === "event" && (frame as EventFrame).type === type;
}

/** Is this frame a delta of this type? Narrows `payload` for the well-known types. */
export function isDelta<Type extends keyof AgentDeltas | OwnType>(
  frame: { readonly kind: string },
  type: Type,
): frame is Omit<DeltaFrame, "type" | "payload"> & {
  readonly type: Type;
  readonly payload: Type extends keyof AgentDeltas ? AgentDeltas[Type] : Json;
} {
  return frame?.kind === "delta" && (frame as DeltaFrame).type === type;
}
