/**
 * How a due run joins its thread. Where the thread is idle it takes it; else its strategy decides:
 *
 * | Strategy    | The active run                    | Those that wait     | The new run                            |
 * |---|---|---|---|
 * | `enqueue`   | goes on                           | go on waiting       | is last in the queue                   |
 * | `interrupt` | is canceled, its checkpoints stay | are canceled        | starts as soon as the active one is over |
 * | `rollback`  | is canceled and rolled back       | are canceled        | the same                               |
 * | `steer`     | may take it                       | go on waiting       | is handed over, or is last in the queue |
 *
 * `reject` is answered before anything is changed. Delayed runs that are not due yet are left alone.
 */

import type { BusyStrategy, CancelReason, RunRecord } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import { endRun } from "./cancel-run.js";
import { settle } from "./settle.js";
import { handOverTo, isSteerable } from "./steer.js";
import { activate, enqueue, leaveQueue, threadOf } from "./thread-mutex.js";

/** @param run is counted among those that wait, and has no place yet */
export function joinThread(
  uow: UnitOfWork,
  run: RunRecord,
  strategy: BusyStrategy,
  finalCheckpointId: string,
): RunRecord {
  const threadId = run.threadId as string;
  if (supersedes(strategy)) supersede(uow, threadId, run.id, strategy, finalCheckpointId);
  const { activeRunId } = threadOf(uow, threadId);
  if (activeRunId === null) {
    leaveQueue(uow, threadId);
    return activate(uow, run);
  }
  const live = strategy === "steer" ? uow.run(activeRunId) : undefined;
  return isSteerable(live, run) ? handOverTo(uow, live, run) : enqueue(uow, run);
}

export function supersedes(strategy: BusyStrategy): strategy is "interrupt" | "rollback" {
  return strategy === "interrupt" || strategy === "rollback";
}

function supersede(
  uow: UnitOfWork,
  threadId: string,
  by: string,
  strategy: "interrupt" | "rollback",
  finalCheckpointId: string,
): void {
  const { activeRunId } = threadOf(uow, threadId);
  const active = activeRunId === null ? undefined : uow.run(activeRunId);
  if (active === undefined) return;
  const superseded: CancelReason = { kind: "superseded", by };
  for (const waiting of uow.waitingRuns(threadId)) {
    settle(uow, waiting, { outcome: { status: "canceled", reason: superseded }, finalCheckpointId });
  }
  const reason: CancelReason = strategy === "rollback" ? { kind: "rolled_back", by } : superseded;
  endRun(uow, active, { reason, finalCheckpointId });
}
