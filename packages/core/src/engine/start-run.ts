/** From a caller's start to an `accept_run` intent. */

import { createHash } from "node:crypto";
import { HeddleError } from "../errors.js";
import { checkpointNotFound } from "../model/intents/checkpoint-ref.js";
import type { AcceptRun, NewRun } from "../model/intents/intent.js";
import type { Json } from "../model/json.js";
import { canonicalJson } from "../model/json.js";
import type { Breakpoints, BusyStrategy, Durability, RetryPolicy, RunPolicy } from "../model/run.js";
import { busyStrategies, durabilities } from "../model/run.js";
import { shown } from "../model/shown.js";
import { parseWith } from "../model/values-schema.js";
import type { Agent } from "./agent.js";
import { checkBreakpoints } from "./breakpoints.js";
import { checkedJson, checkId, checkJson, checkMetadata, isId, requireOptions } from "./check-input.js";
import type { Core, RegisteredAgent } from "./core.js";
import type { AnyTransaction } from "./host-transaction.js";
import type { EngineSettings } from "./settings.js";
import { checkRetry, checkTimeLimits, defined, invalidArgument, requireDuration, requireOneOf } from "./settings.js";

export interface StartOptions<Config = unknown> {
  /** For the agent's `config` schema. */
  readonly config?: Config;
  /** Searchable by equality on top-level scalars. At most 16 KiB. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Start again with the same key and get the same run. Unique per agent and thread (or stateless). */
  readonly idempotencyKey?: string;
  /** Higher is claimed first, between threads and stateless runs. Default 0. */
  readonly priority?: number;
  /** Not before this many ms have passed. */
  readonly delay?: number;
  /** ms per attempt. Default: the agent's, else the engine's. */
  readonly attemptTimeout?: number;
  /** ms from acceptance until the run fails. */
  readonly deadline?: number;
  readonly retry?: Partial<RetryPolicy>;
  /** When `checkpoint()` in the middle of the run is stored. Default: the agent's, else the engine's (`sync`). */
  readonly durability?: Durability;
  /** Steps before or after which the run stops until `resume()`. Default: the agent's. */
  readonly breakpoints?: Breakpoints;
  /** Start in a host's transaction: rolled back means there was no run. */
  readonly tx?: AnyTransaction;
}

export interface StatelessStartOptions<Config = unknown> extends StartOptions<Config> {
  readonly onCompletion?: "keep" | "delete";
}

export interface ThreadStartOptions<Config = unknown> extends StartOptions<Config> {
  /** When the thread is busy. Default: the thread's `whenBusy`, else the agent's, else the engine's. */
  readonly whenBusy?: BusyStrategy;
  /**
   * Replay: begin at this checkpoint of the thread instead of at its head. The head moves there when the run becomes
   * active; what was behind it stays as a branch. In a transaction (`tx`) only the thread's own can be named, not those
   * that it shares with the thread it was copied from.
   */
  readonly from?: string;
  /** What a run does to a thread that does not exist. Default `reject`. */
  readonly ifNotExists?: "reject" | "create";
}

const missingThread = ["reject", "create"] as const;

export type AnyStartOptions = StatelessStartOptions & ThreadStartOptions;

/** The registered agent of this name. @throws HeddleError UNKNOWN_AGENT */
export function agentOf(core: Core, agent: { readonly name: string } | string): RegisteredAgent {
  const name: unknown = typeof agent === "string" ? agent : agent?.name;
  const registered = core.agents.get(name as string);
  if (registered !== undefined) return registered;
  const known = core.agentNames.length === 0 ? "none" : core.agentNames.join(", ");
  throw new HeddleError("UNKNOWN_AGENT", `This engine has no agent "${shown(name)}" (it has: ${known}).`, {
    details: { agent: name, known: core.agentNames },
  });
}

/** @throws HeddleError UNKNOWN_AGENT, INVALID_INPUT, INVALID_CONFIG, INVALID_ARGUMENT, INVALID_ID, INVALID_JSON, TOO_LARGE */
export function acceptIntent(
  core: Core,
  agent: { readonly name: string } | string,
  threadId: string | null,
  input: unknown,
  options: AnyStartOptions = {},
): AcceptRun {
  requireOptions("options", options);
  const registered = agentOf(core, agent);
  const { settings } = core;
  const run = newRun(core, registered, threadId, input, options);
  const intent: AcceptRun = {
    kind: "accept_run",
    run,
    whenBusy:
      oneOf("whenBusy", options.whenBusy, busyStrategies) ?? registered.definition.whenBusy ?? settings.whenBusy,
    threadDecides: options.whenBusy === undefined,
    finalCheckpointId: core.random.id("chk"),
    createThread: oneOf("ifNotExists", options.ifNotExists, missingThread) === "create",
    queueBound: settings.queueBound,
    ...fromOf(threadId, options.from),
  };
  if (options.idempotencyKey === undefined) return intent;
  return { ...intent, idempotency: idempotency(core, run, options.idempotencyKey) };
}

