import { HeddleError } from "../../errors.js";
import type { RunRecord } from "../run.js";
import { isSettled, storedPolicy } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import type { Canceled, CancelRun, DeleteRun } from "./intent.js";
import { settle } from "./settle.js";
import { handOver, leftToAttempt } from "./settle-hook.js";

export function cancelRun(uow: UnitOfWork, intent: CancelRun): Canceled {
  const run = requireRun(uow, intent.runId);
  if (isSettled(run.status)) return { run, outcome: "late" };
  if (run.status === "pending" && !leftToAttempt(run)) {
    const { reason, finalCheckpointId } = intent;
    const outcome = { status: "canceled", reason } as const;
    return { run: settle(uow, run, { outcome, finalCheckpointId }), outcome: "settled" };
  }
  const requested = requestCancel(uow, run, intent);
  return { run: run.status === "pending" ? handOver(uow, requested) : requested, outcome: "requested" };
}

/** The first request counts: a second one neither changes the reason nor prolongs the grace. */
function requestCancel(uow: UnitOfWork, run: RunRecord, intent: CancelRun): RunRecord {
  if (run.cancelRequestedAt !== null) return run;
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

export function deleteRun(uow: UnitOfWork, intent: DeleteRun): undefined {
  const run = requireRun(uow, intent.runId);
  if (!isSettled(run.status)) {
    throw new HeddleError("RUN_ACTIVE", `Run "${run.id}" is ${run.status}: cancel it before you delete it.`, {
      details: { runId: run.id, status: run.status },
    });
  }
  uow.remove({ type: "run", id: run.id, threadId: run.threadId, lineageId: run.lineageId });
  uow.tell({ type: "run_deleted", runId: run.id });
}

function requireRun(uow: UnitOfWork, runId: string): RunRecord {
  const run = uow.run(runId);
  if (run !== undefined) return run;
  throw new HeddleError("RUN_NOT_FOUND", `There is no run "${runId}".`, { details: { runId } });
}
