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
import { leaveQueue, releaseMutex } from "./thread-mutex.js";
import { unchangedCheckpoint, writeCheckpoint } from "./write-checkpoint.js";

export interface Ending {
  readonly outcome: Outcome;
  readonly events?: readonly NewEvent[];
  readonly checkpoint?: NewCheckpoint | undefined;
  readonly finalCheckpointId: string;
}

const moveOf = { succeeded: "succeed", failed: "fail", canceled: "cancel" } as const satisfies Record<
  Outcome["status"],
  RunMove
>;

export function settle(uow: UnitOfWork, run: RunRecord, ending: Ending): RunRecord {
  const { outcome } = ending;
  const status = nextStatus(run.status, moveOf[outcome.status]) as SettledStatus | undefined;
  if (status === undefined) throw new Error(`run ${run.id}: ${outcome.status} is illegal from ${run.status}`);
  const emitted = appendEvents(uow, run, ending.events ?? []);
  const kept = run.active ? finalCheckpoint(uow, emitted, ending) : emitted;
  const settled = appendEvents(uow, { ...kept, ...settledFields(uow, kept, outcome), status }, [
    { type: terminalEvents[status], payload: terminalPayload(outcome) },
  ]);
  if (run.threadId !== null) leaveThread(uow, run, settled, status);
  uow.tell({ type: "run", run: settled });
  removeIfEphemeral(uow, settled);
  return settled;
}

function finalCheckpoint(uow: UnitOfWork, run: RunRecord, ending: Ending): RunRecord {
  const { outcome, checkpoint, finalCheckpointId } = ending;
  if (outcome.status === "succeeded" && checkpoint !== undefined) {
    return writeCheckpoint(uow, run, checkpoint, "final");
  }
  if (run.threadId === null) return run;
  return writeCheckpoint(uow, run, unchangedCheckpoint(finalCheckpointId), "final");
}

function settledFields(uow: UnitOfWork, run: RunRecord, outcome: Outcome): Partial<RunRecord> {
  return {
    active: false,
    queuePosition: null,
    awaits: null,
    worker: null,
    leaseUntil: null,
    settledAt: uow.now,
    output: outcome.status === "succeeded" ? outcome.output : null,
    error: outcome.status === "failed" ? JSON.stringify(outcome.error) : run.error,
    cancelReason: outcome.status === "canceled" ? JSON.stringify(outcome.reason) : run.cancelReason,
    failures: run.failures + (outcome.status === "failed" && outcome.counts === "failure" ? 1 : 0),
  };
}

function terminalPayload(outcome: Outcome): string {
  if (outcome.status === "succeeded") return succeededPayload(outcome.output) ?? "null";
  if (outcome.status === "failed") return JSON.stringify({ error: outcome.error });
  return JSON.stringify({ reason: outcome.reason });
}

function leaveThread(uow: UnitOfWork, before: RunRecord, settled: RunRecord, status: SettledStatus): void {
  const threadId = settled.threadId as string;
  if (before.active) releaseMutex(uow, threadId, status, settled.headCheckpointId);
  else leaveQueue(uow, threadId);
}

function removeIfEphemeral(uow: UnitOfWork, run: RunRecord): void {
  if (run.threadId !== null) return;
  if (!run.policy.includes('"onCompletion":"delete"')) return;
  const { onCompletion } = storedPolicy(run);
  if (onCompletion !== "delete") return;
  uow.remove({ type: "run", id: run.id, threadId: null, lineageId: run.lineageId });
  uow.tell({ type: "run_deleted", runId: run.id });
}
