/** What an agent may say with its calls, whichever executor carries them. */

import type { z } from "zod";
import type { RetryPolicy } from "../model/run.js";

export interface StepOptions {
  /** Tries within the attempt. Default: one. Waits as a run's retry: from 1 s, doubling up to 60 s, full jitter. */
  readonly retry?: StepRetry;
  /** ms for each try; then it fails with `STEP_TIMEOUT` and its signal aborts. Default: none. */
  readonly timeout?: number;
}

export type StepRetry = Partial<Omit<RetryPolicy, "maxFailures" | "maxCrashes">> & {
  /** Tries that may fail before the step does. */
  readonly maxFailures: number;
};

export interface StepContext {
  /** Aborts with the attempt's, and when the try takes longer than its timeout. */
  readonly signal: AbortSignal;
  /** 1 for the first try in this attempt. */
  readonly tries: number;
}

export interface InterruptOptions<Schema extends z.ZodType = z.ZodType> {
  /** What an answer must look like; it is checked before it is taken. Default: any JSON. */
  readonly schema?: Schema;
  /** ms from the interrupt; then no answer is taken. Default: never. */
  readonly expiresIn?: number;
}

export interface SleepOptions {
  /** Names the sleep where sleeps do not come in the same order in every attempt. */
  readonly key?: string;
}
