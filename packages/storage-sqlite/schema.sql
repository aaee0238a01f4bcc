CREATE TABLE "heddle_checkpoints" ("id" text not null primary key,
  "thread_id" text,
  "run_id" text,
  "parent_id" text,
  "kind" text not null,
  "attempt" integer not null,
  "seq" bigint not null,
  "encoding" text not null,
  "values_bytes" bigint,
  "created_at" bigint not null,
  "body" text);

CREATE INDEX "heddle_checkpoints_run" on "heddle_checkpoints" ("run_id") where thread_id is null;

CREATE INDEX "heddle_checkpoints_thread" on "heddle_checkpoints" ("thread_id",
  "seq",
  "id") where "thread_id" is not null;

CREATE TABLE "heddle_events" ("stream" text not null,
  "seq" bigint not null,
  "run_id" text,
  "attempt" integer not null,
  "rollout" integer not null,
  "type" text not null,
  "created_at" bigint not null,
  "payload" text, constraint "heddle_events_key" primary key ("stream",
  "seq")) without rowid;

CREATE TABLE "heddle_idempotency_keys" ("scope" text not null,
  "agent" text not null,
  "key" text not null,
  "fingerprint" text not null,
  "run_id" text not null,
  "keep_until" bigint not null,
  "orphaned" smallint not null, constraint "heddle_idempotency_keys_key" primary key ("scope",
  "agent",
  "key")) without rowid;

CREATE INDEX "heddle_idempotency_keys_orphaned" on "heddle_idempotency_keys" ("keep_until") where orphaned = 1;

CREATE TABLE "heddle_memos" ("lineage_id" text not null,
  "kind" text not null,
  "key" text not null,
  "run_id" text not null,
  "body" text, constraint "heddle_memos_key" primary key ("lineage_id",
  "kind",
  "key")) without rowid;

CREATE TABLE "heddle_migrations" ("version" integer not null primary key,
  "name" text not null,
  "applied_at" bigint not null);

CREATE TABLE "heddle_origins" ("thread_id" text not null primary key,
  "checkpoint_id" text not null,
  "owner_id" text not null);

CREATE INDEX "heddle_origins_owner" on "heddle_origins" ("owner_id");

CREATE TABLE "heddle_questions" ("lineage_id" text not null,
  "key" text not null,
  "run_id" text not null,
  "thread_id" text,
  "status" text not null,
  "answered_run_id" text,
  "asked_at" bigint not null,
  "expires_at" bigint,
  "closed_at" bigint,
  "payload" text not null,
  "schema" text,
  "answer" text, constraint "heddle_questions_key" primary key ("lineage_id",
  "key")) without rowid;

CREATE INDEX "heddle_questions_thread" on "heddle_questions" ("thread_id",
  "asked_at") where "thread_id" is not null;

CREATE TABLE "heddle_runs" ("id" text not null primary key,
  "thread_id" text,
  "agent" text not null,
  "status" text not null,
  "active" smallint not null,
  "priority" double precision not null,
  "queue_position" bigint,
  "available_at" bigint not null,
  "attempt" integer not null,
  "failures" integer not null,
  "crashes" integer not null,
  "worker" text,
  "lease_until" bigint,
  "cancel_requested_at" bigint,
  "grace_until" bigint,
  "deadline_at" bigint,
  "first_seq" bigint not null,
  "last_seq" bigint not null,
  "created_at" bigint not null,
  "started_at" bigint,
  "settled_at" bigint,
  "lineage_id" text not null,
  "parent_run_id" text,
  "parent_thread_id" text,
  "base_checkpoint_id" text,
  "head_checkpoint_id" text,
  "idempotency_key" text,
  "settle_hook" smallint not null,
  "steers" text,
  "taken_by" text,
  "steered" integer not null,
  "awaits" text,
  "rolled_back" smallint not null,
  "policy" text not null,
  "metadata" text not null,
  "cancel_reason" text,
  "error" text,
  "config" text,
  "input" text not null,
  "output" text);

CREATE UNIQUE INDEX "heddle_runs_active" on "heddle_runs" ("thread_id") where active = 1 and thread_id is not null;

CREATE INDEX "heddle_runs_awaiting" on "heddle_runs" ("available_at") where awaits is not null;

CREATE INDEX "heddle_runs_children" on "heddle_runs" ("parent_run_id",
  "parent_thread_id",
  "created_at") where parent_run_id is not null and settled_at is null and cancel_requested_at is null;

CREATE INDEX "heddle_runs_claim" on "heddle_runs" ("priority" desc,
  "available_at",
  "created_at",
  "id",
  "agent") where status = 'pending' and active = 1;

CREATE INDEX "heddle_runs_created" on "heddle_runs" ("created_at");

CREATE INDEX "heddle_runs_deadline" on "heddle_runs" ("deadline_at") where status = 'pending' and deadline_at is not null;

CREATE INDEX "heddle_runs_lease" on "heddle_runs" ("worker",
  "lease_until",
  "grace_until") where status = 'running';

CREATE INDEX "heddle_runs_lineage" on "heddle_runs" ("lineage_id",
  "created_at") where lineage_id <> id;

CREATE INDEX "heddle_runs_parent" on "heddle_runs" ("parent_run_id",
  "created_at") where "parent_run_id" is not null;

CREATE INDEX "heddle_runs_queue" on "heddle_runs" ("thread_id",
  "queue_position") where "queue_position" is not null;

CREATE INDEX "heddle_runs_steers" on "heddle_runs" ("steers") where "steers" is not null;

CREATE INDEX "heddle_runs_thread" on "heddle_runs" ("thread_id",
  "created_at");

CREATE INDEX "heddle_runs_waiting" on "heddle_runs" ("active",
  "available_at",
  "agent") where status = 'pending' and queue_position is null;

CREATE TABLE "heddle_threads" ("id" text not null primary key,
  "title" text,
  "archived" smallint not null,
  "when_busy" text,
  "active_run_id" text,
  "last_outcome" text,
  "last_agent" text,
  "head_checkpoint_id" text,
  "origin_checkpoint_id" text,
  "last_seq" bigint not null,
  "rollout" integer not null,
  "queue_length" integer not null,
  "queue_tail" bigint not null,
  "queue_front" bigint not null,
  "created_at" bigint not null,
  "updated_at" bigint not null,
  "metadata" text not null);

CREATE INDEX "heddle_threads_created" on "heddle_threads" ("created_at");

CREATE INDEX "heddle_threads_updated" on "heddle_threads" ("updated_at");

CREATE TABLE "heddle_tombstones" ("thread_id" text not null primary key,
  "last_seq" bigint not null,
  "deleted_at" bigint not null,
  "keep_until" bigint not null);

CREATE INDEX "heddle_tombstones_keep" on "heddle_tombstones" ("keep_until");
