/**
 * Everything that a seed decides beforehand, as plain data: who does what, and what goes wrong when. What is left to
 * the running simulation (whose turn it is, how long the storage takes) is thrown by dice of the same seed.
 */

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

export type Step =
  | { readonly do: "think"; readonly ms: number }
  | { readonly do: "create"; readonly thread: string; readonly orGet: boolean; readonly token: string | null }
  | { readonly do: "copy"; readonly from: string; readonly to: string }
  | { readonly do: "delete_thread"; readonly thread: string }
  /** `reading`: read its frames from the start on, through the handle that the start answered. */
  | { readonly do: "start"; readonly start: StartPlan; readonly reading: ReadingPlan | null }
  | { readonly do: "start_many"; readonly starts: readonly StartPlan[] }
  | { readonly do: "cancel"; readonly run: number; readonly wait: boolean; readonly grace: number | null }
  | { readonly do: "delete_run"; readonly run: number }
  | { readonly do: "wait"; readonly run: number; readonly background: boolean }
  | { readonly do: "read_run"; readonly run: number; readonly reading: ReadingPlan }
  | { readonly do: "read_thread"; readonly thread: string; readonly reading: ReadingPlan }
  | { readonly do: "values"; readonly thread: string }
  /** Everything else that can be read of a thread and a run. */
  | { readonly do: "inspect"; readonly thread: string; readonly run: number };
/** `run`: which of the runs known when the step's turn comes, as a fraction: 1 is the newest. */

export interface ReadingPlan {
  /** Start behind this part of the events known so far; `null`: where the stream begins by itself. */
  readonly after: number | null;
  /** Leave after that many frames. */
  readonly frames: number | null;
  /** ms that the reader takes for each frame. */
  readonly pace: number;
  /** Cancel the run if the reader leaves before its end. */
  readonly cancels: boolean;
}

export interface StartPlan {
  /** Names what is started: the same number is the same input. */
  readonly n: number;
  readonly agent: string;
  readonly thread: string | null;
  readonly whenBusy: "reject" | "enqueue";
  readonly createThread: boolean;
  readonly delay: number;
  readonly key: string | null;
  readonly priority: number;
  readonly deadline: number | null;
  readonly attemptTimeout: number | null;
  readonly maxFailures: number;
  readonly maxCrashes: number;
  readonly ephemeral: boolean;
  /** One per attempt; the last one is that of all further attempts too. */
  readonly script: readonly AttemptScript[];
}

export interface AttemptScript {
  readonly ops: readonly Op[];
  /** Goes on though what it wrote was refused. */
  readonly careless: boolean;
  readonly end: "return" | "return_nothing" | "throw";
}

export type Op =
  | { readonly do: "sleep"; readonly ms: number }
  /** As an agent that does not look at its signal. */
  | { readonly do: "ignore"; readonly ms: number }
  /** Until its signal aborts. */
  | { readonly do: "hang" }
  /** Takes the process along. */
  | { readonly do: "crash" }
  | { readonly do: "emit"; readonly awaited: boolean; readonly key: string | null }
  | { readonly do: "delta"; readonly count: number }
  | { readonly do: "checkpoint"; readonly awaited: boolean };
