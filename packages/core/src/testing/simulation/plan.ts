/**
 * Everything that a seed decides beforehand, as plain data: who does what, and what goes wrong when. What is left to
 * the running simulation (whose turn it is, how long the storage takes) is thrown by dice of the same seed.
 */

import type { Step } from "../history/script.js";
import type { SchedulerStyle } from "./scheduler.js";

export interface Plan {
  readonly seed: number;
  readonly workers: readonly WorkerPlan[];
  readonly clients: readonly ClientPlan[];
  readonly faults: readonly Fault[];
  readonly scheduling: SchedulerStyle;
  readonly storage: StorageStyle;
  readonly settings: SettingsPlan;
}

export interface WorkerPlan {
  /** Agents it has; the first worker has all. */
  readonly agents: readonly string[];
  readonly concurrency: number;
  /** `false`: it only takes calls. */
  readonly works: boolean;
}

export interface SettingsPlan {
  readonly lease: number;
  readonly heartbeat: number;
  readonly poll: number;
  readonly cancelGrace: number;
  readonly suspendAfter: number;
  readonly queueBound: number;
  readonly bufferedDeltas: number;
}

/** How the storage behaves when nothing goes wrong. */
export interface StorageStyle {
  /** Turns that a call and its answer may take on their way, at most. */
  readonly turns: number;
  /** ms that they may take, at most. */
  readonly delay: number;
  /** Whether hints at what other processes committed come, may be lost, or do not come at all. */
  readonly hints: "sure" | "lossy" | "none";
  /** Can a dead worker be told from a silent one? */
  readonly provesDeath: boolean;
}

export type FaultKind =
  /** Refused: nothing was done, and the error says so. */
  | "error_before"
  /** The connection broke, and whether it was done is not known: it was not, or it was. */
  | "error_unclear"
  | "error_after"
  | "delay"
  | "duplicate"
  | "crash_before"
  | "crash_after"
  | "pause"
  | "jump"
  | "close";

export interface Fault {
  readonly kind: FaultKind;
  /** It befalls this call, counted over all workers: among commits, or among all calls of the storage. */
  readonly among: "commits" | "calls";
  readonly at: number;
  /** Of a delay, a pause or a jump; of a crash or close: until a new engine takes its place. */
  readonly ms: number;
}

export interface ClientPlan {
  /** Which worker's engine it uses; another one while that is dead. */
  readonly worker: number;
  readonly steps: readonly Step[];
}
