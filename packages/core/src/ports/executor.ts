/**
 * Where an attempt runs. The engine claims a run, loads what it needs and hands it to the agent's executor; the
 * executor runs the agent's code (in this process, a child process, a container) and answers once with what came of it.
 * It never touches storage: everything goes through the session, which is fenced.
 */

import type { Json, JsonObject } from "../model/json.js";
import type { ChildOptions, ChildRef } from "./agent-calls.js";
import type { Clock } from "./clock.js";
import type { Random } from "./random.js";

export interface Executor {
  /** For messages: `inline`, `process`, `docker`, … */
  readonly name: string;
  /**
   * Whether a returned subtree may be `===` to one that was handed out (same process). Without identity, returned
   * values are compared deep.
   */
  readonly sharesMemory: boolean;
  /**
   * Run one attempt to its end. Rejects with what the agent threw. Should end soon after `signal` aborts; if it does
   * not, the engine fences the attempt off and goes on without it: then `fence` aborts.
   */
  execute(attempt: Attempt, session: AttemptSession): Promise<AttemptResult>;
  /** Called when an engine that uses it starts, before its first attempt. */
  open?(host: ExecutorHost): Promise<void>;
  /** Called once when that engine closes, with what it was opened with. Nothing of its attempts may live on. */
  close?(host: ExecutorHost): Promise<void>;
}

/** What an engine tells its executors of itself. */
export interface ExecutorHost {
  /** Names this engine's leases; another start is another worker. */
  readonly worker: string;
  /** Does that attempt still hold its run? `undefined` where the engine's storage does not know the run. */
  holds(runId: string, attempt: number): Promise<boolean | undefined>;
  /** Report a failure in the background. */
  report(error: unknown, during: string): void;
}

/** What the agent is given. */
export interface Attempt {
  readonly runId: string;
  readonly threadId: string | null;
  readonly lineageId: string;
  /** The agent's definition, as the host registered it. */
  readonly agent: { readonly name: string };
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** An answer to a question of an earlier run of the lineage started this one. */
  readonly resumed: boolean;
  /** Already parsed by the agent's schema. */
  readonly input: unknown;
  /** As accepted: for executors that pass it on as JSON. */
  readonly inputJson: Json;
  readonly config: unknown;
  readonly metadata: JsonObject;
  /** Deep-frozen. */
  readonly values: JsonObject;
  /**
   * Aborts on cancel, timeout, deadline, lost lease and shutdown; `reason` is a HeddleError that says which. Also where
   * code runs on though its attempt ended itself: then it is an `AttemptEnded`.
   */
  readonly signal: AbortSignal;
  /**
   * Aborts when the engine no longer waits for the attempt: its grace is over, its lease is lost, or the engine closes.
   * Never before `signal`. Nothing that the code still does counts; an executor that can stop it by force does so now.
   */
  readonly fence: AbortSignal;
  /** The engine's time and chance, for what an executor of this process does on the agent's behalf. */
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * What the agent may do meanwhile. After the attempt's end or fence every call rejects with `LEASE_LOST`.
 *
 * A question, or a wait that takes long, ends the attempt from inside: from then on every call rejects with
 * `AttemptEnded`, save for further questions and for the results of steps that are in flight. The attempt ends one turn
 * of the event loop after the last of those, whatever the code makes of the rejections.
 *
 * Keys are the agent's own names, 1 to 255 characters, unique per attempt and kind (`DUPLICATE_KEY`). Its methods are those
 * of one object: an executor around another one passes each call on, a spread copy has none of them.
 */
export interface AttemptSession {
  /** Append a durable event; resolves when it is committed. With a key: once per lineage, whatever is retried. */
  emit(type: string, payload: unknown, options?: { readonly key?: string }): Promise<void>;
  /** Send a transient frame to whoever listens now. */
  delta(type: string, payload: unknown, options?: { readonly messageId?: string }): void;
  /** Write a mid-run checkpoint; resolves with the new values when it is committed. */
  checkpoint(values: Readonly<Record<string, unknown>>): Promise<JsonObject>;
  /**
   * Begin a step. Resolves with what the lineage remembers of it; with `undefined` where it has to be done. Then the step
   * is in flight until `endStep` or `failStep`.
   */
  beginStep(key: string): Promise<Remembered | undefined>;
  /** Remember the result of a step in flight; resolves with it, as every later attempt will get it, once it is committed. */
  endStep(key: string, result: unknown): Promise<Remembered>;
  /** A step in flight failed for good: nothing is remembered. */
  failStep(key: string): void;
  /** The answer to a question, if there is one. Else the attempt ends, the question is stored, and this rejects. */
  ask(key: string, payload: unknown, options?: AskOptions): Promise<Json>;
  /** Resolves when the time has come, in this attempt or a later one. Without a key: by its place among those without. */
  sleep(until: Wake, key?: string): Promise<void>;
  /** Start a run of `agent` as a child, or find the one that the lineage started under this key. */
  startChild(key: string, agent: string, input: unknown, options?: ChildOptions): Promise<ChildRef>;
  /** The output of a child that this attempt started or found. Rejects with what became of one that did not succeed. */
  childResult(key: string): Promise<Json>;
  /** All that was handed to the run as messages and that the attempt has not taken yet; in order. */
  takeSteered(): Promise<readonly SteeredMessage[]>;
  /** The next such message, as soon as there is one; `undefined` once the signal has aborted. */
  nextSteered(): Promise<SteeredMessage | undefined>;
}

/** A run that was handed to the live run: who took it settles with it. */
export interface SteeredMessage<Input = unknown> {
  readonly runId: string;
  /** Already parsed by the agent's schema. */
  readonly input: Input;
  /** As accepted: for executors that pass it on as JSON. */
  readonly inputJson: Json;
  readonly metadata: JsonObject;
}

/** `value` is absent where the step gave `undefined`. */
export interface Remembered {
  readonly value?: Json;
}

export interface AskOptions {
  /** JSON Schema that an answer must satisfy. Default: any JSON. */
  readonly schema?: Json;
  /** ms from the end of the attempt; then no answer is taken. Default: never. */
  readonly expiresIn?: number;
}

/** ms from now, or a point in time, epoch ms. */
export type Wake = { readonly after: number } | { readonly at: number };

/**
 * The attempt ended itself: its run waits for an answer, or for what takes long. Let it pass. Not a `HeddleError`: it tells
 * of no failure, and what is thrown after it is not looked at.
 */
export class AttemptEnded extends Error {
  override readonly name = "AttemptEnded";
  constructor() {
    super("This attempt ended here; its run goes on later, in another attempt, from the top.");
  }
}

export interface AttemptResult {
  readonly output?: unknown;
  readonly values?: Readonly<Record<string, unknown>> | undefined;
}
