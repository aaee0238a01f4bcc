/** Every default and limit, in one place. Times are ms. */

import { HeddleError } from "../errors.js";
import type { BusyStrategy, Durability, RetryPolicy } from "../model/run.js";
import { busyStrategies, durabilities } from "../model/run.js";
import { shown } from "../model/shown.js";

export interface EngineSettings {
  /** Attempts at once. `Infinity` allowed. */
  readonly concurrency: number;
  /** How long a worker may be silent before its runs are taken over. At least three heartbeats. */
  readonly lease: number;
  readonly heartbeat: number;
  /** How long a canceled or timed-out attempt's code may take to stop. */
  readonly cancelGrace: number;
  /** How long `close` lets attempts finish before it hands their runs back. */
  readonly closeGrace: number;
  /** How long an attempt that only waits stays in memory before it is suspended. `Infinity`: to the end of the wait. */
  readonly suspendAfter: number;
  /** How often the storage is asked for due work when nothing hints at any. */
  readonly poll: number;
  /** Runs that may wait for one thread. */
  readonly queueBound: number;
  /** What a run does when its thread is busy. */
  readonly whenBusy: BusyStrategy;
  readonly retry: RetryPolicy;
  /** When a checkpoint in the middle of a run is stored. */
  readonly durability: Durability;
  /** One attempt may take this long. Default: no limit. */
  readonly attemptTimeout: number | undefined;
  /** A run may take this long from acceptance. Default: no limit. */
  readonly deadline: number | undefined;
  readonly retention: RetentionSettings;
  readonly limits: Limits;
}

export interface RetentionSettings {
  /** What happens to a stateless run when it settles. */
  readonly statelessRuns: "keep" | "delete";
  /** Settled stateless runs older than this are swept. Default: never. */
  readonly maxAge: number | undefined;
  /** Checkpoints of threads; pruned by the sweep. Default: all are kept. */
  readonly checkpoints: CheckpointRetention;
  /** How often the sweep runs. */
  readonly sweep: number;
  /** Idempotency keys and tombstones stay at least this long. */
  readonly keys: number;
}

/** What is kept of a thread's checkpoints. Its head, and what copies and unsettled runs need, always is. */
export interface CheckpointRetention {
  /** The newest so many. The sweep lets a quarter more come together before it acts. */
  readonly keep: number | "all";
  /** Older ones go. Default: never. */
  readonly maxAge: number | undefined;
}

/** Sizes in bytes of JSON text, except where said. */
export interface Limits {
  readonly values: number;
  readonly event: number;
  readonly metadata: number;
  readonly input: number;
  readonly output: number;
  /** A step's result. */
  readonly step: number;
  /** Characters. */
  readonly id: number;
  /** Items of one page. */
  readonly page: number;
  readonly maxPage: number;
  /** Deltas that wait for a slow reader before they are dropped. */
  readonly bufferedDeltas: number;
  /** Bytes of values kept in memory. */
  readonly valuesCache: number;
}

const seconds = 1_000;
const hours = 3_600 * seconds;
const MiB = 1_024 * 1_024;

export const defaultSettings: EngineSettings = {
  concurrency: 64,
  lease: 15 * seconds,
  heartbeat: 5 * seconds,
  cancelGrace: 5 * seconds,
  closeGrace: 10 * seconds,
  suspendAfter: 5 * seconds,
  poll: 1 * seconds,
  queueBound: 100,
  whenBusy: "reject",
  retry: { maxFailures: 1, maxCrashes: 3, delay: 1 * seconds, factor: 2, maxDelay: 60 * seconds, jitter: "full" },
  durability: "sync",
  attemptTimeout: undefined,
  deadline: undefined,
  retention: {
    statelessRuns: "keep",
    maxAge: undefined,
    checkpoints: { keep: "all", maxAge: undefined },
    sweep: 60 * seconds,
    keys: 24 * hours,
  },
  limits: {
    values: 16 * MiB,
    event: 1 * MiB,
    metadata: 16 * 1_024,
    input: 16 * MiB,
    output: 16 * MiB,
    step: 16 * MiB,
    id: 255,
    page: 50,
    maxPage: 100,
    bufferedDeltas: 1_024,
    valuesCache: 64 * MiB,
  },
};

/** What a host may set; everything has a default. */
export type SettingsInput = Partial<Omit<EngineSettings, "retry" | "retention" | "limits">> & {
  readonly retry?: Partial<RetryPolicy> | undefined;
  readonly retention?:
    | (Partial<Omit<RetentionSettings, "checkpoints">> & {
        readonly checkpoints?: Partial<CheckpointRetention> | undefined;
      })
    | undefined;
  readonly limits?: Partial<Limits> | undefined;
};

/** @throws HeddleError INVALID_ARGUMENT naming the setting */
export function resolveSettings(input: SettingsInput): EngineSettings {
  const settings: EngineSettings = {
    ...defaultSettings,
    ...defined(input),
    retry: checkRetry({ ...defaultSettings.retry, ...defined(input.retry) }),
    retention: checkRetention(input.retention),
    limits: { ...defaultSettings.limits, ...defined(input.limits) },
  };
  return { ...settings, ...checkSettings(settings) };
}

