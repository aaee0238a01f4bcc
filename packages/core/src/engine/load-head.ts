/** A thread's record and its values, read one after the other: what happens in between must not look like damage. */

import { HeddleError } from "../errors.js";
import type { JsonObject } from "../model/json.js";
import type { ThreadRecord } from "../model/thread.js";
import type { Core } from "./core.js";
import { threadNotFound } from "./not-found.js";

export interface Head {
  readonly thread: ThreadRecord;
  readonly tree: JsonObject;
}

/** @throws HeddleError THREAD_NOT_FOUND, also where the thread is deleted meanwhile; CORRUPT_DATA */
export async function loadHead(core: Core, threadId: string): Promise<Head> {
  for (let missing: string | null = null; ; ) {
    const thread = await core.storage.threads.get(threadId);
    if (thread === undefined) throw threadNotFound(threadId);
    try {
      const { tree } = await core.values.load(thread.headCheckpointId, threadId);
      return { thread, tree };
    } catch (error) {
      // Gone with its thread: the next look finds no thread, or the one that was created in its place.
      if (!HeddleError.is(error, "CHECKPOINT_NOT_FOUND") || thread.headCheckpointId === missing) throw error;
      missing = thread.headCheckpointId;
    }
  }
}
