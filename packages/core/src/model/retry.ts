/** Retry arithmetic: pure, with the clock's reading and the random number passed in. */

import type { RetryPolicy } from "./run.js";

/**
 * How long the run waits after its `failures`-th failure, ms.
 * @param random uniformly distributed in [0, 1)
 */
export function backoff(policy: RetryPolicy, failures: number, random: number): number {
  const exponent = Math.min(Math.max(failures - 1, 0), 1_000);
  // Nothing times an endless factor would be NaN.
  const wait = policy.delay === 0 ? 0 : Math.min(policy.delay * policy.factor ** exponent, policy.maxDelay);
  return Math.round(policy.jitter === "full" ? wait * random : wait);
}

/** May a run that has now failed `failures` times go on? */
export function mayRetry(policy: RetryPolicy, failures: number): boolean {
  return failures < policy.maxFailures;
}

/** May a run that has now lost its lease `crashes` times go on? */
export function maySurviveCrash(policy: RetryPolicy, crashes: number): boolean {
  return crashes < policy.maxCrashes;
}
