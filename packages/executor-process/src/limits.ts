import { HeddleError } from "@heddle/core";

export interface ProgramLimits {
  /** Bytes of one frame, hence of the values. Default 16 MiB. */
  readonly frame: number;
  /** Bytes that an attempt may write to standard output and standard error together. Default 256 MiB. */
  readonly output: number;
  /** Bytes of all files that an attempt may leave in its artifacts folder. Default 8 MiB; they are kept in the database. */
  readonly artifacts: number;
  /** ms without a word on standard output, after which the attempt fails as timed out. Default: none. */
  readonly silence: number;
}

export const defaultLimits: ProgramLimits = {
  frame: 16 * 1024 * 1024,
  output: 256 * 1024 * 1024,
  artifacts: 8 * 1024 * 1024,
  silence: Number.POSITIVE_INFINITY,
};

/** Between SIGTERM and SIGKILL, in ms. Whoever gets the first has had the whole grace already. */
export const killDelay = 1_000;

/** How long a program may live after its last word, in ms. */
export const exitDelay = 2_000;

/** What the end of the log is cut to where it goes into an error: lines, and characters per line. */
export const tailLines = 50;
export const longestLine = 2_000;

/** @throws HeddleError INVALID_ARGUMENT */
export function resolveLimits<Limits extends ProgramLimits>(defaults: Limits, given: Partial<Limits> = {}): Limits {
  const limits = { ...defaults, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (typeof value === "number" && value > 0) continue;
    throw new HeddleError("INVALID_ARGUMENT", `"limits.${name}" must be a positive number.`, {
      details: { field: `limits.${name}` },
    });
  }
  return limits;
}
