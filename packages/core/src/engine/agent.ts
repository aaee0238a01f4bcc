/** What a host registers: an agent's schemas and the function (or image) that does its work. */

import { z } from "zod";
import { HeddleError } from "../errors.js";
import type { Json, JsonObject } from "../model/json.js";
import type { Remove } from "../model/reconcile.js";
import type { Breakpoints, BusyStrategy, Durability, RetryPolicy } from "../model/run.js";
import { busyStrategies, durabilities } from "../model/run.js";
import type { SettledRun } from "../model/run-view.js";

import type {
  Child,
  ChildOptions,
  InterruptOptions,
  SleepOptions,
  StepContext,
  StepOptions,
} from "../ports/agent-calls.js";
import type { Executor, SteeredMessage } from "../ports/executor.js";

import { isId } from "./check-input.js";
import type { Emit, SendDelta } from "./frames.js";
import type { Transaction } from "./host-transaction.js";
import { checkTimeLimits, invalidArgument, requireOneOf } from "./settings.js";

/** Without a schema: any JSON. */
export type AnyJson = z.ZodType<Json, unknown>;
export type AnyValues = z.ZodType<JsonObject, Record<string, unknown>>;

export interface AgentContext<Input, Values, Config> {
  readonly input: Input;
  /** The thread's values (a stateless run's own), deep-frozen. Return new ones, do not change these. */
  readonly values: Values;
  readonly config: Config;
  readonly runId: string;
  /** `undefined` in a stateless run. */
  readonly threadId: string | undefined;
  readonly metadata: JsonObject;
  /** 1 in the first attempt. More: an earlier attempt failed, crashed or was handed back. */
  readonly attempt: number;
  /** An answer to an earlier run's question started this run. */
  readonly resumed: boolean;
  /** Aborts on cancel, timeout, deadline, lost lease and shutdown; `signal.reason` is a HeddleError that says which. */
  readonly signal: AbortSignal;
  /** Append a durable event to the stream. Awaiting it means: it is committed. */
  readonly emit: Emit;
  /** Send a transient frame (a token, a piece of tool output) to whoever listens now. */
  readonly delta: SendDelta;
  /**
   * Write a checkpoint; a later failure or crash goes on from here. Resolves with the new values: once it is committed, or
   * at once with durability `async` or `exit`.
   */
  checkpoint(values: ValuesUpdate<Values>): Promise<Values>;
  /**
   * Do something once per lineage, whatever is retried, crashes or resumes: a later attempt gets the stored result. It is
   * done again only where the process died before the result was stored. The result must be JSON, or nothing.
   * @param key 1 to 255 characters, the same in every attempt, unique among the steps of one
   * @throws HeddleError DUPLICATE_KEY, INVALID_JSON, TOO_LARGE, STEP_TIMEOUT; what `work` throws last. Nothing is stored then.
   */
  step<Result>(
    key: string,
    work: (step: StepContext) => Promise<Result> | Result,
    options?: StepOptions,
  ): Promise<Result>;
  /**
   * Ask a human. The first time it does not return: the run settles as `interrupted` and holds nothing. The answer starts
   * the next run of the lineage from the top, in which the same call returns it.
   * @param key 1 to 255 characters, the same in every attempt, unique among the questions of one
   * @throws HeddleError DUPLICATE_KEY, INVALID_JSON, TOO_LARGE, INVALID_ARGUMENT
   */
  interrupt<Schema extends z.ZodType = AnyJson>(
    key: string,
    payload: unknown,
    options?: InterruptOptions<Schema>,
  ): Promise<z.output<Schema>>;
  /**
   * A durable timer. A sleep that lasts longer than `suspendAfter` ends the attempt and frees its worker; the run goes on
   * from the top when the time has come.
   * @param duration ms
   * @param options.key default: its place among the sleeps without one
   */
  sleep(duration: number, options?: SleepOptions): Promise<void>;
  /**
   * Start a run of another agent (or of this one) as a child: once per lineage and key, whatever is retried, crashes or
   * resumes. While this attempt only waits for children it holds no slot; a wait that lasts longer than `suspendAfter` ends
   * it, and the run goes on from the top when a child is done. A child goes on alone where this run succeeds, and is
   * canceled where it fails, is canceled or is deleted with its thread.
   * @param key 1 to 255 characters, the same in every attempt, unique among the children of one
   * @throws HeddleError DUPLICATE_KEY, UNKNOWN_AGENT, INVALID_INPUT, THREAD_BUSY, THREAD_DEADLOCK, RUN_GONE, …
   */
  start<Of extends AgentLike>(
    key: string,
    agent: Of,
    input: InputOf<Of>,
    options?: ChildOptions<ConfigOf<Of>>,
  ): Promise<Child<OutputOf<Of>>>;
  /** As `sleep`, to a point in time: a `Date` or epoch ms. */
  sleepUntil(date: Date | number, options?: SleepOptions): Promise<void>;
  /**
   * Runs that are started with `whenBusy: "steer"` while this one is live, as they come. Ends when the signal aborts. What
   * the agent takes settles with this run, however it ends; what it leaves runs next, as a run of its own. A retry or a
   * resume gets all of them again.
   */
  steered(): AsyncIterableIterator<SteeredMessage<Input>>;
  /** All that have come and were not taken yet; in order. */
  takeSteered(): Promise<readonly SteeredMessage<Input>[]>;
}

