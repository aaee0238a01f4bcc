/** A thread's head moves through its tree of checkpoints while no run holds it. */

import type { ThreadRecord } from "../thread.js";
import type { UnitOfWork } from "../unit-of-work.js";
import { threadBusy } from "./accept-run.js";
import { requireCheckpoint } from "./checkpoint-ref.js";
import { appendThreadEvent } from "./event-log.js";
import type { HeadMoved, MoveHead, NewCheckpoint } from "./intent.js";
import { threadOf } from "./thread-mutex.js";

export function moveHead(uow: UnitOfWork, intent: MoveHead): HeadMoved {
  const thread = threadOf(uow, intent.threadId);
  if (thread.activeRunId !== null) throw threadBusy(uow, thread.id, thread.activeRunId);
  const { to, expectedHead, checkpoint } = intent;
  const target = to === undefined ? thread.headCheckpointId : requireCheckpoint(uow, thread, to).id;
  if (expectedHead !== undefined && expectedHead !== thread.headCheckpointId) return { outcome: "stale", thread };
  if (checkpoint !== undefined) writeUpdate(uow, thread, target, checkpoint);
  const headCheckpointId = checkpoint?.id ?? target;
  const moved = uow.putThread({ ...thread, headCheckpointId });
  const payload = JSON.stringify({ checkpointId: headCheckpointId, ...whatChanged(intent) });
  return { outcome: "moved", thread: appendThreadEvent(uow, moved, { type: "values_updated", payload }) };
}

/** After a jump nobody knows which keys differ, short of reading both. */
function whatChanged({ to, checkpoint }: MoveHead): { readonly changedKeys?: readonly string[] } {
  return to === undefined && checkpoint !== undefined ? { changedKeys: checkpoint.changedKeys } : {};
}

function writeUpdate(uow: UnitOfWork, thread: ThreadRecord, parentId: string | null, checkpoint: NewCheckpoint): void {
  const { id, encoding, body, valuesBytes } = checkpoint;
  uow.insertCheckpoint({
    id,
    threadId: thread.id,
    runId: null,
    parentId,
    kind: "update",
    attempt: 0,
    seq: thread.lastSeq,
    encoding,
    body,
    valuesBytes,
    createdAt: Math.max(uow.now, thread.createdAt),
  });
}
