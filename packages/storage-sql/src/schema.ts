/**
 * Heddle's tables, as Kysely sees them. Names carry a prefix: on SQLite they share a file with the host's own tables.
 *
 * JSON is text, times are epoch ms, flags are 0 or 1 on every database, so one row mapping fits all.
 */

import type {
  BusyStrategy,
  CheckpointEncoding,
  CheckpointKind,
  MemoRecord,
  QuestionRecord,
  RunStatus,
  SettledStatus,
} from "@heddle/core/storage";

export interface HeddleTables {
  readonly heddle_threads: ThreadsTable;
  readonly heddle_runs: RunsTable;
  readonly heddle_checkpoints: CheckpointsTable;
  readonly heddle_events: EventsTable;
  readonly heddle_idempotency_keys: IdempotencyKeysTable;
  readonly heddle_memos: MemosTable;
  readonly heddle_questions: QuestionsTable;
  readonly heddle_origins: OriginsTable;
  readonly heddle_tombstones: TombstonesTable;
  readonly heddle_migrations: MigrationsTable;
}

export type Flag = 0 | 1;

export interface ThreadsTable {
  id: string;
  title: string | null;
  metadata: string;
  archived: Flag;
  when_busy: BusyStrategy | null;
  active_run_id: string | null;
  last_outcome: SettledStatus | null;
  last_agent: string | null;
  head_checkpoint_id: string | null;
  origin_checkpoint_id: string | null;
  last_seq: number;
  rollout: number;
  queue_length: number;
  queue_tail: number;
  queue_front: number;
  created_at: number;
  updated_at: number;
}

export interface RunsTable {
  id: string;
  thread_id: string | null;
  agent: string;
  status: RunStatus;
  active: Flag;
  priority: number;
  queue_position: number | null;
  available_at: number;
  attempt: number;
  failures: number;
  crashes: number;
  worker: string | null;
  lease_until: number | null;
  cancel_requested_at: number | null;
  grace_until: number | null;
  deadline_at: number | null;
  first_seq: number;
  last_seq: number;
  created_at: number;
  started_at: number | null;
  settled_at: number | null;
  lineage_id: string;
  parent_run_id: string | null;
  parent_thread_id: string | null;
  base_checkpoint_id: string | null;
  head_checkpoint_id: string | null;
  idempotency_key: string | null;
  settle_hook: Flag;
  steers: string | null;
  taken_by: string | null;
  steered: number;
  awaits: string | null;
  rolled_back: Flag;
  policy: string;
  metadata: string;
  cancel_reason: string | null;
  error: string | null;
  config: string | null;
  input: string;
  output: string | null;
}

export interface CheckpointsTable {
  id: string;
  thread_id: string | null;
  run_id: string | null;
  parent_id: string | null;
  kind: CheckpointKind;
  attempt: number;
  seq: number;
  encoding: CheckpointEncoding;
  values_bytes: number | null;
  created_at: number;
  body: string | null;
}

export interface EventsTable {
  stream: string;
  seq: number;
  run_id: string | null;
  attempt: number;
  rollout: number;
  type: string;
  created_at: number;
  /** `null` for `run_succeeded`, whose payload the run's own row holds, and once the run was deleted. */
  payload: string | null;
}

export interface IdempotencyKeysTable {
  scope: string;
  agent: string;
  key: string;
  fingerprint: string;
  run_id: string;
  keep_until: number;
  /** Its run was deleted: it goes once its time is over. */
  orphaned: Flag;
}

export interface MemosTable {
  lineage_id: string;
  kind: MemoRecord["kind"];
  key: string;
  run_id: string;
  body: string | null;
}

export interface QuestionsTable {
  lineage_id: string;
  key: string;
  run_id: string;
  thread_id: string | null;
  status: QuestionRecord["status"];
  answered_run_id: string | null;
  asked_at: number;
  expires_at: number | null;
  closed_at: number | null;
  payload: string;
  schema: string | null;
  answer: string | null;
}

export interface OriginsTable {
  thread_id: string;
  checkpoint_id: string;
  owner_id: string;
}

export interface TombstonesTable {
  thread_id: string;
  last_seq: number;
  deleted_at: number;
  keep_until: number;
}

export interface MigrationsTable {
  version: number;
  name: string;
  applied_at: number;
}
