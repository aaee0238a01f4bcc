/** Which checkpoints go: those that nothing needs, neither the thread itself nor the copies that go on from them. */

import type { RunRecord } from "../run.js";
import type { ThreadRecord } from "../thread.js";
import type { UnitOfWork } from "../unit-of-work.js";
import type { CollectCheckpoints, PruneCheckpoints } from "./intent.js";
import { threadOf } from "./thread-mutex.js";

/**
 * A deleted thread's checkpoints stay while a copy goes on from one of them, with all ancestors of that one.
 * The rest goes; and once nothing is left, the thread's own origin needs its ancestors no longer.
 */
export function collectCheckpoints(uow: UnitOfWork, { threadId, rolledBack }: CollectCheckpoints): undefined {
  if (uow.thread(threadId) !== undefined) return removeRolledBack(uow, threadId, rolledBack);
  const needed = uow.originsFrom(threadId).map((origin) => origin.checkpointId);
  if (needed.length === 0) uow.remove({ type: "checkpoints_of", threadId });
  else return removeUnreachable(uow, threadId, needed);
  const origin = uow.origin(threadId);
  if (origin === undefined) return;
  uow.remove({ type: "origin", threadId });
  uow.tell({ type: "collect", threadId: origin.ownerId });
}

function removeUnreachable(uow: UnitOfWork, threadId: string, needed: readonly string[]): undefined {
  const links = new Map(uow.checkpointLinks(threadId).map((link) => [link.id, link.parentId]));
  const reachable = ancestors(links, needed);
  const ids = [...links.keys()].filter((id) => !reachable.has(id));
  if (ids.length > 0) uow.remove({ type: "checkpoints", ids });
}

/** Rolled back runs left them. What somebody went on from meanwhile stays, with all that it needs. */
function removeRolledBack(uow: UnitOfWork, threadId: string, ids: readonly string[] = []): undefined {
  if (ids.length > 0) pruneCheckpoints(uow, { kind: "prune_checkpoints", threadId, ids, snapshots: [] });
}

export function pruneCheckpoints(uow: UnitOfWork, intent: PruneCheckpoints): { readonly removed: number } {
  const thread = threadOf(uow, intent.threadId);
  const links = new Map(uow.checkpointLinks(thread.id).map((link) => [link.id, link.parentId]));
  const going = new Set(intent.ids.filter((id) => links.has(id)));
  for (const id of inUse(uow, thread, links)) going.delete(id);
  const wholes = new Map(intent.snapshots.map((whole) => [whole.id, whole]));
  const orphans = parted(links, going, (id) => wholes.has(id));
  for (const id of orphans) {
    const { body, valuesBytes } = wholes.get(id) as (typeof intent.snapshots)[number];
    uow.remove({ type: "parent", id, body, valuesBytes });
  }
  if (going.size > 0) uow.remove({ type: "checkpoints", ids: [...going] });
  return { removed: going.size };
}

/** The head, where unsettled runs came from and are, and whatever copies go on from, with all above that. */
function inUse(uow: UnitOfWork, thread: ThreadRecord, links: ReadonlyMap<string, string | null>): Set<string> {
  const copied = uow.originsFrom(thread.id).map(({ checkpointId }) => checkpointId);
  const used = ancestors(links, copied);
  if (thread.headCheckpointId !== null) used.add(thread.headCheckpointId);
  for (const run of uow.unsettledRuns(thread.id)) for (const id of placesOf(run)) used.add(id);
  return used;
}

function placesOf({ baseCheckpointId, headCheckpointId }: RunRecord): readonly string[] {
  return [baseCheckpointId, headCheckpointId].filter((id) => id !== null);
}

/**
 * What stays although its parent goes. Where it could not stand alone the parent stays too, so this takes away from
 * `going`.
 */
function parted(
  links: ReadonlyMap<string, string | null>,
  going: Set<string>,
  standsAlone: (id: string) => boolean,
): readonly string[] {
  const orphans: string[] = [];
  const staying = [...links.keys()].filter((id) => !going.has(id));
  for (let id = staying.pop(); id !== undefined; id = staying.pop()) {
    const parent = links.get(id);
    if (parent == null || !going.has(parent)) continue;
    if (standsAlone(id)) orphans.push(id);
    else if (going.delete(parent)) staying.push(parent);
  }
  // One that was parted from a parent which then had to stay for a sibling keeps it.
  return orphans.filter((id) => going.has(links.get(id) as string));
}

/** Those of `from` and all above them, as far as `links` knows them. */
function ancestors(links: ReadonlyMap<string, string | null>, from: readonly string[]): Set<string> {
  const seen = new Set<string>();
  for (const start of from) {
    let id: string | null | undefined = start;
    while (id != null && links.has(id) && !seen.has(id)) {
      seen.add(id);
      id = links.get(id);
    }
  }
  return seen;
}
