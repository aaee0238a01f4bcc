/** The next run of a lineage: the one before it once more, with the answers that it waited for. */

import type { RunRecord } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import { activate, enqueueFirst, threadOf } from "./thread-mutex.js";

/** It is next in its thread, whatever waits there, and is not counted against the queue's bound. */
export function startNextRun(uow: UnitOfWork, asker: RunRecord, id: string): RunRecord {
  const run = place(uow, uow.insertRun(nextRun(uow, asker, id)));
  uow.tell({ type: "run", run });
  return run;
}

function nextRun(uow: UnitOfWork, asker: RunRecord, id: string): RunRecord {
  return {
    ...asker,
    id,
    status: "pending",
    output: null,
    error: null,
    cancelReason: null,
    steers: null,
    takenBy: null,
    steered: 0,
    awaits: null,
    rolledBack: false,
    active: asker.threadId === null,
    queuePosition: null,
    availableAt: uow.now,
    attempt: 0,
    failures: 0,
    crashes: 0,
    worker: null,
    leaseUntil: null,
    cancelRequestedAt: null,
    graceUntil: null,
    // People take their time: each run of the lineage has as long as the first.
    deadlineAt: asker.deadlineAt === null ? null : uow.now + asker.deadlineAt - asker.createdAt,
    idempotencyKey: null,
    // Of a thread run both are the head when it is activated. A stateless one goes on from what the run before it left.
    baseCheckpointId: asker.threadId === null ? asker.headCheckpointId : null,
    headCheckpointId: asker.threadId === null ? asker.headCheckpointId : null,
    firstSeq: 0,
    lastSeq: 0,
    createdAt: uow.now,
    startedAt: null,
    settledAt: null,
  };
}

function place(uow: UnitOfWork, run: RunRecord): RunRecord {
  if (run.threadId === null) return run;
  const thread = threadOf(uow, run.threadId);
  if (thread.activeRunId === null) return activate(uow, run);
  uow.putThread({ ...thread, queueLength: thread.queueLength + 1, updatedAt: uow.now });
  enqueueFirst(uow, run.threadId, [run]);
  return uow.run(run.id) as RunRecord;
}