function fromOf(threadId: string | null, from: unknown): Pick<AcceptRun, "from"> {
  if (from === undefined) return {};
  if (threadId === null)
    throw invalidArgument("from", from, "left out: a stateless run has no checkpoints to go back to");
  if (isId(from)) return { from: { id: from, isShared: false } };
  throw checkpointNotFound(shown(from));
}

function newRun(
  core: Core,
  agent: RegisteredAgent,
  threadId: string | null,
  input: unknown,
  options: AnyStartOptions,
): NewRun {
  const { limits } = core.settings;
  const { definition } = agent;
  const id = core.random.id("run");
  return {
    id,
    threadId: threadId === null ? null : checkId("thread id", threadId, limits),
    agent: definition.name,
    lineageId: id,
    parentRunId: null,
    parentThreadId: null,
    input: checkedInput(definition, input, limits.input),
    config: checkedConfig(definition, options.config, limits.input),
    metadata: checkMetadata(options.metadata, limits),
    policy: policyText(core.settings, agent, options),
    priority: checkPriority(options.priority),
    delay: options.delay === undefined ? 0 : requireDuration("delay", options.delay),
    settleHook: definition.onSettle !== undefined,
    deadline: deadlineOf(core.settings, definition, options),
  };
}

/** Stored as the caller gave it; the agent gets what its schema makes of it, parsed anew for each attempt. */
function checkedInput(agent: Agent, input: unknown, limit: number): string {
  const { copy, text } = checkedJson("input", input, limit);
  if (agent.input !== undefined) parseWith(agent.input, copy, "INVALID_INPUT", "input");
  return text;
}

function checkedConfig(agent: Agent, config: unknown, limit: number): string | null {
  const text = config === undefined ? null : checkJson("config", config, limit);
  if (agent.config !== undefined) {
    parseWith(agent.config, text === null ? undefined : JSON.parse(text), "INVALID_CONFIG", "config");
  }
  return text;
}

function deadlineOf(settings: EngineSettings, agent: Agent, options: AnyStartOptions): number | null {
  const deadline = firstGiven(options.deadline, agent.deadline, settings.deadline);
  return deadline === undefined ? null : requireDuration("deadline", deadline, 1);
}

/** Not `??`: only `undefined` is absent; null is a mistake to be told. */
function firstGiven<Value>(...values: readonly (Value | undefined)[]): Value | undefined {
  return values.find((value) => value !== undefined);
}

function checkPriority(priority: unknown): number {
  if (priority === undefined) return 0;
  if (Number.isInteger(priority) && Math.abs(priority as number) <= 2 ** 31 - 1) return priority as number;
  throw new HeddleError("INVALID_ARGUMENT", `"priority" is ${shown(priority)}, but must be a 32-bit whole number.`, {
    details: { field: "priority" },
  });
}

export function oneOf<Option extends string>(
  field: string,
  value: unknown,
  options: readonly Option[],
): Option | undefined {
  if (value !== undefined) requireOneOf(field, value, options);
  return value as Option | undefined;
}

/** Worked out once per agent; only a run with overrides of its own needs a text of its own. */
function policyText(settings: EngineSettings, agent: RegisteredAgent, options: AnyStartOptions): string {
  const { retry, attemptTimeout, onCompletion, durability, breakpoints } = options;
  const own = [retry, attemptTimeout, onCompletion, durability, breakpoints];
  if (own.every((option) => option === undefined)) return agent.policy;
  return JSON.stringify(policyOf(settings, agent.definition, options));
}

export function policyOf(settings: EngineSettings, agent: Agent, options: AnyStartOptions = {}): RunPolicy {
  for (const given of [agent.retry, options.retry]) if (given !== undefined) requireOptions("retry", given);
  const retry = checkRetry({ ...settings.retry, ...defined(agent.retry), ...defined(options.retry) });
  const { attemptTimeout } = checkTimeLimits({
    attemptTimeout: firstGiven(options.attemptTimeout, agent.attemptTimeout, settings.attemptTimeout),
  });
  const onCompletion =
    oneOf("onCompletion", firstGiven(options.onCompletion, agent.onCompletion), ["keep", "delete"]) ??
    settings.retention.statelessRuns;
  const durability =
    oneOf("durability", firstGiven(options.durability, agent.durability), durabilities) ?? settings.durability;
  const breakpoints = firstGiven(options.breakpoints, agent.breakpoints);
  return {
    retry,
    ...(durability === "sync" ? {} : { durability }),
    cancelGrace: settings.cancelGrace,
    ...(attemptTimeout === undefined ? {} : { attemptTimeout }),
    ...(onCompletion === "keep" ? {} : { onCompletion }),
    ...(breakpoints === undefined ? {} : { breakpoints: checkBreakpoints(breakpoints) }),
  };
}

function idempotency(core: Core, run: NewRun, key: string): NonNullable<AcceptRun["idempotency"]> {
  const { limits, retention } = core.settings;
  const content: Json = [
    run.agent,
    JSON.parse(run.input) as Json,
    run.config === null ? null : (JSON.parse(run.config) as Json),
  ];
  const fingerprint = createHash("sha256").update(canonicalJson(content)).digest("base64url");
  return { key: checkId("idempotency key", key, limits), fingerprint, keep: retention.keys };
}
