/**
 * Removing a run. A stateless run and those that resumed it are one piece of work: later ones go on from the values of
 * earlier ones, so they go together. In a thread each goes alone, for the thread keeps the values.
 */

import type { RunRecord } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";

/** The runs of its lineage, itself first. */
export function lineageOf(uow: UnitOfWork, run: RunRecord): RunRecord[] {
  // Whoever resumed a run did so with an answer, and the question says to whom it was given.
  const ids = uow.questions(run.lineageId).flatMap(({ runId, answeredRunId }) => [runId, answeredRunId ?? runId]);
  return [...new Set([run.id, ...ids])].flatMap((id) => uow.run(id) ?? []);
}

/** @param lineage what `lineageOf` says */
export function removeRun(uow: UnitOfWork, run: RunRecord, lineage: readonly RunRecord[]): void {
  for (const { id, threadId, lineageId } of run.threadId === null ? lineage : [run]) {
    uow.remove({ type: "run", id, threadId, lineageId });
    uow.tell({ type: "run_deleted", runId: id });
  }
}
