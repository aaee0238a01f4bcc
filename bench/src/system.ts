/** What can be measured, and what a measurement gives. */

import type { Sizes } from "./workload.js";

export const kinds = [
  "stateless",
  "single",
  "threads",
  "longThread",
  "deltas",
  "events",
  "eventsRead",
  "recovery",
  "announce",
  "idle",
] as const;
export type Kind = (typeof kinds)[number];

/** One piece of work, done once on a database of its own. What prepares it and cleans up after it is not counted. */
export interface Round {
  readonly operations: number;
  readonly ms: number;
  /** Processor time of this process, user and system. */
  readonly cpuMs: number;
  /** And of the database server, where there is one that we may look into. */
  readonly serverCpuMs: number;
  /** ms of single operations, where they are what counts. */
  readonly times?: readonly number[];
  /** Whatever else is to be reported: bytes, ratios within the work. */
  readonly figures?: Readonly<Record<string, number>>;
}

export type Work = (sizes: Sizes) => Promise<Round>;
/** What a system does not do it leaves out. */
export type System = Readonly<Partial<Record<Kind, Work>>>;

/** How to make a system in a process of its own: plain data. */
export interface SystemSpec {
  readonly name: string;
  /** A module that exports `createSystem(options)`. */
  readonly module: string;
  readonly options: Readonly<Record<string, string>>;
  /** Added to the process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it does less or more than the others; said beside its row. */
  readonly note?: string;
}
