/**
 * What happened, as those saw it who stood outside: clients, readers, agents. Plain JSON, so that a history can be
 * printed, kept, and recorded on any storage. The order of the entries is the order of time.
 *
 * Every write that an agent makes carries a *token* that names it: `7:m2@1` is the second mid-run checkpoint of the
 * first attempt of start number 7; a run that an answer started adds its id, `7:m2@1~run_9`. A thread's values are `{ log, count }`: the log of all tokens written, and their number. So whatever
 * is lost, doubled or out of order shows.
 */

export interface History {
  readonly entries: readonly HistoryEntry[];
  readonly final: FinalState;
}

export type HistoryEntry = { readonly time: number } & (
  | {
      readonly type: "call";
      readonly call: number;
      readonly client: string;
      readonly worker: string;
      readonly command: Command;
    }
  | { readonly type: "answer"; readonly call: number; readonly answer: Answer }
  | { readonly type: "frame"; readonly call: number; readonly frame: SeenFrame }
  | AttemptEntry
  | { readonly type: "worker_started"; readonly worker: string }
  | { readonly type: "worker_ended"; readonly worker: string; readonly how: "crashed" | "closed" }
  | {
      readonly type: "fault";
      readonly kind: string;
      readonly worker: string;
      readonly port: string;
      readonly ms: number;
    }
  /** The engine reported a failure in the background. */
  | {
      readonly type: "trouble";
      readonly worker: string;
      readonly code: string;
      readonly message: string;
      readonly during: string;
    }
  /** From here on nothing goes wrong any more, and at least one worker has every agent. */
  | { readonly type: "faults_over" }
  /** Every run has settled, and nothing has happened since but polls: whoever waited for one has heard of it. */
  | { readonly type: "at_rest" }
);

export type AttemptEntry = AttemptName &
  (
    | {
        readonly type: "attempt_started";
        readonly worker: string;
        readonly n: number;
        readonly threadId: string | null;
        /** An answer started its run. */
        readonly resumed: boolean;
        readonly values: SeenValues;
      }
    | {
        readonly type: "sent";
        readonly what: "event" | "delta" | "checkpoint";
        readonly token: string;
        readonly key: string | null;
      }
    | { readonly type: "acknowledged"; readonly token: string }
    | { readonly type: "not_written"; readonly token: string; readonly code: string }
    /** Messages that were steered to it: all that had come, or the next one. */
    | { readonly type: "took"; readonly runIds: readonly string[]; readonly all: boolean }
    /** A question had no answer yet: the attempt ends with it. */
    | { readonly type: "asked"; readonly key: string }
    | { readonly type: "answered"; readonly key: string; readonly token: string }
    /** Its work begins, has a result (named by the token), or a result is handed to the agent: that one, or a stored one. */
    | {
        readonly type: "step";
        readonly phase: "began" | "worked" | "stored";
        readonly key: string;
        readonly token: string;
      }
    | { readonly type: "slept"; readonly phase: "began" | "over"; readonly key: string; readonly ms: number }
    | { readonly type: "aborted"; readonly code: string }
    | { readonly type: "attempt_ended"; readonly how: "returned" | "threw"; readonly token: string | null }
  );

export interface AttemptName {
  readonly runId: string;
  readonly attempt: number;
}

export type Command =
  | {
      readonly kind: "create_thread";
      readonly threadId: string;
      readonly orGet: boolean;
      readonly token: string | null;
    }
  | { readonly kind: "copy_thread"; readonly from: string; readonly to: string }
  | { readonly kind: "delete_thread"; readonly threadId: string }
  | { readonly kind: "start"; readonly starts: readonly StartCommand[] }
  | { readonly kind: "cancel"; readonly runId: string; readonly wait: boolean; readonly rollback: boolean }
  | { readonly kind: "delete_run"; readonly runId: string }
  | { readonly kind: "questions"; readonly runId: string }
  /** Tokens by key. */
  | { readonly kind: "answer"; readonly runId: string; readonly answers: Readonly<Record<string, string>> }
  /** The one question that is open. */
  | { readonly kind: "resume"; readonly runId: string; readonly token: string }
  | { readonly kind: "wait"; readonly runId: string }
  | { readonly kind: "values"; readonly threadId: string }
  | { readonly kind: "inspect"; readonly threadId: string; readonly runId: string }
  /** A reader that leaves by itself after `frames`, otherwise stays until the stream ends. */
  | { readonly kind: "read_run"; readonly runId: string; readonly after: number | null; readonly frames: number | null }
  | {
      readonly kind: "read_thread";
      readonly threadId: string;
      readonly after: number | null;
      readonly frames: number | null;
    }
  /** As many runs as the worker has slots, each of which waits for all others. */
  | { readonly kind: "fill_slots"; readonly slots: number };

