/**
 * What an engine and an agent outside of its process say to each other: JSON Lines, one frame a line. docs/executors.md
 * is the page for those who write an agent in a language that has no helper.
 */

import type { Json, JsonObject } from "@heddle/core";
import { z } from "zod";

/** Rises when an old agent would misunderstand a new engine. Fields that may be ignored are added without. */
export const protocolVersion = 1;

/** The agent's own number for a question; the engine's answer carries it. */
const id = z.number().int().nonnegative();

/** Checked by the session. */
const key = z.string();

/** Passed on as it is: `__proto__` is a key like any other, which a record schema would lose. */
const keys = z.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "expected an object",
);

const path = z.array(z.union([z.string(), z.number().int().nonnegative()])).min(1);

/** Against the values that the agent was last told, whole. */
export const patchOperation = z.discriminatedUnion("op", [
  z.object({ op: z.literal("set"), path, value: z.unknown() }),
  z.object({ op: z.literal("remove"), path }),
  z.object({ op: z.literal("append"), path, values: z.array(z.unknown()) }),
]);
export type PatchOperation = z.infer<typeof patchOperation>;

/** Top-level keys, given whole, and changes inside them; the patch is applied last. */
const change = { values: keys.optional(), patch: z.array(patchOperation).optional() };

const agentFrame = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello"), protocol: z.number() }),
  z.object({
    type: z.literal("event"),
    id: id.optional(),
    event: z.string(),
    payload: z.unknown().optional(),
    key: z.string().optional(),
  }),
  z.object({
    type: z.literal("delta"),
    delta: z.string(),
    payload: z.unknown().optional(),
    messageId: z.string().optional(),
  }),
  z.object({
    type: z.literal("log"),
    level: z.enum(["debug", "info", "warn", "error"]),
    message: z.string(),
    data: z.unknown().optional(),
  }),
  z.object({ type: z.literal("checkpoint"), id, ...change }),
  z.object({ type: z.literal("begin_step"), id, key }),
  z.object({ type: z.literal("end_step"), id, key, value: z.unknown().optional() }),
  z.object({ type: z.literal("fail_step"), key }),
  z.object({
    type: z.literal("ask"),
    id,
    key,
    payload: z.unknown().optional(),
    schema: z.unknown().optional(),
    expiresIn: z.number().positive().optional(),
  }),
  z.object({
    type: z.literal("sleep"),
    id,
    after: z.number().optional(),
    at: z.number().optional(),
    key: key.optional(),
  }),
  z.object({
    type: z.literal("start_child"),
    id,
    key,
    agent: z.string(),
    input: z.unknown().optional(),
    options: keys.optional(),
  }),
  z.object({ type: z.literal("child_result"), id, key }),
  z.object({ type: z.literal("take_steered"), id }),
  z.object({ type: z.literal("next_steered"), id }),
  z.object({ type: z.literal("heartbeat") }),
  z.object({ type: z.literal("result"), output: z.unknown().optional(), ...change }),
  z.object({
    type: z.literal("error"),
    name: z.string().optional(),
    message: z.string(),
    code: z.string().optional(),
    stack: z.string().optional(),
  }),
]);

/** What an agent says. */
export type AgentFrame = z.infer<typeof agentFrame>;

/** What a change of values looks like in a frame. */
export interface ChangeFields {
  readonly values?: Readonly<Record<string, unknown>> | undefined;
  readonly patch?: readonly PatchOperation[] | undefined;
}

/** The first frame that an agent gets. */
export interface StartFrame {
  readonly type: "start";
  readonly protocol: number;
  readonly agent: string;
  readonly runId: string;
  /** `null` in a stateless run. */
  readonly threadId: string | null;
  readonly lineageId: string;
  readonly attempt: number;
  /** The lineage goes on after a question that was answered. */
  readonly resumed: boolean;
  readonly input: Json;
  readonly config: unknown;
  readonly metadata: JsonObject;
  readonly values: JsonObject;
  readonly secrets: Readonly<Record<string, string>>;
  /** The folder whose files are collected at the end; `null` where none are. */
  readonly artifacts: string | null;
}

/** An error as frames carry it. */
export interface ErrorFields {
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
}

/** What an engine says. */
export type EngineFrame =
  | StartFrame
  | { readonly type: "reply"; readonly id: number; readonly value: unknown }
  | { readonly type: "reply"; readonly id: number; readonly error: ErrorFields }
  | { readonly type: "cancel"; readonly reason: ErrorFields };

/** @throws ProtocolViolation */
export function parseAgentFrame(line: string): AgentFrame {
  const parsed = agentFrame.safeParse(parseLine(line));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ProtocolViolation(`a frame that does not fit: ${issue?.path.join(".") || "type"}: ${issue?.message}`, line);
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new ProtocolViolation("a line that is no JSON", line);
  }
}

/** The agent broke the protocol: `message` says how, `line` what it said. */
export class ProtocolViolation extends Error {
  readonly line: string | undefined;

  constructor(message: string, line?: string) {
    super(message);
    this.line = line?.slice(0, 200);
  }
}
