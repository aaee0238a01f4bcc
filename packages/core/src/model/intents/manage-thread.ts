import { HeddleError } from "../../errors.js";
import type { CheckpointHead } from "../checkpoint.js";
import type { ThreadRecord } from "../thread.js";
import type { UnitOfWork } from "../unit-of-work.js";
import { requireCheckpoint } from "./checkpoint-ref.js";
import { collectCheckpoints } from "./collect-checkpoints.js";
import type { CopyThread, CreateThread, DeleteThread, NewCheckpoint, UpdateThread } from "./intent.js";
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
  const origin = given.originCheckpointId ?? null;
  // Later than all that a deleted one of this id left: that is how its checkpoints are told apart.
  const createdAt = tombstone === undefined ? uow.now : Math.max(uow.now, tombstone.deletedAt + 1);
  const lastSeq = tombstone?.lastSeq ?? 0;
  if (given.values !== undefined) writeInitial(uow, { id: given.id, lastSeq, createdAt }, given.values);
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
    lastSeq,
    rollout: 1,
    queueLength: 0,
    queueTail: 1,
    queueFront: 0,
    createdAt,
    updatedAt: createdAt,
  });
}

function writeInitial(
  uow: UnitOfWork,
  thread: Pick<ThreadRecord, "id" | "lastSeq" | "createdAt">,
  values: NewCheckpoint,
): void {
  const { id, encoding, body, valuesBytes } = values;
  uow.insertCheckpoint({
    id,
    threadId: thread.id,
    runId: null,
    parentId: null,
    kind: "initial",
    attempt: 0,
    seq: thread.lastSeq,
    encoding,
    body,
    valuesBytes,
    createdAt: thread.createdAt,
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
  const head = intent.at === undefined ? headOf(uow, source) : requireCheckpoint(uow, source, intent.at);
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

function headOf(uow: UnitOfWork, { headCheckpointId }: ThreadRecord): CheckpointHead | undefined {
  return headCheckpointId === null ? undefined : uow.checkpoint(headCheckpointId);
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
    deletedAt: Math.max(uow.now, thread.updatedAt),
    keepUntil: uow.now + intent.keepTombstone,
  });
  uow.remove({ type: "thread", id: thread.id });
  uow.tell({ type: "thread_deleted", threadId: thread.id, runIds: unsettled.map((run) => run.id) });
  collectCheckpoints(uow, { kind: "collect_checkpoints", threadId: thread.id });
}
