/**
 * Every error that Heddle throws on purpose is a `HeddleError` with a code from one closed union.
 * `docs/errors.md` lists each code with its meaning, cause and cure; a test keeps the two in step.
 */

/** Code → HTTP status that a server built on Heddle would answer with. */
const statusByCode = {
  INVALID_ARGUMENT: 400,
  INVALID_ID: 400,
  INVALID_JSON: 400,
  INVALID_INPUT: 422,
  INVALID_VALUES: 422,
  INVALID_CONFIG: 422,
  INVALID_OUTPUT: 500,
  TOO_LARGE: 413,
  UNKNOWN_AGENT: 404,
  RUN_NOT_FOUND: 404,
  THREAD_NOT_FOUND: 404,
  CHECKPOINT_NOT_FOUND: 404,
  THREAD_EXISTS: 409,
  THREAD_BUSY: 409,
  THREAD_DEADLOCK: 409,
  QUEUE_FULL: 429,
  IDEMPOTENCY_CONFLICT: 409,
  RUN_GONE: 410,
  RUN_ACTIVE: 409,
  DUPLICATE_KEY: 409,
  STEP_TIMEOUT: 504,
  INVALID_ANSWER: 422,
  QUESTION_NOT_FOUND: 404,
  QUESTION_CLOSED: 409,
  RUN_FAILED: 500,
  RUN_CANCELED: 409,
  RUN_INTERRUPTED: 409,
  AGENT_ERROR: 500,
  AGENT_PROTOCOL: 502,
  AGENT_EXITED: 502,
  AGENT_OUT_OF_MEMORY: 507,
  COMMAND_NOT_FOUND: 500,
  IMAGE_UNAVAILABLE: 503,
  EXECUTOR_UNAVAILABLE: 503,
  INVALID_ARTIFACT: 502,
  ATTEMPT_TIMEOUT: 504,
  DEADLINE_EXCEEDED: 504,
  CRASH_LIMIT: 500,
  SETTLE_HOOK_FAILED: 500,
  LEASE_LOST: 409,
  CURSOR_EXPIRED: 410,
  ENGINE_CLOSED: 503,
  TRANSACTION_CLOSED: 409,
  TRANSACTION_MISUSE: 409,
  FOREIGN_TRANSACTION: 400,
  CORRUPT_DATA: 500,
  STORAGE_BUSY: 503,
  STORAGE_FULL: 507,
  STORAGE_CORRUPT: 500,
  STORAGE_READONLY: 500,
  STORAGE_NEWER: 500,
  STORAGE_FOREIGN: 500,
  STORAGE_UNAVAILABLE: 503,
  STORAGE_ERROR: 500,
} as const;

/** The closed union of error codes. Codes are stable: they never change their meaning. */
export type HeddleErrorCode = keyof typeof statusByCode;

/** All codes, in the order of `docs/errors.md`. */
export const errorCodes = Object.keys(statusByCode) as readonly HeddleErrorCode[];

/** The cross-copy mark: two installs of Heddle in one process recognise each other's errors. */
const mark: unique symbol = Symbol.for("heddle.error") as never;

export interface HeddleErrorOptions {
  /** Plain data about this occurrence: the field, the limit, the id, the active run, … */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * The one error class of Heddle.
 *
 * @example
 * ```ts
 * try {
 *   await thread.start(support, { message: "hi" });
 * } catch (error) {
 *   if (HeddleError.is(error, "THREAD_BUSY")) console.log(error.details.activeRunId);
 *   else throw error;
 * }
 * ```
 */
export class HeddleError extends Error {
  override readonly name = "HeddleError";
  readonly code: HeddleErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  /** The HTTP status that fits this error, for servers built on top. */
  readonly status: number;
  readonly [mark] = true;

  constructor(code: HeddleErrorCode, message: string, options: HeddleErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
    this.status = statusByCode[code];
  }

  /** Is `error` a Heddle error (of any installed copy), and, where given, one with that code? */
  static is<Code extends HeddleErrorCode>(error: unknown, code?: Code): error is HeddleError & { readonly code: Code } {
    if (typeof error !== "object" || error === null || !(mark in error)) return false;
    return code === undefined || (error as HeddleError).code === code;
  }
}
