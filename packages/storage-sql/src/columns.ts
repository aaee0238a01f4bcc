/** Which column holds which field of a record: the one place where the two spellings meet. */

import type {
  CheckpointHead,
  CheckpointRecord,
  EventRecord,
  KeyRecord,
  MemoRecord,
  OriginRecord,
  QuestionRecord,
  RunRecord,
  ThreadRecord,
  TombstoneRecord,
} from "@heddle/core/storage";
import type {
  CheckpointsTable,
  EventsTable,
  IdempotencyKeysTable,
  MemosTable,
  OriginsTable,
  QuestionsTable,
  RunsTable,
  ThreadsTable,
  TombstonesTable,
} from "./schema.js";

type Columns<Row, Table> = Readonly<Record<keyof Row, keyof Table>>;

export const threadColumns = {
  id: "id",
  title: "title",
  metadata: "metadata",
  archived: "archived",
  whenBusy: "when_busy",
  activeRunId: "active_run_id",
  lastOutcome: "last_outcome",
  lastAgent: "last_agent",
  headCheckpointId: "head_checkpoint_id",
  originCheckpointId: "origin_checkpoint_id",
  lastSeq: "last_seq",
  rollout: "rollout",
  queueLength: "queue_length",
  queueTail: "queue_tail",
  queueFront: "queue_front",
  createdAt: "created_at",
  updatedAt: "updated_at",
} as const satisfies Columns<ThreadRecord, ThreadsTable>;

/** What may change while a run lives. The rest is written once, with the run. */
export const changingRunColumns = {
  status: "status",
  active: "active",
  queuePosition: "queue_position",
  availableAt: "available_at",
  attempt: "attempt",
  failures: "failures",
  crashes: "crashes",
  worker: "worker",
  leaseUntil: "lease_until",
  cancelRequestedAt: "cancel_requested_at",
  graceUntil: "grace_until",
  firstSeq: "first_seq",
  lastSeq: "last_seq",
  startedAt: "started_at",
  settledAt: "settled_at",
  baseCheckpointId: "base_checkpoint_id",
  headCheckpointId: "head_checkpoint_id",
  steers: "steers",
  takenBy: "taken_by",
  steered: "steered",
  awaits: "awaits",
  rolledBack: "rolled_back",
  cancelReason: "cancel_reason",
  error: "error",
  output: "output",
} as const satisfies Partial<Columns<RunRecord, RunsTable>>;

export const runColumns = {
  id: "id",
  threadId: "thread_id",
  agent: "agent",
  priority: "priority",
  deadlineAt: "deadline_at",
  createdAt: "created_at",
  lineageId: "lineage_id",
  parentRunId: "parent_run_id",
  parentThreadId: "parent_thread_id",
  idempotencyKey: "idempotency_key",
  settleHook: "settle_hook",
  policy: "policy",
  metadata: "metadata",
  config: "config",
  input: "input",
  ...changingRunColumns,
} as const satisfies Columns<RunRecord, RunsTable>;

export const checkpointColumns = {
  id: "id",
  threadId: "thread_id",
  runId: "run_id",
  parentId: "parent_id",
  kind: "kind",
  attempt: "attempt",
  seq: "seq",
  encoding: "encoding",
  valuesBytes: "values_bytes",
  createdAt: "created_at",
  body: "body",
} as const satisfies Columns<CheckpointRecord, CheckpointsTable>;

/** A checkpoint without its body, whose length is computed. */
export const checkpointHeadColumns = (() => {
  const { body: _, ...columns } = checkpointColumns;
  return columns;
})() satisfies Columns<Omit<CheckpointHead, "bodyBytes">, CheckpointsTable>;

export const eventColumns = {
  stream: "stream",
  seq: "seq",
  runId: "run_id",
  attempt: "attempt",
  rollout: "rollout",
  type: "type",
  createdAt: "created_at",
  payload: "payload",
} as const satisfies Columns<EventRecord, EventsTable>;

export const keyColumns = {
  scope: "scope",
  agent: "agent",
  key: "key",
  fingerprint: "fingerprint",
  runId: "run_id",
  keepUntil: "keep_until",
} as const satisfies Columns<KeyRecord, IdempotencyKeysTable>;

export const originColumns = {
  threadId: "thread_id",
  checkpointId: "checkpoint_id",
  ownerId: "owner_id",
} as const satisfies Columns<OriginRecord, OriginsTable>;

export const tombstoneColumns = {
  threadId: "thread_id",
  lastSeq: "last_seq",
  deletedAt: "deleted_at",
  keepUntil: "keep_until",
} as const satisfies Columns<TombstoneRecord, TombstonesTable>;

/** `["thread_id as threadId", …]`, for a `select` whose rows are records at once. */
export function selection<Map extends Readonly<Record<string, string>>>(
  columns: Map,
): { [Field in keyof Map & string]: `${Map[Field]} as ${Field}` }[keyof Map & string][] {
  return Object.entries(columns).map(([field, column]) => `${column} as ${field}`) as never;
}

export const memoColumns = {
  lineageId: "lineage_id",
  kind: "kind",
  key: "key",
  runId: "run_id",
  body: "body",
} as const satisfies Columns<MemoRecord, MemosTable>;

/** What may change of a question. */
export const changingQuestionColumns = {
  runId: "run_id",
  status: "status",
  answeredRunId: "answered_run_id",
  askedAt: "asked_at",
  expiresAt: "expires_at",
  closedAt: "closed_at",
  payload: "payload",
  schema: "schema",
  answer: "answer",
} as const satisfies Partial<Columns<QuestionRecord, QuestionsTable>>;

export const questionColumns = {
  lineageId: "lineage_id",
  key: "key",
  threadId: "thread_id",
  ...changingQuestionColumns,
} as const satisfies Columns<QuestionRecord, QuestionsTable>;
