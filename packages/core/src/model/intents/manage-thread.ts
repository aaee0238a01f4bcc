import { HeddleError } from "../../errors.js";
import type { ThreadRecord } from "../thread.js";
import type { UnitOfWork } from "../unit-of-work.js";
import type {
  CollectCheckpoints,
  CopyThread,
  CreateThread,
  DeleteThread,
  NewCheckpoint,
  UpdateThread,
} from "./intent.js";
import { threadOf } from "./thread-mutex.js";

export function createThread(uow: UnitOfWork, intent: CreateThread): ThreadRecord {
  const existing = uow.thread(intent.id);
  if (existing !== undefined) {
    if (intent.ifExists === "return") return existing;
    throw threadExists(intent.id);
  }
  return newThread(uow, intent);
}

function threadExists(threadId: string): HeddleError {
  return new HeddleError("THREAD_EXISTS", `Thread "${threadId}" exists already.`, { details: { threadId } });
}

/** A thread has one origin. That of a deleted copy stays while other copies go on from it: it must not be lost. */
function historyIsNeeded(threadId: string): HeddleError {
  const message = `Thread "${threadId}" was deleted, but copies of it still need its history: copy to another id.`;
  return new HeddleError("THREAD_EXISTS", message, { details: { threadId } });
}

/** A thread created again under a deleted one's id goes on with its numbers, so no cursor ever means two events. */
export function newThread(
  uow: UnitOfWork,
  given: Pick<ThreadRecord, "id" | "title" | "metadata"> & {
    readonly values?: NewCheckpoint;
    readonly originCheckpointId?: string | null;
    readonly whenBusy?: ThreadRecord["whenBusy"];
  },
): ThreadRecord {
  const tombstone = uow.tombstone(given.id);
  if (tombstone !== undefined) uow.remove({ type: "tombstone", threadId: given.id });
  if (given.values !== undefined) writeInitial(uow, given.id, given.values);
  const origin = given.originCheckpointId ?? null;
  return uow.putThread({
    id: given.id,
    title: given.title,
    metadata: given.metadata,
    archived: false,
    whenBusy: given.whenBusy ?? null,
    activeRunId: null,
    lastOutcome: null,
    lastAgent: null,
    headCheckpointId: given.values?.id ?? origin,
    originCheckpointId: origin,
    lastSeq: tombstone?.lastSeq ?? 0,
    rollout: 1,
    queueLength: 0,
    queueTail: 1,
    queueFront: 0,
    createdAt: uow.now,
    updatedAt: uow.now,
  });
}

function writeInitial(uow: UnitOfWork, threadId: string, values: NewCheckpoint): void {
  const { id, encoding, body, valuesBytes } = values;
  uow.insertCheckpoint({
    id,
    threadId,
    runId: null,
    parentId: null,
    kind: "initial",
    attempt: 0,
    encoding,
    body,
    valuesBytes,
    createdAt: uow.now,
  });
}

export function updateThread(uow: UnitOfWork, intent: UpdateThread): ThreadRecord {
  const before = threadOf(uow, intent.id);
  const metadata = mergeMetadata(before.metadata, intent);
  const after = uow.putThread({
    ...before,
    title: intent.title === undefined ? before.title : intent.title,
    archived: intent.archived ?? before.archived,
    whenBusy: intent.whenBusy === undefined ? before.whenBusy : intent.whenBusy,
    metadata,
    updatedAt: uow.now,
  });
  for (const change of whatChanged(before, after)) uow.tell({ type: "thread", thread: after, change });
  return after;
}

function whatChanged(before: ThreadRecord, after: ThreadRecord): readonly ("renamed" | "archived" | "updated")[] {
  const renamed = before.title === after.title ? [] : (["renamed"] as const);
  const archived = before.archived === after.archived ? [] : (["archived"] as const);
  const changes = [...renamed, ...archived];
  return changes.length === 0 ? ["updated"] : changes;
}

function mergeMetadata(stored: string, { id, metadata, maxMetadata }: UpdateThread): string {
  if (metadata === undefined) return stored;
  const merged = new Map(Object.entries(JSON.parse(stored) as object));
  for (const [key, value] of Object.entries(metadata)) {
    if (value === null) merged.delete(key);
    else merged.set(key, value);
  }
  const text = JSON.stringify(Object.fromEntries(merged));
  if (Buffer.byteLength(text) <= maxMetadata) return text;
  throw new HeddleError("TOO_LARGE", `The metadata of thread "${id}" would exceed ${maxMetadata} bytes.`, {
    details: { what: "metadata", limit: maxMetadata, size: Buffer.byteLength(text) },
  });
}

export function copyThread(uow: UnitOfWork, intent: CopyThread): ThreadRecord {
  const source = threadOf(uow, intent.from);
  if (uow.thread(intent.id) !== undefined) throw threadExists(intent.id);
  if (uow.origin(intent.id) !== undefined) throw historyIsNeeded(intent.id);
  const head = source.headCheckpointId === null ? undefined : uow.checkpoint(source.headCheckpointId);
  const copy = newThread(uow, {
    id: intent.id,
    title: intent.title === undefined ? source.title : intent.title,
    metadata: intent.metadata ?? source.metadata,
    whenBusy: source.whenBusy,
    originCheckpointId: head?.id ?? null,
  });
  if (head?.threadId != null) {
    uow.putOrigin({ threadId: copy.id, checkpointId: head.id, ownerId: head.threadId });
  }
  return copy;
}

/** Unsettled runs are canceled in the same breath: their rows go, their waiters are told. */
export function deleteThread(uow: UnitOfWork, intent: DeleteThread): undefined {
  const thread = threadOf(uow, intent.id);
  const reason = JSON.stringify({ kind: "deleted" });
  const unsettled = uow.unsettledRuns(thread.id);
  for (const run of unsettled) {
    uow.tell({
      type: "run",
      run: { ...run, status: "canceled", active: false, queuePosition: null, cancelReason: reason, settledAt: uow.now },
    });
    uow.dropRun(run.id);
  }
  uow.putTombstone({
    threadId: thread.id,
    lastSeq: thread.lastSeq,
    deletedAt: uow.now,
    keepUntil: uow.now + intent.keepTombstone,
  });
  uow.remove({ type: "thread", id: thread.id });
  uow.tell({ type: "thread_deleted", threadId: thread.id, runIds: unsettled.map((run) => run.id) });
  collectCheckpoints(uow, { kind: "collect_checkpoints", threadId: thread.id });
}

/**
 * A deleted thread's checkpoints stay while a copy goes on from one of them, with all ancestors of that one.
 * The rest goes; and once nothing is left, the thread's own origin needs its ancestors no longer.
 */
export function collectCheckpoints(uow: UnitOfWork, { threadId, rolledBack }: CollectCheckpoints): undefined {
  if (rolledBack !== undefined) return removeRolledBack(uow, threadId, rolledBack);
  if (uow.thread(threadId) !== undefined) return;
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

/** Each is the parent of the one before it: where one is needed, all behind it are. */
function removeRolledBack(uow: UnitOfWork, threadId: string, newestFirst: readonly string[]): undefined {
  const needed = new Set(uow.originsFrom(threadId).map((origin) => origin.checkpointId));
  const head = uow.thread(threadId)?.headCheckpointId;
  if (head != null) needed.add(head);
  const firstNeeded = newestFirst.findIndex((id) => needed.has(id));
  const ids = firstNeeded === -1 ? newestFirst : newestFirst.slice(0, firstNeeded);
  if (ids.length > 0) uow.remove({ type: "checkpoints", ids });
}

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