/** Several in one command start in one transaction. */
export interface StartCommand {
  readonly n: number;
  readonly agent: string;
  readonly threadId: string | null;
  readonly whenBusy: "reject" | "enqueue" | "interrupt" | "rollback" | "steer";
  readonly createThread: boolean;
  readonly delay: number;
  readonly key: string | null;
  readonly maxFailures: number;
  readonly maxCrashes: number;
  readonly ephemeral: boolean;
}

export type Answer =
  | { readonly type: "ok"; readonly value: AnswerValue }
  | { readonly type: "refused"; readonly code: string; readonly activeRunId: string | null }
  /** The storage failed: the command was carried out, or not. */
  | { readonly type: "unknown"; readonly code: string }
  /** The process died before it answered. */
  | { readonly type: "lost" };

export type AnswerValue =
  | { readonly kind: "done" }
  | { readonly kind: "started"; readonly runIds: readonly string[] }
  | { readonly kind: "canceled"; readonly outcome: "canceled" | "requested" | "late" }
  | { readonly kind: "outcome"; readonly outcome: SeenOutcome }
  | { readonly kind: "values"; readonly values: SeenValues }
  | { readonly kind: "questions"; readonly questions: readonly SeenQuestion[] }
  /** The run that gets the answer. */
  | { readonly kind: "resumed"; readonly runId: string }
  | { readonly kind: "stream_ended"; readonly why: "ended" | "left" | "stopped" | "closed" };

export interface SeenValues {
  readonly log: readonly string[];
  readonly count: number;
}

export interface SeenQuestion {
  readonly key: string;
  readonly status: string;
  /** The token of its answer. */
  readonly answer: string | null;
}

export interface SeenOutcome {
  readonly status: string;
  /** Of a success: the token of what the agent returned. */
  readonly token: string | null;
  /** Of a failure: its code; of a cancel: its kind. */
  readonly reason: string | null;
  /** Of a cancel: the run that came in its place. */
  readonly by: string | null;
}

export type SeenFrame =
  | ({ readonly kind: "event" } & FinalEvent)
  | {
      readonly kind: "delta";
      readonly runId: string;
      readonly attempt: number;
      readonly number: number;
      readonly token: string;
    }
  | { readonly kind: "dropped"; readonly count: number }
  | {
      readonly kind: "snapshot";
      readonly seq: number;
      readonly values: SeenValues;
      readonly activeRunId: string | null;
    }
  | { readonly kind: "thread"; readonly change: string };

/** What the storage holds in the end. */
export interface FinalState {
  readonly runs: readonly FinalRun[];
  readonly threads: readonly FinalThread[];
  readonly logs: readonly FinalLog[];
  readonly lineages: readonly FinalLineage[];
  /** What a check of the storage's own records found wrong. */
  readonly faults: readonly string[];
}

export interface FinalRun {
  readonly id: string;
  readonly n: number;
  readonly threadId: string | null;
  /** The first run of its lineage. */
  readonly lineageId: string;
  readonly status: string;
  /** The run that took it as a message. */
  readonly takenBy: string | null;
  readonly attempt: number;
  readonly failures: number;
  readonly crashes: number;
  readonly availableAt: number;
  readonly createdAt: number;
  readonly outcome: SeenOutcome | null;
}

/** A lineage that ever asked. */
export interface FinalLineage {
  readonly id: string;
  readonly questions: readonly SeenQuestion[];
}

export interface FinalThread {
  readonly id: string;
  readonly activeRunId: string | null;
  readonly lastSeq: number;
  readonly values: SeenValues;
  /** From the first to the head. */
  readonly checkpoints: readonly FinalCheckpoint[];
}

export interface FinalCheckpoint {
  readonly id: string;
  readonly runId: string | null;
  readonly kind: string;
  readonly attempt: number;
  readonly values: SeenValues;
}

export interface FinalLog {
  /** `null`: a stateless run's. */
  readonly threadId: string | null;
  readonly runId: string | null;
  readonly events: readonly FinalEvent[];
}

export interface FinalEvent {
  readonly seq: number;
  readonly runId: string;
  readonly attempt: number;
  readonly type: string;
  /** Of an agent's own event. */
  readonly token: string | null;
  /** Of `run_retrying` and `run_suspended`: why, and not before when (epoch ms). */
  readonly why: string | null;
  readonly availableAt: number | null;
  /** Of the end of a run that was rolled back: from here on its events count for nothing. */
  readonly rolledBackFrom: number | null;
  readonly createdAt: number;
}
