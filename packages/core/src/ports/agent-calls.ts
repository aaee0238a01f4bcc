/** What an agent may say with its calls, whichever executor carries them. */

import type { z } from "zod";
import type { BusyStrategy, RetryPolicy } from "../model/run.js";

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

/** As the options of any start, save for what the key of the child stands for. */
export interface ChildOptions<Config = unknown> {
  /** Default: stateless. */
  readonly threadId?: string;
  /** When that thread is busy. */
  readonly whenBusy?: BusyStrategy;
  /** What the child does to a thread that does not exist. Default `reject`. */
  readonly ifNotExists?: "reject" | "create";
  readonly config?: Config;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly priority?: number;
  /** ms. */
  readonly delay?: number;
  /** ms per attempt. */
  readonly attemptTimeout?: number;
  /** ms from acceptance; never later than the parent's. */
  readonly deadline?: number;
  readonly retry?: Partial<RetryPolicy>;
  /** Of a stateless child. Default `keep`: whoever deletes it takes its result from the parent. */
  readonly onCompletion?: "keep" | "delete";
}

/** A child that was started. */
export interface ChildRef {
  /** Its first run. */
  readonly runId: string;
}

export interface Child<Output = unknown> extends ChildRef {
  /**
   * The child's output; it follows the child through questions and their answers. May be called in any attempt, again.
   * @throws HeddleError RUN_FAILED, RUN_CANCELED, RUN_GONE, THREAD_DEADLOCK
   */
  result(): Promise<Output>;
}
