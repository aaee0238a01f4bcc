/** What clients and agents do, as plain data: the steps of a client, and what each attempt of a run does. */

export type BusyStrategy = "reject" | "enqueue" | "interrupt" | "rollback" | "steer";

export type Step =
  | { readonly do: "think"; readonly ms: number }
  | { readonly do: "create"; readonly thread: string; readonly orGet: boolean; readonly token: string | null }
  | { readonly do: "copy"; readonly from: string; readonly to: string }
  | { readonly do: "delete_thread"; readonly thread: string }
  /** `reading`: read its frames from the start on, through the handle that the start answered. */
  | { readonly do: "start"; readonly start: StartPlan; readonly reading: ReadingPlan | null }
  | { readonly do: "start_many"; readonly starts: readonly StartPlan[] }
  | {
      readonly do: "cancel";
      readonly run: number;
      readonly wait: boolean;
      readonly grace: number | null;
      readonly rollback: boolean;
    }
  /**
   * Of a run that is known to have asked: all open questions by key, the first of them, the only one there is, or one that
   * nobody looked for. `token` names the answer: no other step has it.
   */
  | {
      readonly do: "answer";
      readonly run: number;
      readonly which: "all" | "first" | "only" | "blind";
      readonly token: string;
    }
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
  readonly whenBusy: BusyStrategy;
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
  | { readonly do: "checkpoint"; readonly awaited: boolean }
  /** All messages that were steered to it and that it has not taken yet. */
  | { readonly do: "take" }
  /** The next message, as soon as there is one. */
  | { readonly do: "listen" }
  /** Several at once. */
  | { readonly do: "ask"; readonly keys: readonly string[] }
  /** Work that takes `ms`; `fails`: in the first attempt. Whether or not it is awaited, it ends before the agent returns. */
  | {
      readonly do: "step";
      readonly key: string;
      readonly ms: number;
      readonly fails: boolean;
      readonly awaited: boolean;
    }
  /** A durable one. */
  | { readonly do: "lasting_sleep"; readonly key: string; readonly ms: number };
