/**
 * The thread mutex: who may write a thread. It is the reference `activeRunId` on the thread's record; it is taken by
 * `activate`, in the transaction that accepts a run on an idle thread or that settles the run before, and given back
 * by `releaseMutex`, in the transaction that settles. Between the two the thread is busy, whatever the run does.
 */

import { HeddleError } from "../../errors.js";
import type { RunRecord, SettledStatus } from "../run.js";
import type { ThreadRecord } from "../thread.js";
import type { UnitOfWork } from "../unit-of-work.js";

export function threadOf(uow: UnitOfWork, threadId: string): ThreadRecord {
  const thread = uow.thread(threadId);
  if (thread === undefined) {
    throw new HeddleError("THREAD_NOT_FOUND", `There is no thread "${threadId}".`, {
      details: { threadId },
    });
  }
  return thread;
}

/** Give an idle thread to a waiting run. */
export function activate(uow: UnitOfWork, run: RunRecord): RunRecord {
  if (run.threadId === null) return run;
  const thread = threadOf(uow, run.threadId);
  const base = thread.headCheckpointId;
  // A run that shall begin elsewhere takes the thread there.
  const headCheckpointId = run.headCheckpointId ?? base;
  uow.putThread({ ...thread, activeRunId: run.id, lastAgent: run.agent, headCheckpointId, updatedAt: uow.now });
  const active = uow.putRun({
    ...run,
    active: true,
    queuePosition: null,
    baseCheckpointId: base,
    headCheckpointId,
  });
  return active;
}

/** Put a waiting run at the tail of its thread's queue. */
export function enqueue(uow: UnitOfWork, run: RunRecord): RunRecord {
  if (run.threadId === null) return run;
  const thread = threadOf(uow, run.threadId);
  uow.putThread({ ...thread, queueTail: thread.queueTail + 1 });
  return uow.putRun({ ...run, queuePosition: thread.queueTail });
}

/** Put waiting runs ahead of all that wait for their turn, in the given order. */
export function enqueueFirst(uow: UnitOfWork, threadId: string, runs: readonly RunRecord[]): void {
  const thread = threadOf(uow, threadId);
  const first = thread.queueFront - runs.length + 1;
  runs.forEach((run, index) => {
    uow.putRun({ ...run, queuePosition: first + index });
  });
  uow.putThread({ ...thread, queueFront: first - 1 });
}

/** A run that waited (queued or delayed) waits no more. */
export function leaveQueue(uow: UnitOfWork, threadId: string): void {
  const thread = threadOf(uow, threadId);
  uow.putThread({ ...thread, queueLength: thread.queueLength - 1, updatedAt: uow.now });
}

/** The active run settled: the thread is idle, or the next queued run's. */
export function releaseMutex(uow: UnitOfWork, threadId: string, settled: RunRecord): void {
  const thread = threadOf(uow, threadId);
  uow.putThread({
    ...thread,
    activeRunId: null,
    lastOutcome: settled.rolledBack ? thread.lastOutcome : (settled.status as SettledStatus),
    headCheckpointId: settled.headCheckpointId,
    updatedAt: uow.now,
  });
  promoteNext(uow, threadId);
}

function promoteNext(uow: UnitOfWork, threadId: string): void {
  if (threadOf(uow, threadId).queueLength === 0) return;
  const next = uow.nextQueued(threadId);
  if (next === undefined) return;
  leaveQueue(uow, threadId);
  const active = activate(uow, next);
  uow.putRun({ ...active, availableAt: uow.now });
  uow.tell({ type: "claimable" });
}
