/**
 * The one way a run ends. A run that was active gets its final checkpoint, its terminal event, and gives its thread to
 * the next in line; a run that waited gets its outcome and terminal event, and nothing else changes.
 */

import { succeededPayload, terminalEvents } from "../event.js";
import type { RunMove, RunRecord, SettledStatus } from "../run.js";
import { nextStatus, storedPolicy } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import { appendEvents } from "./event-log.js";
import type { NewCheckpoint, NewEvent, Outcome } from "./intent.js";
import { closeQuestions, interruptedPayload } from "./questions.js";
import { lineageOf, removeRun } from "./remove-run.js";
import { isRollback, rollBack, rolledBackFrom } from "./roll-back.js";
import { outcomeOfTaken, outcomeOfUntaken } from "./steer.js";
import { enqueueFirst, leaveQueue, releaseMutex } from "./thread-mutex.js";
import { unchangedCheckpoint, writeCheckpoint } from "./write-checkpoint.js";

export interface Ending {
  readonly outcome: Outcome;
  readonly events?: readonly NewEvent[];
  readonly checkpoint?: NewCheckpoint | undefined;
  readonly finalCheckpointId: string;
  /** Runs that were handed to it and that it took. */
  readonly taken?: readonly string[];
}

const moveOf = {
  succeeded: "succeed",
  failed: "fail",
  canceled: "cancel",
  interrupted: "interrupt",
} as const satisfies Record<Outcome["status"], RunMove>;

export function settle(uow: UnitOfWork, run: RunRecord, ending: Ending): RunRecord {
  const { outcome } = ending;
  const status = nextStatus(run.status, moveOf[outcome.status]) as SettledStatus | undefined;
  if (status === undefined) throw new Error(`run ${run.id}: ${outcome.status} is illegal from ${run.status}`);
  const emitted = appendEvents(uow, run, ending.events ?? []);
  const kept = keep(uow, emitted, ending);
  const terminal = { type: terminalEvents[status], payload: terminalPayload(uow, kept, outcome) };
  const settled = appendEvents(uow, settledRecord(uow, kept, outcome, status), [terminal]);
  if (run.threadId !== null && run.active && run.steered > 0) endSteering(uow, run.threadId, settled, ending);
  closeQuestions(uow, settled, outcome);
  if (run.threadId !== null) leaveThread(uow, run, settled);
  uow.tell({ type: "run", run: settled });
  removeIfEphemeral(uow, settled);
  return settled;
}

/** What the run leaves behind. */
function keep(uow: UnitOfWork, run: RunRecord, ending: Ending): RunRecord {
  if (isRollback(ending.outcome)) return rollBack(uow, run);
  return run.active ? finalCheckpoint(uow, run, ending) : run;
}

function finalCheckpoint(uow: UnitOfWork, run: RunRecord, ending: Ending): RunRecord {
  const { outcome, checkpoint, finalCheckpointId } = ending;
  if (outcome.status === "succeeded" && checkpoint !== undefined) {
    return writeCheckpoint(uow, run, checkpoint, "final");
  }
  if (run.threadId === null) return run;
  return writeCheckpoint(uow, run, unchangedCheckpoint(finalCheckpointId), "final");
}

function settledRecord(uow: UnitOfWork, run: RunRecord, outcome: Outcome, status: SettledStatus): RunRecord {
  return {
    ...run,
    status,
    active: false,
    queuePosition: null,
    awaits: null,
    // One that waited never was where it should have begun.
    headCheckpointId: run.active ? run.headCheckpointId : null,
    worker: null,
    leaseUntil: null,
    settledAt: uow.now,
    output: outcome.status === "succeeded" ? outcome.output : null,
    error: outcome.status === "failed" ? JSON.stringify(outcome.error) : run.error,
    cancelReason: outcome.status === "canceled" ? JSON.stringify(outcome.reason) : run.cancelReason,
    failures: run.failures + (outcome.status === "failed" && outcome.counts === "failure" ? 1 : 0),
  };
}

function terminalPayload(uow: UnitOfWork, run: RunRecord, outcome: Outcome): string {
  if (outcome.status === "interrupted") return interruptedPayload(run.lineageId, outcome.questions);
  if (outcome.status === "succeeded") return succeededPayload(outcome.output) ?? "null";
  if (outcome.status === "failed") return JSON.stringify({ error: outcome.error });
  const { reason } = outcome;
  return JSON.stringify(run.rolledBack ? { reason, rolledBack: rolledBackFrom(uow, run) } : { reason });
}

function leaveThread(uow: UnitOfWork, before: RunRecord, settled: RunRecord): void {
  const threadId = settled.threadId as string;
  if (before.active) releaseMutex(uow, threadId, settled);
  else leaveQueue(uow, threadId);
}

/** What becomes of the runs that were handed to it. */
function endSteering(uow: UnitOfWork, threadId: string, settled: RunRecord, ending: Ending): void {
  const { outcome, taken = [], finalCheckpointId } = ending;
  const own: RunRecord[] = [];
  for (const run of uow.steeredRuns(threadId)) {
    const isTaken = taken.includes(run.id);
    const end = isTaken ? outcomeOfTaken(outcome) : outcomeOfUntaken(outcome);
    if (end === undefined) own.push({ ...run, steers: null });
    else settle(uow, isTaken ? { ...run, takenBy: settled.id } : run, { outcome: end, finalCheckpointId });
  }
  if (own.length > 0) enqueueFirst(uow, threadId, own);
}

function removeIfEphemeral(uow: UnitOfWork, run: RunRecord): void {
  if (run.threadId !== null || run.status === "interrupted") return;
  if (!run.policy.includes('"onCompletion":"delete"')) return;
  const { onCompletion } = storedPolicy(run);
  if (onCompletion !== "delete") return;
  // Before its first interrupt a run has no others beside it.
  removeRun(uow, run, run.id === run.lineageId ? [run] : lineageOf(uow, run));
}
