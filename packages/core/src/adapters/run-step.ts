/** A step's code, tried as often as its options say, around what the session remembers. */

import { HeddleError } from "../errors.js";
import { backoff, mayRetry } from "../model/retry.js";
import type { RetryPolicy } from "../model/run.js";
import { shown } from "../model/shown.js";
import type { StepContext, StepOptions } from "../ports/agent-calls.js";
import type { Attempt, AttemptSession } from "../ports/executor.js";
import { AttemptEnded } from "../ports/executor.js";

type Work = (step: StepContext) => unknown;

export async function runStep(
  attempt: Attempt,
  session: AttemptSession,
  key: string,
  work: Work,
  options: StepOptions = {},
): Promise<unknown> {
  const policy = checkOptions(key, work, options);
  const remembered = await session.beginStep(key);
  if (remembered !== undefined) return remembered.value;
  let result: unknown;
  try {
    result = await tryOften(attempt, key, work, policy, options.timeout);
  } catch (error) {
    session.failStep(key);
    throw error;
  }
  return (await session.endStep(key, result)).value;
}

async function tryOften(
  attempt: Attempt,
  key: string,
  work: Work,
  policy: RetryPolicy,
  timeout: number | undefined,
): Promise<unknown> {
  for (let tries = 1; ; tries++) {
    try {
      return await tryOnce(attempt, key, work, tries, timeout);
    } catch (error) {
      if (error instanceof AttemptEnded || attempt.signal.aborted || !mayRetry(policy, tries)) throw error;
      await pause(attempt, backoff(policy, tries, attempt.random.fraction()));
    }
  }
}

async function tryOnce(
  { signal, clock }: Attempt,
  key: string,
  work: Work,
  tries: number,
  timeout: number | undefined,
): Promise<unknown> {
  signal.throwIfAborted();
  if (timeout === undefined) return work({ signal, tries });
  const abort = new AbortController();
  let cancel = (): void => {};
  const tooLong = new Promise<never>((_, reject) => {
    cancel = clock.setTimer(
      timeout,
      () => {
        const error = stepTimeout(key, timeout);
        reject(error);
        abort.abort(error);
      },
      "work",
    );
  });
  try {
    return await Promise.race([work({ signal: AbortSignal.any([signal, abort.signal]), tries }), tooLong]);
  } finally {
    cancel();
  }
}

/** Not longer than the attempt is wanted. */
function pause({ signal, clock }: Attempt, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.setTimer(
      ms,
      () => {
        signal.removeEventListener("abort", stop);
        resolve();
      },
      "work",
    );
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

function stepTimeout(key: string, limit: number): HeddleError {
  return new HeddleError("STEP_TIMEOUT", `Step "${key}" took longer than ${limit} ms.`, { details: { key, limit } });
}

/** @throws HeddleError INVALID_ARGUMENT */
function checkOptions(key: string, work: unknown, options: StepOptions): RetryPolicy {
  if (typeof work !== "function") throw invalid(key, "work", "a function");
  if (typeof options !== "object" || options === null) throw invalid(key, "options", "an object");
  const { timeout, retry } = options;
  if (timeout !== undefined && !isAtLeast(1, timeout)) throw invalid(key, "timeout", "a duration in ms, from 1 up");
  if (retry !== undefined && (typeof retry !== "object" || retry === null)) throw invalid(key, "retry", "an object");
  const policy = { maxFailures: 1, maxCrashes: 1, delay: 1_000, factor: 2, maxDelay: 60_000, jitter: "full", ...retry };
  if (!isAtLeast(1, policy.maxFailures)) throw invalid(key, "retry.maxFailures", "a number of at least 1");
  for (const field of ["delay", "factor", "maxDelay"] as const) {
    if (!isAtLeast(0, policy[field])) throw invalid(key, `retry.${field}`, "a number of at least 0");
  }
  if (policy.jitter !== "full" && policy.jitter !== "none") throw invalid(key, "retry.jitter", '"full" or "none"');
  return policy as RetryPolicy;
}

function isAtLeast(least: number, value: unknown): boolean {
  return typeof value === "number" && value >= least;
}

function invalid(key: string, field: string, expected: string): HeddleError {
  return new HeddleError("INVALID_ARGUMENT", `"${field}" of step "${shown(key)}" must be ${expected}.`, {
    details: { field, key },
  });
}