export function defined<Input extends object>(input: Input | undefined): Partial<Input> {
  const entries = Object.entries(input ?? {}).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Partial<Input>;
}

const durations = { lease: 1, heartbeat: 1, cancelGrace: 0, closeGrace: 0, suspendAfter: 0, poll: 1 } as const;

function checkSettings(settings: EngineSettings): Partial<EngineSettings> {
  requireNumber("concurrency", settings.concurrency, 1);
  requireNumber("queueBound", settings.queueBound, 0);
  requireOneOf("whenBusy", settings.whenBusy, busyStrategies);
  requireOneOf("durability", settings.durability, durabilities);
  for (const [name, value] of Object.entries(settings.limits)) requireNumber(`limits.${name}`, value, 1);
  const checked = Object.fromEntries(
    Object.entries(durations).map(([name, least]) => [
      name,
      requireDuration(name, settings[name as keyof typeof durations], least),
    ]),
  );
  if (settings.lease < 3 * settings.heartbeat) {
    throw invalidArgument("lease", settings.lease, `at least three heartbeats (${3 * settings.heartbeat} ms)`);
  }
  return { ...checked, ...checkTimeLimits(settings) };
}

/** What limits an engine's, an agent's or a run's time, where it is limited. */
export function checkTimeLimits(limits: TimeLimits): TimeLimits {
  const { attemptTimeout, deadline } = limits;
  return {
    attemptTimeout: attemptTimeout === undefined ? undefined : requireDuration("attemptTimeout", attemptTimeout, 1),
    deadline: deadline === undefined ? undefined : requireDuration("deadline", deadline, 1),
  };
}

interface TimeLimits {
  readonly attemptTimeout?: number | undefined;
  readonly deadline?: number | undefined;
}

function checkRetention(input: SettingsInput["retention"]): RetentionSettings {
  const { checkpoints, ...rest } = input ?? {};
  const retention = { ...defaultSettings.retention, ...defined(rest) };
  requireOneOf("retention.statelessRuns", retention.statelessRuns, ["keep", "delete"]);
  const { maxAge } = retention;
  return {
    ...retention,
    maxAge: maxAge === undefined ? undefined : requireDuration("retention.maxAge", maxAge),
    checkpoints: checkCheckpointRetention({ ...retention.checkpoints, ...defined(checkpoints) }),
    sweep: requireDuration("retention.sweep", retention.sweep, 1),
    keys: requireDuration("retention.keys", retention.keys),
  };
}

function checkCheckpointRetention({ keep, maxAge }: CheckpointRetention): CheckpointRetention {
  return {
    keep: keep === "all" ? keep : requireNumber("retention.checkpoints.keep", keep, 1),
    maxAge: maxAge === undefined ? undefined : requireDuration("retention.checkpoints.maxAge", maxAge),
  };
}

/** @throws HeddleError INVALID_ARGUMENT naming the field */
export function checkRetry(retry: RetryPolicy): RetryPolicy {
  requireOneOf("retry.jitter", retry.jitter, ["full", "none"]);
  return {
    maxFailures: Math.min(requireNumber("retry.maxFailures", retry.maxFailures, 1), endless),
    maxCrashes: Math.min(requireNumber("retry.maxCrashes", retry.maxCrashes, 1), endless),
    delay: requireDuration("retry.delay", retry.delay),
    factor: Math.min(requireNumber("retry.factor", retry.factor, 1), endless),
    maxDelay: requireDuration("retry.maxDelay", retry.maxDelay),
    jitter: retry.jitter,
  };
}

/** @throws HeddleError INVALID_ARGUMENT unless `value` is one of `options` */
export function requireOneOf(field: string, value: unknown, options: readonly string[]): void {
  if (!options.includes(value as string)) throw invalidArgument(field, value, `one of ${options.join(", ")}`);
}

/** @throws HeddleError INVALID_ARGUMENT unless `value` is a number (Infinity included) of at least `least` */
export function requireNumber(field: string, value: unknown, least: number): number {
  if (typeof value === "number" && value >= least) return value;
  throw invalidArgument(field, value, `a number of at least ${least}`);
}

/** Kept in place of Infinity, which JSON and databases do not have: some 30,000 years of ms. */
export const endless = 1e15;

/** A duration that is stored: whole ms. Infinity is allowed. @throws HeddleError INVALID_ARGUMENT naming the field */
export function requireDuration(field: string, value: unknown, least = 0): number {
  if (typeof value === "number" && value >= least) return Math.min(Math.ceil(value), endless);
  throw invalidArgument(field, value, `a duration in ms, from ${least} up`);
}

/** What is wrong with an argument, by its name. */
export function invalidArgument(field: string, value: unknown, expected: string): HeddleError {
  return new HeddleError("INVALID_ARGUMENT", `"${field}" is ${shown(value)}, but must be ${expected}.`, {
    details: { field, value },
  });
}
