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