/** Top-level keys replace; absent and `undefined` ones stay; `REMOVE` removes. */
export type ValuesUpdate<Values> = {
  readonly [Key in keyof Values]?: Values[Key] | Remove | undefined;
};

export interface AgentResult<Output, Values> {
  readonly output?: Output;
  readonly values?: ValuesUpdate<Values>;
}

export interface AgentDefinition<
  Input extends z.ZodType = AnyJson,
  Values extends z.ZodType = AnyValues,
  Output extends z.ZodType = AnyJson,
  Config extends z.ZodType = AnyJson,
> {
  /** Unique in the engine; 1 to 255 characters. Stored with every run. */
  readonly name: string;
  readonly input?: Input;
  /** A schema whose output is plain JSON and parses to itself: no transforms. Give defaults to top-level keys. */
  readonly values?: Values;
  readonly output?: Output;
  readonly config?: Config;
  /**
   * May be called again for the same run: after a failure that is retried, a crash, a shutdown. Left out where an
   * `executor` runs a program of its own.
   */
  readonly run?: AgentCode<NoInfer<Input>, NoInfer<Values>, NoInfer<Output>, NoInfer<Config>>;
  readonly retry?: Partial<RetryPolicy>;
  /** When `checkpoint()` in the middle of a run is stored. */
  readonly durability?: Durability;
  /** ms per attempt. */
  readonly attemptTimeout?: number;
  /** ms from acceptance. */
  readonly deadline?: number;
  /** What its runs do when their thread is busy. */
  readonly whenBusy?: BusyStrategy;
  /** Steps before or after which its runs stop until `resume()`: for looking at them one by one. */
  readonly breakpoints?: Breakpoints;
  /** Of stateless runs. */
  readonly onCompletion?: "keep" | "delete";
  /**
   * Write the host's own rows in the transaction that settles the run: they are committed with its outcome, or not at
   * all. Called for every outcome of a run that was active, only where this agent is registered; not for runs that settle
   * while they wait for their turn or are deleted with their thread. Await storage calls only (`tx.host`, starts with
   * `{ tx }`). May be called again when the transaction is. If it throws, its rows are rolled back and the run fails with
   * `SETTLE_HOOK_FAILED`.
   */
  onSettle?(tx: Transaction, settled: SettledRun): Promise<void> | void;
  /** Where attempts run. Default: inline, in this process. */
  readonly executor?: Executor;
}

/**
 * The function that does an agent's work.
 *
 * A conditional type, though it has one branch only: the compiler puts the inferred schemas into such a type before it
 * looks at the function, so that in `{ role: "user" }` it keeps the literal where the schema asks for one. A method's type,
 * so that agents of all types fit `Agent`.
 */
export type AgentCode<
  Input extends z.ZodType,
  Values extends z.ZodType,
  Output extends z.ZodType,
  Config extends z.ZodType,
