/** Records in plain arrays, and intents applied to them: enough of a storage to test the model without one. */

import type { CheckpointHead } from "../model/checkpoint.js";
import { applyIntent } from "../model/intents/apply-intent.js";
import type { Effect, Intent, IntentKind, IntentOf, IntentValues } from "../model/intents/intent.js";
import { type MemoRecord, memoId } from "../model/memo.js";
import type { QuestionRecord } from "../model/question.js";
import { isSettled, type RunRecord } from "../model/run.js";
import type { KeyRecord, ThreadRecord, TombstoneRecord } from "../model/thread.js";
import {
  byUrgency,
  type Changes,
  type CheckpointLink,
  isClaimable,
  isHandedOver,
  isQueued,
  keyId,
  type OriginRecord,
  type RecordReader,
  UnitOfWork,
} from "../model/unit-of-work.js";
import { testPolicy } from "./intents.js";

export interface Shelf {
  readonly threads?: readonly ThreadRecord[];
  readonly tombstones?: readonly TombstoneRecord[];
  readonly runs?: readonly RunRecord[];
  readonly keys?: readonly KeyRecord[];
  readonly memos?: readonly MemoRecord[];
  readonly questions?: readonly QuestionRecord[];
  readonly checkpoints?: readonly CheckpointHead[];
  readonly origins?: readonly OriginRecord[];
}

/** The time at which shelf tests take place. */
export const noon = 43_200_000;

export function readerOf(shelf: Shelf): RecordReader {
  const { threads = [], tombstones = [], runs = [], keys = [], memos = [], checkpoints = [], origins = [] } = shelf;
  const { questions = [] } = shelf;
  return {
    thread: (id) => threads.find((thread) => thread.id === id),
    tombstone: (threadId) => tombstones.find((tombstone) => tombstone.threadId === threadId),
    run: (id) => runs.find((run) => run.id === id),
    queue: (threadId, limit) => queueOf(runs, threadId).slice(0, limit),
    steeredRuns: (threadId) => runs.filter((run) => run.threadId === threadId && isHandedOver(run)),
    unsettledRuns: (threadId) => runs.filter((run) => run.threadId === threadId && !isSettled(run.status)),
    claimable: (query) =>
      runs
        .filter((run) => isClaimable(run, query))
        .sort(byUrgency)
        .slice(0, query.limit),
    key: (ref) => keys.find((key) => keyId(key) === keyId(ref)),
    memo: (ref) => memos.find((memo) => memoId(memo) === memoId(ref)),
    questions: (lineageId) => questions.filter((question) => question.lineageId === lineageId),
    checkpoint: (id) => checkpoints.find((checkpoint) => checkpoint.id === id),
    origin: (threadId) => origins.find((origin) => origin.threadId === threadId),
    originsFrom: (ownerId) => origins.filter((origin) => origin.ownerId === ownerId),
    checkpointLinks: (threadId): CheckpointLink[] => checkpoints.filter((link) => link.threadId === threadId),
  };
}

function queueOf(runs: readonly RunRecord[], threadId: string): RunRecord[] {
  const queued = runs.filter((run) => run.threadId === threadId && isQueued(run));
  return queued.sort((a, b) => (a.queuePosition ?? 0) - (b.queuePosition ?? 0));
}

export interface Applied<Value> {
  readonly value: Value;
  readonly changes: Changes;
  readonly effects: readonly Effect[];
}

/** One intent on a shelf. @throws HeddleError its refusal */
export function applyTo<Kind extends IntentKind>(
  shelf: Shelf,
  intent: IntentOf<Kind>,
  now = noon,
): Applied<IntentValues[Kind]> {
  const work = new UnitOfWork(readerOf(shelf), now);
  const value = applyIntent<Kind>(work, intent);
  return { value, effects: work.takeEffects(), changes: work.changes() };
}

/** What is left when an intent is refused: nothing. @throws when it was not refused */
export function refusalOf(
  shelf: Shelf,
  intent: Intent,
  now = noon,
): { error: unknown; changes: Changes; effects: Effect[] } {
  const work = new UnitOfWork(readerOf(shelf), now);
  try {
    applyIntent(work, intent);
  } catch (error) {
    return { error, changes: work.changes(), effects: work.takeEffects() };
  }
  throw new Error(`${intent.kind} was not refused`);
}

/** A pending stateless run that was just accepted, but for what is given. */
export function runRecord(given: Partial<RunRecord> = {}): RunRecord {
  const { id = "run", threadId = null } = given;
  return {
    id,
    threadId,
    agent: "worker",
    status: "pending",
    lineageId: id,
    parentRunId: null,
    parentThreadId: null,
    input: "{}",
    config: null,
    metadata: "{}",
    policy: JSON.stringify(testPolicy),
    output: null,
    error: null,
    cancelReason: null,
    priority: 0,
    settleHook: false,
    steers: null,
    takenBy: null,
    steered: 0,
    awaits: null,
    rolledBack: false,
    active: threadId === null,
    queuePosition: null,
    availableAt: noon,
    attempt: 0,
    failures: 0,
    crashes: 0,
    worker: null,
    leaseUntil: null,
    cancelRequestedAt: null,
    graceUntil: null,
    deadlineAt: null,
    idempotencyKey: null,
    baseCheckpointId: null,
    headCheckpointId: null,
    firstSeq: 0,
    lastSeq: 0,
    createdAt: noon,
    startedAt: null,
    settledAt: null,
    ...given,
  };
}

/** The same, claimed: attempt 1, with a lease of ten seconds. */
export function runningRecord(given: Partial<RunRecord> = {}): RunRecord {
  return runRecord({
    status: "running",
    active: true,
    attempt: 1,
    worker: "wrk",
    leaseUntil: noon + 10_000,
    startedAt: noon,
    ...given,
  });
}

/** An open question of the run that `runRecord` makes, but for what is given. */
export function questionRecord(given: Partial<QuestionRecord> = {}): QuestionRecord {
  return {
    lineageId: "run",
    key: "key",
    runId: "run",
    threadId: null,
    status: "open",
    payload: "1",
    schema: null,
    answer: null,
    answeredRunId: null,
    askedAt: noon,
    expiresAt: null,
    closedAt: null,
    ...given,
  };
}

/** An idle, empty thread, but for what is given. */
export function threadRecord(given: Partial<ThreadRecord> = {}): ThreadRecord {
  return {
    id: "thr",
    title: null,
    metadata: "{}",
    archived: false,
    whenBusy: null,
    activeRunId: null,
    lastOutcome: null,
    lastAgent: null,
    headCheckpointId: null,
    originCheckpointId: null,
    lastSeq: 0,
    rollout: 1,
    queueLength: 0,
    queueTail: 1,
    queueFront: 0,
    createdAt: noon,
    updatedAt: noon,
    ...given,
  };
}
