import { HeddleError } from "../../errors.js";
import type { CancelReason, RunRecord } from "../run.js";
import { isSettled, storedPolicy } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import type { Canceled, CancelRun, DeleteRun } from "./intent.js";
import { lineageOf, removeRun } from "./remove-run.js";
import { settle } from "./settle.js";
import { handOver, leftToAttempt } from "./settle-hook.js";

export function cancelRun(uow: UnitOfWork, intent: CancelRun): Canceled {
  return endRun(uow, requireRun(uow, intent.runId), intent);
}

type Cancel = Pick<CancelRun, "reason" | "grace" | "finalCheckpointId">;

/** Whatever the run is doing: end it now, or see to it that it ends. */
export function endRun(uow: UnitOfWork, run: RunRecord, intent: Cancel): Canceled {
  if (isSettled(run.status)) return { run, outcome: "late" };
  if (run.status === "pending" && !leftToAttempt(run)) {
    const { reason, finalCheckpointId } = intent;
    const outcome = { status: "canceled", reason } as const;
    return { run: settle(uow, run, { outcome, finalCheckpointId }), outcome: "settled" };
  }
  const requested = requestCancel(uow, run, intent);
  return { run: run.status === "pending" ? handOver(uow, requested) : requested, outcome: "requested" };
}

/**
 * The first request counts: a second one neither changes the reason nor prolongs the grace. Only a rollback comes in time
 * until the run is settled: it takes back what any other cancel leaves.
 */
function requestCancel(uow: UnitOfWork, run: RunRecord, intent: Cancel): RunRecord {
  if (run.cancelRequestedAt !== null) return isWeaker(run.cancelReason, intent.reason) ? amend(uow, run, intent) : run;
  const grace = intent.grace ?? storedPolicy(run).cancelGrace;
  const requested = uow.putRun({
    ...run,
    cancelRequestedAt: uow.now,
    cancelReason: JSON.stringify(intent.reason),
    graceUntil: uow.now + grace,
  });
  uow.tell({ type: "run", run: requested });
  return requested;
}

function isWeaker(stored: string | null, reason: CancelReason): boolean {
  if (reason.kind !== "rolled_back" || stored === null) return false;
  return (JSON.parse(stored) as CancelReason).kind !== "rolled_back";
}

function amend(uow: UnitOfWork, run: RunRecord, { reason }: Cancel): RunRecord {
  const amended = uow.putRun({ ...run, cancelReason: JSON.stringify(reason) });
  uow.tell({ type: "run", run: amended });
  return amended;
}

export function deleteRun(uow: UnitOfWork, intent: DeleteRun): undefined {
  const run = requireRun(uow, intent.runId);
  const lineage = lineageOf(uow, run);
  // Those that resumed it need what it did: its steps, and the answers to its questions.
  const unsettled = lineage.find(({ status }) => !isSettled(status));
  if (unsettled === undefined) return void removeRun(uow, run, lineage);
  const { id, status } = unsettled;
  throw new HeddleError("RUN_ACTIVE", `Run "${id}" is ${status}: cancel it before you delete "${run.id}".`, {
    details: { runId: id, status },
  });
}

function requireRun(uow: UnitOfWork, runId: string): RunRecord {
  const run = uow.run(runId);
  if (run !== undefined) return run;
  throw new HeddleError("RUN_NOT_FOUND", `There is no run "${runId}".`, { details: { runId } });
}