> = [Input, Values, Output, Config] extends [
  infer In extends z.ZodType,
  infer State extends z.ZodType,
  infer Out extends z.ZodType,
  infer Settings extends z.ZodType,
]
  ? {
      run(
        context: AgentContext<z.output<In>, z.output<State>, z.output<Settings>>,
      ): Promise<AgentResult<z.input<Out>, z.input<State>> | void> | AgentResult<z.input<Out>, z.input<State>> | void;
    }["run"]
  : never;

/** An agent definition of unknown types, as the engine keeps it. */
export type Agent = AgentDefinition<z.ZodType, z.ZodType, z.ZodType, z.ZodType>;

/** What is needed of an agent to start its runs with full types. */
export type AgentLike<
  Input extends z.ZodType = z.ZodType,
  Values extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
  Config extends z.ZodType = z.ZodType,
> = Pick<AgentDefinition<Input, Values, Output, Config>, "name" | "input" | "values" | "output" | "config">;

/** One of the two is needed. */
interface HasCode {
  readonly run: unknown;
}
interface RunsElsewhere {
  readonly executor: Executor;
}

export type InputOf<Of extends AgentLike> = Of extends AgentLike<infer Input> ? z.input<Input> : unknown;
export type ConfigOf<Of extends AgentLike> =
  Of extends AgentLike<z.ZodType, z.ZodType, z.ZodType, infer Config> ? z.input<Config> : unknown;
export type OutputOf<Of extends AgentLike> =
  Of extends AgentLike<z.ZodType, z.ZodType, infer Output> ? z.output<Output> : unknown;

/**
 * Declare an agent. Types flow from the schemas to `run`, `start` and `result`.
 *
 * @example
 * ```ts
 * const greeter = defineAgent({
 *   name: "greeter",
 *   input: z.object({ name: z.string() }),
 *   output: z.string(),
 *   run: ({ input }) => ({ output: `Hello ${input.name}!` }),
 * });
 * ```
 * @throws HeddleError INVALID_ARGUMENT
 */
export function defineAgent<
  Input extends z.ZodType = AnyJson,
  Values extends z.ZodType = AnyValues,
  Output extends z.ZodType = AnyJson,
  Config extends z.ZodType = AnyJson,
>(
  definition: AgentDefinition<Input, Values, Output, Config> & (HasCode | RunsElsewhere),
): AgentDefinition<Input, Values, Output, Config> {
  checkDefinition(definition);
  return definition;
}

/** Of whatever a host registers as an agent. @throws HeddleError INVALID_ARGUMENT naming the field */
export function checkDefinition(definition: unknown): asserts definition is Agent {
  const given = (typeof definition === "object" && definition !== null ? definition : {}) as Partial<Agent>;
  checkName(given.name);
  checkParts(given as Partial<Agent> & { readonly name: string });
  if (given.whenBusy !== undefined) requireOneOf("whenBusy", given.whenBusy, busyStrategies);
  if (given.durability !== undefined) requireOneOf("durability", given.durability, durabilities);
  if (given.onCompletion !== undefined) requireOneOf("onCompletion", given.onCompletion, ["keep", "delete"]);
  checkTimeLimits(given);
  if (given.executor !== undefined && typeof given.executor?.execute !== "function") {
    throw invalidArgument("executor", given.executor, "an executor");
  }
}

function checkName(name: unknown): void {
  if (isId(name) && name.length > 0 && name.length <= 255) return;
  throw new HeddleError("INVALID_ARGUMENT", 'An agent needs a "name" of 1 to 255 characters.', {
    details: { field: "name" },
  });
}

function checkParts(definition: Partial<Agent> & { readonly name: string }): void {
  for (const field of ["input", "values", "output", "config"] as const) {
    if (definition[field] === undefined || definition[field] instanceof z.ZodType) continue;
    throw new HeddleError("INVALID_ARGUMENT", `"${field}" of agent "${definition.name}" is not a zod 4 schema.`, {
      details: { field },
    });
  }
  if (definition.run === undefined && definition.executor !== undefined) return;
  if (typeof definition.run !== "function") {
    throw new HeddleError("INVALID_ARGUMENT", `Agent "${definition.name}" has no "run" function.`, {
      details: { field: "run" },
    });
  }
}
