/** Which checkpoints are a thread's: its own, whatever their branch, and those that it shares with its origin. */

import { HeddleError } from "../../errors.js";
import type { CheckpointHead } from "../checkpoint.js";
import type { ThreadRecord } from "../thread.js";
import type { UnitOfWork } from "../unit-of-work.js";
import type { CheckpointRef } from "./intent.js";

/** Written by this very thread, not by a deleted one of the same id whose history copies still need. */
export function isOwnCheckpoint(
  checkpoint: Pick<CheckpointHead, "threadId" | "createdAt">,
  thread: Pick<ThreadRecord, "id" | "createdAt">,
): boolean {
  return checkpoint.threadId === thread.id && checkpoint.createdAt >= thread.createdAt;
}

/** @throws HeddleError CHECKPOINT_NOT_FOUND */
export function requireCheckpoint(uow: UnitOfWork, thread: ThreadRecord, ref: CheckpointRef): CheckpointHead {
  const checkpoint = uow.checkpoint(ref.id);
  if (checkpoint === undefined) throw checkpointNotFound(ref.id);
  const isShared = ref.isShared || ref.id === thread.originCheckpointId;
  if (isShared || isOwnCheckpoint(checkpoint, thread)) return checkpoint;
  throw checkpointNotFound(ref.id);
}

export function checkpointNotFound(checkpointId: string): HeddleError {
  return new HeddleError("CHECKPOINT_NOT_FOUND", `There is no checkpoint "${checkpointId}".`, {
    details: { checkpointId },
  });
}
