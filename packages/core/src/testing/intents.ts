/** Intents with everything filled in but what a test is about. */

import type { AcceptRun, IntentOf, NewCheckpoint, NewRun, SettleRun } from "../model/intents/intent.js";
import type { RunPolicy, RunRecord } from "../model/run.js";

export const testPolicy: RunPolicy = {
  retry: { maxFailures: 1, maxCrashes: 3, delay: 1_000, factor: 2, maxDelay: 60_000, jitter: "none" },
  cancelGrace: 5_000,
};

let count = 0;

/** An id that no other test of this process uses; later ones sort behind earlier ones. */
export function freshId(prefix: string): string {
  count++;
  return `${prefix}_${String(count).padStart(26, "0")}`;
}

export type AcceptOptions = Partial<Omit<NewRun, "policy">> &
  Partial<Omit<AcceptRun, "kind" | "run">> & { readonly policy?: Partial<RunPolicy> };

export function acceptRun(options: AcceptOptions = {}): AcceptRun {
  const {
    whenBusy = "reject",
    threadDecides = false,
    finalCheckpointId = freshId("chk"),
    createThread = true,
    queueBound = 100,
    idempotency,
    claim,
    child,
    policy,
    from,
    ...given
  } = options;
  const id = given.id ?? freshId("run");
  return {
    kind: "accept_run",
    run: {
      threadId: null,
      agent: "worker",
      lineageId: id,
      parentRunId: null,
      parentThreadId: null,
      input: '{"question":"why?"}',
      config: null,
      metadata: "{}",
      priority: 0,
      settleHook: false,
      delay: 0,
      deadline: null,
      ...given,
      id,
      policy: JSON.stringify({ ...testPolicy, ...policy }),
    },
    whenBusy,
    threadDecides,
    finalCheckpointId,
    createThread,
    queueBound,
    ...(idempotency && { idempotency }),
    ...(claim && { claim }),
    ...(child && { child }),
    ...(from && { from }),
  };
}

/** A run that runs, as far as its attempt is named by it. */
type HeldRun = Pick<RunRecord, "id" | "threadId" | "lineageId" | "attempt">;

export function settleRun(run: HeldRun, options: Partial<SettleRun> = {}): SettleRun {
  return {
    kind: "settle_run",
    attempt: attemptOf(run),
    outcome: { status: "succeeded", output: '"done"' },
    events: [],
    finalCheckpointId: freshId("chk"),
    ...options,
  };
}

export function attemptOf({ id, threadId, lineageId, attempt }: HeldRun): SettleRun["attempt"] {
  return { runId: id, threadId, lineageId, attempt };
}

export function cancelRun(
  { id, threadId }: Pick<RunRecord, "id" | "threadId">,
  options: Partial<IntentOf<"cancel_run">> = {},
): IntentOf<"cancel_run"> {
  const reason = { kind: "user" } as const;
  return { kind: "cancel_run", runId: id, threadId, reason, finalCheckpointId: freshId("chk"), ...options };
}

export function tendRun(
  { id, threadId }: Pick<RunRecord, "id" | "threadId">,
  deadWorkers: readonly string[] = [],
): IntentOf<"tend_run"> {
  return { kind: "tend_run", runId: id, threadId, deadWorkers, finalCheckpointId: freshId("chk") };
}

export function releaseRun(run: HeldRun, options: Partial<IntentOf<"release_run">> = {}): IntentOf<"release_run"> {
  const attempt = attemptOf(run);
  return {
    kind: "release_run",
    attempt,
    why: "retry",
    events: [],
    delay: 0,
    finalCheckpointId: freshId("chk"),
    ...options,
  };
}

/** A checkpoint that holds `values` whole. */
export function snapshot(values: object): NewCheckpoint {
  const body = JSON.stringify(values);
  return {
    id: freshId("chk"),
    encoding: "snapshot",
    body,
    valuesBytes: Buffer.byteLength(body),
    changedKeys: Object.keys(values),
  };
}

/** A checkpoint that sets one top-level key. */
export function setKey(key: string, value: unknown): NewCheckpoint {
  const body = JSON.stringify([["=", [key], value]]);
  return { id: freshId("chk"), encoding: "delta", body, valuesBytes: Buffer.byteLength(body), changedKeys: [key] };
}
