/** What the holder of a lease may write: progress, the end, or the run back. */

import type { CancelReason, RunRecord } from "../run.js";
import { never, nextStatus } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import { requireHeld } from "./attempt.js";
import { appendEvents } from "./event-log.js";
import type { NewEvent, NewMemo, Outcome, RecordProgress, ReleaseRun, SettleRun } from "./intent.js";
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
  if (isSuspension(intent) && canceled === undefined) return suspend(uow, emitted, intent);
  return giveBack(uow, { ...emitted, failures }, uow.now + (canceled === undefined ? intent.delay : 0), {
    why: intent.why,
    error,
  });
}

function isSuspension({ why }: ReleaseRun): boolean {
  return why === "sleep" || why === "child";
}

/** It goes on when its time has come or a child is done, whichever is first. */
function suspend(uow: UnitOfWork, run: RunRecord, { why, until, awaits = [] }: ReleaseRun): RunRecord {
  const availableAt = until ?? never;
  const waiting = awaits.length === 0 ? null : JSON.stringify(awaits);
  const payload = JSON.stringify({ why, until, awaits: waiting === null ? undefined : awaits });
  return putBack(uow, { ...run, awaits: waiting, availableAt }, { type: "run_suspended", payload });
}

/** A cancel that was accepted takes effect, whatever the agent did meanwhile. */
export function requestedCancel(run: RunRecord): Outcome | undefined {
  if (run.cancelRequestedAt === null || run.cancelReason === null) return undefined;
  return { status: "canceled", reason: JSON.parse(run.cancelReason) as CancelReason };
}

/** It goes on later, for whatever trouble. */
export function giveBack(uow: UnitOfWork, run: RunRecord, availableAt: number, why: object): RunRecord {
  const payload = JSON.stringify({ ...why, failures: run.failures, crashes: run.crashes, availableAt });
  return putBack(uow, { ...run, availableAt }, { type: "run_retrying", payload });
}

function putBack(uow: UnitOfWork, run: RunRecord, event: NewEvent): RunRecord {
  const status = nextStatus(run.status, "release");
  if (status === undefined) throw new Error(`run ${run.id} cannot be released from ${run.status}`);
  const pending = appendEvents(uow, { ...run, status, worker: null, leaseUntil: null }, [event]);
  uow.tell({ type: "run", run: pending });
  uow.tell({ type: "claimable" });
  return pending;
}
