/** Looks for a checkpoint in a thread's tree: any that the thread wrote, or that it shares with the one it was copied from. */

import type { CheckpointHead } from "../model/checkpoint.js";
import { checkpointNotFound, isOwnCheckpoint } from "../model/intents/checkpoint-ref.js";
import type { CheckpointRef } from "../model/intents/intent.js";
import { shown } from "../model/shown.js";
import type { ThreadRecord } from "../model/thread.js";
import { isId } from "./check-input.js";
import type { Core } from "./core.js";
import { threadNotFound } from "./not-found.js";

/**
 * At once for the thread's own; its origin's are looked for from the origin upwards.
 * @throws HeddleError CHECKPOINT_NOT_FOUND, THREAD_NOT_FOUND
 */
export async function findCheckpoint(core: Core, threadId: string, checkpointId: unknown): Promise<CheckpointRef> {
  const thread = await core.storage.threads.get(threadId);
  if (thread === undefined) throw threadNotFound(threadId);
  const checkpoint = isId(checkpointId) ? await core.storage.checkpoints.get(checkpointId) : undefined;
  if (checkpoint === undefined) throw checkpointNotFound(shown(checkpointId));
  if (isOwnCheckpoint(checkpoint, thread)) return { id: checkpoint.id, isShared: false };
  if (await isShared(core, thread, checkpoint)) return { id: checkpoint.id, isShared: true };
  throw checkpointNotFound(checkpoint.id);
}

async function isShared(core: Core, thread: ThreadRecord, wanted: CheckpointHead): Promise<boolean> {
  let next = thread.originCheckpointId;
  while (next !== null) {
    const page: readonly CheckpointHead[] = await core.storage.checkpoints.history(next, 500);
    if (page.some((checkpoint) => checkpoint.id === wanted.id)) return true;
    next = page.at(-1)?.parentId ?? null;
  }
  return false;
}
