/** What the holder of a lease may write: progress, the end, or the run back. */

import type { CancelReason, RunRecord } from "../run.js";
import { nextStatus } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import { requireHeld } from "./attempt.js";
import { appendEvents } from "./event-log.js";
import type { NewMemo, Outcome, RecordProgress, ReleaseRun, SettleRun } from "./intent.js";
import { settle } from "./settle.js";
import { leftToAttempt } from "./settle-hook.js";
import { threadOf } from "./thread-mutex.js";
import { writeCheckpoint } from "./write-checkpoint.js";

export function recordProgress(uow: UnitOfWork, intent: RecordProgress): RunRecord {
  const held = requireHeld(uow, intent.attempt);
  for (const memo of intent.memos ?? []) remember(uow, held, memo);
  if (intent.after !== undefined && held.lastSeq > intent.after) return held;
  const run = appendEvents(uow, held, intent.events);
  if (intent.checkpoint === undefined) return run;
  const moved = writeCheckpoint(uow, run, intent.checkpoint, "mid");
  if (moved.threadId !== null) {
    const thread = threadOf(uow, moved.threadId);
    uow.putThread({ ...thread, headCheckpointId: intent.checkpoint.id });
  }
  return moved;
}

function remember(uow: UnitOfWork, { id, lineageId }: RunRecord, memo: NewMemo): void {
  const ref = { lineageId, kind: memo.kind, key: memo.key };
  if (uow.memo(ref) === undefined) uow.putMemo({ ...ref, runId: id, body: memo.body });
}

export function settleRun(uow: UnitOfWork, intent: SettleRun): RunRecord {
  const run = requireHeld(uow, intent.attempt);
  return settle(uow, run, { ...intent, outcome: requestedCancel(run) ?? intent.outcome });
}

export function releaseRun(uow: UnitOfWork, intent: ReleaseRun): RunRecord {
  const run = requireHeld(uow, intent.attempt);
  const { events, finalCheckpointId, error } = intent;
  const canceled = requestedCancel(run);
  if (canceled !== undefined && !leftToAttempt(run)) {
    return settle(uow, run, { outcome: canceled, events, finalCheckpointId });
  }
  const failures = run.failures + (intent.why === "retry" ? 1 : 0);
  const emitted = appendEvents(uow, run, events);
  return giveBack(uow, { ...emitted, failures }, uow.now + (canceled === undefined ? intent.delay : 0), {
    why: intent.why,
    error,
  });
}

/** A cancel that was accepted takes effect, whatever the agent did meanwhile. */
export function requestedCancel(run: RunRecord): Outcome | undefined {
  if (run.cancelRequestedAt === null || run.cancelReason === null) return undefined;
  return { status: "canceled", reason: JSON.parse(run.cancelReason) as CancelReason };
}

/** Back to pending; the run keeps its thread. */
export function giveBack(uow: UnitOfWork, run: RunRecord, availableAt: number, why: object): RunRecord {
  const status = nextStatus(run.status, "release");
  if (status === undefined) throw new Error(`run ${run.id} cannot be released from ${run.status}`);
  const payload = JSON.stringify({ ...why, failures: run.failures, crashes: run.crashes, availableAt });
  const pending = appendEvents(uow, { ...run, status, worker: null, leaseUntil: null, availableAt }, [
    { type: "run_retrying", payload },
  ]);
  uow.tell({ type: "run", run: pending });
  uow.tell({ type: "claimable" });
  return pending;
}
