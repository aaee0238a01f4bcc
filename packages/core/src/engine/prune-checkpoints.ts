/**
 * Removes old checkpoints of a thread. What is kept and loses its parent is stored whole first, so it reads back the same;
 * what copies, runs or the head need stays whatever is asked (`model/intents/collect-checkpoints.ts` sees to that).
 */

import { HeddleError } from "../errors.js";
import type { CheckpointHead } from "../model/checkpoint.js";
import { isOwnCheckpoint } from "../model/intents/checkpoint-ref.js";
import type { WholeValues } from "../model/intents/intent.js";
import type { Core } from "./core.js";
import { threadNotFound } from "./not-found.js";

export interface Keeping {
  /** The head and the newest others, that many in all. */
  readonly keep: number;
  /** ms: older ones go as well, except the head. */
  readonly maxAge: number | undefined;
}

/** Bounds a transaction. */
const batchSize = 500;

/** @throws HeddleError THREAD_NOT_FOUND */
export async function pruneCheckpoints(core: Core, threadId: string, keeping: Keeping): Promise<{ removed: number }> {
  for (let removed = 0; ; ) {
    try {
      for (const { ids, snapshots } of await plan(core, threadId, keeping)) {
        const intent = { kind: "prune_checkpoints", threadId, ids, snapshots: await snapshots() } as const;
        removed += (await core.committer.commit<"prune_checkpoints">(intent)).removed;
      }
      return { removed };
    } catch (error) {
      // Somebody else prunes as well: what is left to do is another plan.
      if (!HeddleError.is(error, "CHECKPOINT_NOT_FOUND")) throw error;
    }
  }
}

interface Batch {
  readonly ids: readonly string[];
  snapshots(): Promise<readonly WholeValues[]>;
}

/** Newest first: at no time is a checkpoint without what it needs. */
async function plan(core: Core, threadId: string, { keep, maxAge }: Keeping): Promise<readonly Batch[]> {
  const thread = await core.storage.threads.get(threadId);
  if (thread === undefined) throw threadNotFound(threadId);
  const all = (await readCheckpoints(core, threadId)).filter((checkpoint) => isOwnCheckpoint(checkpoint, thread));
  const oldest = maxAge === undefined ? Number.NEGATIVE_INFINITY : core.storageNow() - maxAge;
  const others = all.filter(({ id }) => id !== thread.headCheckpointId);
  const going = new Set([
    ...others.slice(Math.max(keep - 1, 0)),
    ...others.filter(({ createdAt }) => createdAt < oldest),
  ]);
  const goingIds = new Set([...going].map(({ id }) => id));
  const orphans = all.filter((checkpoint) => !going.has(checkpoint) && goingIds.has(checkpoint.parentId ?? ""));
  return batchesOf(all.filter((checkpoint) => going.has(checkpoint)).map(({ id }) => id)).map((ids) => ({
    ids,
    snapshots: () => wholes(core, threadId, orphans, new Set(ids)),
  }));
}

async function readCheckpoints(core: Core, threadId: string): Promise<CheckpointHead[]> {
  const all: CheckpointHead[] = [];
  for (;;) {
    const after = all.at(-1);
    const page = { limit: batchSize, ...(after && { after }) };
    const checkpoints = await core.storage.checkpoints.ofThread(threadId, page);
    all.push(...checkpoints);
    if (checkpoints.length < batchSize) return all;
  }
}

function batchesOf(ids: readonly string[]): string[][] {
  const count = Math.ceil(ids.length / batchSize);
  return Array.from({ length: count }, (_, at) => ids.slice(at * batchSize, (at + 1) * batchSize));
}

/** Those of `orphans` whose parents are in `going`, whole. */
async function wholes(
  core: Core,
  threadId: string,
  orphans: readonly CheckpointHead[],
  going: ReadonlySet<string>,
): Promise<WholeValues[]> {
  const list: WholeValues[] = [];
  for (const { id, parentId, encoding, valuesBytes } of orphans) {
    if (!going.has(parentId ?? "")) continue;
    if (encoding === "snapshot") list.push({ id, body: null, valuesBytes: valuesBytes ?? 0 });
    else {
      const { tree, bytes } = await core.values.load(id, `${threadId}@prune`);
      list.push({ id, body: JSON.stringify(tree), valuesBytes: bytes });
    }
  }
  return list;
}
