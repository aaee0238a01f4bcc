/** What an agent's function is handed, as in `@heddle/core`. */

type Keys = Readonly<Record<string, unknown>>;
type Level = "debug" | "info" | "warn" | "error";

export interface AgentContext {
  readonly input: unknown;
  /** Deep-frozen. Return new ones, do not change these; what you leave as it is, is not sent again. */
  readonly values: Keys;
  readonly config: unknown;
  readonly metadata: Keys;
  readonly runId: string;
  /** `undefined` in a stateless run. */
  readonly threadId: string | undefined;
  readonly lineageId: string;
  /** 1 in the first attempt. */
  readonly attempt: number;
  /** The lineage goes on after a question that was answered. */
  readonly resumed: boolean;
  /** From the executor's options. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Files that are left in this folder are kept with the run. `undefined` where the executor collects none. */
  readonly artifacts: string | undefined;
  /** Aborts when the engine wants the attempt to end; `reason` is an `EngineError` that says why. */
  readonly signal: AbortSignal;
  /** Append a durable event. Awaiting it means: it is committed. */
  emit(type: string, payload?: unknown, options?: { readonly key?: string }): Promise<void>;
  /** Send a transient frame to whoever listens now. */
  delta(type: string, payload?: unknown, options?: { readonly messageId?: string }): void;
  /** A durable `log` event. Standard error is for what need not be kept. */
  log(level: Level, message: string, data?: unknown): void;
  /** Write a checkpoint now. Resolves with the new values. */
  checkpoint(values: Keys): Promise<Keys>;
  /** Do something once per lineage, whatever is retried: its result is remembered under the key. */
  step<Result>(
    key: string,
    work: (step: StepContext) => Promise<Result> | Result,
    options?: StepOptions,
  ): Promise<Result>;
  /** Ask a human. Without an answer it does not return: the attempt ends, and a later one gets it from the same call. */
  interrupt(key: string, payload: unknown, options?: InterruptOptions): Promise<unknown>;
  /** ms. A long one ends the attempt; a later one passes the same call at once. */
  sleep(duration: number, options?: { readonly key?: string }): Promise<void>;
  sleepUntil(date: Date | number, options?: { readonly key?: string }): Promise<void>;
  /** Messages for this run, one by one, as they come: the loop ends when the engine wants the attempt to end. */
  steered(): AsyncIterableIterator<SteeredMessage>;
  /** All messages that have come and were not taken yet, in order. */
  takeSteered(): Promise<readonly SteeredMessage[]>;
  /** Start a run of another agent, once per lineage and key. */
  start(key: string, agent: { readonly name: string }, input: unknown, options?: Keys): Promise<Child>;
}

export interface StepContext {
  /** Aborts with the attempt's, and when the try takes longer than its timeout. */
  readonly signal: AbortSignal;
  /** 1 for the first try in this attempt. */
  readonly tries: number;
}

export interface StepOptions {
  /** Tries that may fail before the step does, default 1; ms between them, default 1,000, doubling up to 60,000. */
  readonly retry?: { readonly maxFailures: number; readonly delay?: number };
  /** ms for each try. Default: none. */
  readonly timeout?: number;
}

export interface InterruptOptions {
  /** JSON Schema of an answer. Default: any JSON. */
  readonly schema?: unknown;
  /** ms; then no answer is taken. Default: never. */
  readonly expiresIn?: number;
}

/** A run that was handed to this one: it ends as this one does. */
export interface SteeredMessage {
  readonly runId: string;
  readonly input: unknown;
  readonly metadata: Keys;
}

export interface Child {
  readonly runId: string;
  result(): Promise<unknown>;
}

export interface AgentResult {
  readonly output?: unknown;
  /** Top-level keys replace; absent and `undefined` ones stay; `REMOVE` removes. */
  readonly values?: Keys | undefined;
}

export type AgentFunction = (context: AgentContext) => Promise<AgentResult | void> | AgentResult | void;

/** The engine refused, or ends the attempt. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  /** One of Heddle's error codes. */
  readonly code: string;
  readonly details: unknown;

  constructor({
    code,
    message,
    details,
  }: { readonly code: string; readonly message: string; readonly details?: unknown }) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
