/**
 * What a rollback takes back: the thread's head is again the checkpoint from before the run, the very same, and all that
 * the run made its lineage remember goes. Its events keep their numbers; the terminal one says from where on they count
 * for nothing.
 */

import type { RunRecord } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import type { Outcome } from "./intent.js";

export function isRollback(outcome: Outcome): boolean {
  return outcome.status === "canceled" && outcome.reason.kind === "rolled_back";
}

export function rollBack(uow: UnitOfWork, run: RunRecord): RunRecord {
  const { id, lineageId, threadId, baseCheckpointId, headCheckpointId } = run;
  if (run.attempt > 0) uow.remove({ type: "memos", runId: id, lineageId });
  reopenQuestions(uow, run);
  const rolledBack = { ...run, rolledBack: true, headCheckpointId: baseCheckpointId };
  if (threadId !== null && run.active && headCheckpointId !== null && headCheckpointId !== baseCheckpointId) {
    uow.tell({ type: "rolled_back", run: rolledBack, checkpointId: headCheckpointId });
  }
  return rolledBack;
}

/** Those whose answers started this run. The first run of a lineage was started by none. */
function reopenQuestions(uow: UnitOfWork, run: RunRecord): void {
  if (run.lineageId === run.id) return;
  for (const question of uow.questions(run.lineageId)) {
    if (question.answeredRunId !== run.id) continue;
    uow.putQuestion({ ...question, status: "open", answer: null, answeredRunId: null, closedAt: null });
  }
}

/** For the terminal event. */
export function rolledBackFrom(uow: UnitOfWork, run: RunRecord): { readonly fromSeq: number } {
  if (run.firstSeq > 0) return { fromSeq: run.firstSeq };
  const last = run.threadId === null ? run.lastSeq : (uow.thread(run.threadId)?.lastSeq ?? 0);
  return { fromSeq: last + 1 };
}
