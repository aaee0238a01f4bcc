/** Checkpoints of a run: each one's parent is the run's newest. */

import type { CheckpointKind } from "../checkpoint.js";
import type { RunRecord } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import { appendEvents } from "./event-log.js";
import type { NewCheckpoint } from "./intent.js";
import { threadOf } from "./thread-mutex.js";

export function writeCheckpoint(
  uow: UnitOfWork,
  run: RunRecord,
  checkpoint: NewCheckpoint,
  kind: CheckpointKind,
): RunRecord {
  const { id, encoding, body, valuesBytes, changedKeys } = checkpoint;
  const thread = run.threadId === null ? undefined : threadOf(uow, run.threadId);
  uow.insertCheckpoint({
    id,
    threadId: run.threadId,
    runId: run.id,
    parentId: run.headCheckpointId,
    kind,
    attempt: run.attempt,
    seq: thread?.lastSeq ?? run.lastSeq,
    encoding,
    body,
    valuesBytes,
    createdAt: Math.max(uow.now, thread?.createdAt ?? 0),
  });
  const moved = uow.putRun({ ...run, headCheckpointId: id });
  if (changedKeys.length === 0) return moved;
  const payload = JSON.stringify({ checkpointId: id, changedKeys });
  return appendEvents(uow, moved, [{ type: "values_updated", payload }]);
}

/** "Nothing changed": the mark of a run's end in its thread's history. */
export function unchangedCheckpoint(id: string): NewCheckpoint {
  return { id, encoding: "same", body: null, valuesBytes: null, changedKeys: [] };
}
