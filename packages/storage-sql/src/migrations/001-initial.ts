import type { Compilable, SqlBool } from "kysely";
import { sql } from "kysely";
import type { SqlDialect } from "../dialect.js";
import type { QueryBuilder } from "../query-builder.js";
import type { Migration } from "./migration.js";

/**
 * Threads, runs, checkpoints, events, idempotency keys, memos, questions, origins of copies, tombstones.
 *
 * Large texts are the last columns of their tables, so reading the short ones never walks a row's overflow pages.
 * Indexes that serve unsettled runs are partial: a settled run costs its id, its thread and its creation time.
 */
export const initial: Migration = {
  version: 1,
  name: "initial",
  statements: (db, dialect) => [
    ...threads(db, dialect),
    ...runs(db, dialect),
    ...checkpoints(db, dialect),
    events(db, dialect),
    ...idempotencyKeys(db, dialect),
    memos(db, dialect),
    ...questions(db, dialect),
    ...origins(db, dialect),
    ...tombstones(db, dialect),
    ...(dialect.ownTables?.(db) ?? []),
  ],
};

function threads({ schema }: QueryBuilder, { keyText }: SqlDialect): Compilable[] {
  return [
    schema
      .createTable("heddle_threads")
      .addColumn("id", keyText, (column) => column.primaryKey().notNull())
      .addColumn("title", "text")
      .addColumn("archived", "smallint", (column) => column.notNull())
      .addColumn("when_busy", "text")
      .addColumn("active_run_id", keyText)
      .addColumn("last_outcome", "text")
      .addColumn("last_agent", keyText)
      .addColumn("head_checkpoint_id", keyText)
      .addColumn("origin_checkpoint_id", keyText)
      .addColumn("last_seq", "bigint", (column) => column.notNull())
      .addColumn("rollout", "integer", (column) => column.notNull())
      .addColumn("queue_length", "integer", (column) => column.notNull())
      .addColumn("queue_tail", "bigint", (column) => column.notNull())
      .addColumn("queue_front", "bigint", (column) => column.notNull())
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("updated_at", "bigint", (column) => column.notNull())
      .addColumn("metadata", "text", (column) => column.notNull()),
    schema.createIndex("heddle_threads_created").on("heddle_threads").column("created_at"),
    schema.createIndex("heddle_threads_updated").on("heddle_threads").column("updated_at"),
  ];
}

function runs(db: QueryBuilder, dialect: SqlDialect): Compilable[] {
  return [runsTable(db, dialect), ...runIndexes(db), ...unsettledRunIndexes(db)];
}

function runsTable({ schema }: QueryBuilder, { keyText }: SqlDialect): Compilable {
  return schema
    .createTable("heddle_runs")
    .addColumn("id", keyText, (column) => column.primaryKey().notNull())
    .addColumn("thread_id", keyText)
    .addColumn("agent", keyText, (column) => column.notNull())
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("active", "smallint", (column) => column.notNull())
    .addColumn("priority", "double precision", (column) => column.notNull())
    .addColumn("queue_position", "bigint")
    .addColumn("available_at", "bigint", (column) => column.notNull())
    .addColumn("attempt", "integer", (column) => column.notNull())
    .addColumn("failures", "integer", (column) => column.notNull())
    .addColumn("crashes", "integer", (column) => column.notNull())
    .addColumn("worker", keyText)
    .addColumn("lease_until", "bigint")
    .addColumn("cancel_requested_at", "bigint")
    .addColumn("grace_until", "bigint")
    .addColumn("deadline_at", "bigint")
    .addColumn("first_seq", "bigint", (column) => column.notNull())
    .addColumn("last_seq", "bigint", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("started_at", "bigint")
    .addColumn("settled_at", "bigint")
    .addColumn("lineage_id", keyText, (column) => column.notNull())
    .addColumn("parent_run_id", keyText)
    .addColumn("parent_thread_id", keyText)
    .addColumn("base_checkpoint_id", keyText)
    .addColumn("head_checkpoint_id", keyText)
    .addColumn("idempotency_key", keyText)
    .addColumn("settle_hook", "smallint", (column) => column.notNull())
    .addColumn("steers", keyText)
    .addColumn("taken_by", keyText)
    .addColumn("steered", "integer", (column) => column.notNull())
    .addColumn("awaits", "text")
    .addColumn("rolled_back", "smallint", (column) => column.notNull())
    .addColumn("policy", "text", (column) => column.notNull())
    .addColumn("metadata", "text", (column) => column.notNull())
    .addColumn("cancel_reason", "text")
    .addColumn("error", "text")
    .addColumn("config", "text")
    .addColumn("input", "text", (column) => column.notNull())
    .addColumn("output", "text");
}

/** For lists. Ids break ties, but few rows share a millisecond: sorting those is cheaper than storing ids twice. */
function runIndexes({ schema }: QueryBuilder): Compilable[] {
  return [
    schema.createIndex("heddle_runs_created").on("heddle_runs").column("created_at"),
    schema.createIndex("heddle_runs_thread").on("heddle_runs").columns(["thread_id", "created_at"]),
    schema
      .createIndex("heddle_runs_parent")
      .on("heddle_runs")
      .columns(["parent_run_id", "created_at"])
      .where("parent_run_id", "is not", null),
    // Runs that resumed others. The first of a lineage is found by its id.
    schema
      .createIndex("heddle_runs_lineage")
      .on("heddle_runs")
      .columns(["lineage_id", "created_at"])
      .where(sql<SqlBool>`lineage_id <> id`),
    schema.createIndex("heddle_runs_steers").on("heddle_runs").column("steers").where("steers", "is not", null),
  ];
}

function unsettledRunIndexes({ schema }: QueryBuilder): Compilable[] {
  return [
    // Children whose parent may have ended without them.
    schema
      .createIndex("heddle_runs_children")
      .on("heddle_runs")
      .columns(["parent_run_id", "parent_thread_id", "created_at"])
      .where(sql<SqlBool>`parent_run_id is not null and settled_at is null and cancel_requested_at is null`),
    // Suspended runs that wait for children.
    schema
      .createIndex("heddle_runs_awaiting")
      .on("heddle_runs")
      .column("available_at")
      .where(sql<SqlBool>`awaits is not null`),
    // Invariant 1: at most one active run per thread. The net; the guard is the thread's row.
    schema
      .createIndex("heddle_runs_active")
      .unique()
      .on("heddle_runs")
      .column("thread_id")
      .where(sql<SqlBool>`active = 1 and thread_id is not null`),
    schema
      .createIndex("heddle_runs_claim")
      .on("heddle_runs")
      .columns(["priority desc", "available_at", "created_at", "id", "agent"])
      .where(sql<SqlBool>`status = 'pending' and active = 1`),
    // Retries and delays that are not due yet, and delayed thread runs (not active) that are.
    schema
      .createIndex("heddle_runs_waiting")
      .on("heddle_runs")
      .columns(["active", "available_at", "agent"])
      .where(sql<SqlBool>`status = 'pending' and queue_position is null`),
    schema
      .createIndex("heddle_runs_queue")
      .on("heddle_runs")
      .columns(["thread_id", "queue_position"])
      .where("queue_position", "is not", null),
    schema
      .createIndex("heddle_runs_deadline")
      .on("heddle_runs")
      .column("deadline_at")
      .where(sql<SqlBool>`status = 'pending' and deadline_at is not null`),
    schema
      .createIndex("heddle_runs_lease")
      .on("heddle_runs")
      .columns(["worker", "lease_until", "grace_until"])
      .where(sql<SqlBool>`status = 'running'`),
  ];
}

function checkpoints({ schema }: QueryBuilder, { keyText }: SqlDialect): Compilable[] {
  return [
    schema
      .createTable("heddle_checkpoints")
      .addColumn("id", keyText, (column) => column.primaryKey().notNull())
      .addColumn("thread_id", keyText)
      .addColumn("run_id", keyText)
      .addColumn("parent_id", keyText)
      .addColumn("kind", "text", (column) => column.notNull())
      .addColumn("attempt", "integer", (column) => column.notNull())
      .addColumn("seq", "bigint", (column) => column.notNull())
      .addColumn("encoding", "text", (column) => column.notNull())
      .addColumn("values_bytes", "bigint")
      .addColumn("created_at", "bigint", (column) => column.notNull())
      .addColumn("body", "text"),
    schema
      .createIndex("heddle_checkpoints_thread")
      .on("heddle_checkpoints")
      .columns(["thread_id", "seq", "id"])
      .where("thread_id", "is not", null),
    // A stateless run's, which go with it.
    schema
      .createIndex("heddle_checkpoints_run")
      .on("heddle_checkpoints")
      .column("run_id")
      .where(sql<SqlBool>`thread_id is null`),
  ];
}

function events({ schema }: QueryBuilder, { keyText, clusteredTable }: SqlDialect): Compilable {
  const table = schema
    .createTable("heddle_events")
    .addColumn("stream", keyText, (column) => column.notNull())
    .addColumn("seq", "bigint", (column) => column.notNull())
    .addColumn("run_id", keyText)
    .addColumn("attempt", "integer", (column) => column.notNull())
    .addColumn("rollout", "integer", (column) => column.notNull())
    .addColumn("type", "text", (column) => column.notNull())
    .addColumn("created_at", "bigint", (column) => column.notNull())
    .addColumn("payload", "text")
    .addPrimaryKeyConstraint("heddle_events_key", ["stream", "seq"]);
  return clusteredTable === undefined ? table : table.modifyEnd(clusteredTable);
}

function idempotencyKeys({ schema }: QueryBuilder, { keyText, clusteredTable }: SqlDialect): Compilable[] {
  const table = schema
    .createTable("heddle_idempotency_keys")
    .addColumn("scope", keyText, (column) => column.notNull())
    .addColumn("agent", keyText, (column) => column.notNull())
    .addColumn("key", keyText, (column) => column.notNull())
    .addColumn("fingerprint", "text", (column) => column.notNull())
    .addColumn("run_id", keyText, (column) => column.notNull())
    .addColumn("keep_until", "bigint", (column) => column.notNull())
    .addColumn("orphaned", "smallint", (column) => column.notNull())
    .addPrimaryKeyConstraint("heddle_idempotency_keys_key", ["scope", "agent", "key"]);
  return [
    clusteredTable === undefined ? table : table.modifyEnd(clusteredTable),
    schema
      .createIndex("heddle_idempotency_keys_orphaned")
      .on("heddle_idempotency_keys")
      .column("keep_until")
      .where(sql<SqlBool>`orphaned = 1`),
  ];
}

function memos({ schema }: QueryBuilder, { keyText, clusteredTable }: SqlDialect): Compilable {
  const table = schema
    .createTable("heddle_memos")
    .addColumn("lineage_id", keyText, (column) => column.notNull())
    .addColumn("kind", "text", (column) => column.notNull())
    .addColumn("key", keyText, (column) => column.notNull())
    .addColumn("run_id", keyText, (column) => column.notNull())
    .addColumn("body", "text")
    .addPrimaryKeyConstraint("heddle_memos_key", ["lineage_id", "kind", "key"]);
  return clusteredTable === undefined ? table : table.modifyEnd(clusteredTable);
}

function questions({ schema }: QueryBuilder, { keyText, clusteredTable }: SqlDialect): Compilable[] {
  const table = schema
    .createTable("heddle_questions")
    .addColumn("lineage_id", keyText, (column) => column.notNull())
    .addColumn("key", keyText, (column) => column.notNull())
    .addColumn("run_id", keyText, (column) => column.notNull())
    .addColumn("thread_id", keyText)
    .addColumn("status", "text", (column) => column.notNull())
    .addColumn("answered_run_id", keyText)
    .addColumn("asked_at", "bigint", (column) => column.notNull())
    .addColumn("expires_at", "bigint")
    .addColumn("closed_at", "bigint")
    .addColumn("payload", "text", (column) => column.notNull())
    .addColumn("schema", "text")
    .addColumn("answer", "text")
    .addPrimaryKeyConstraint("heddle_questions_key", ["lineage_id", "key"]);
  return [
    clusteredTable === undefined ? table : table.modifyEnd(clusteredTable),
    schema
      .createIndex("heddle_questions_thread")
      .on("heddle_questions")
      .columns(["thread_id", "asked_at"])
      .where("thread_id", "is not", null),
  ];
}

function origins({ schema }: QueryBuilder, { keyText }: SqlDialect): Compilable[] {
  return [
    schema
      .createTable("heddle_origins")
      .addColumn("thread_id", keyText, (column) => column.primaryKey().notNull())
      .addColumn("checkpoint_id", keyText, (column) => column.notNull())
      .addColumn("owner_id", keyText, (column) => column.notNull()),
    schema.createIndex("heddle_origins_owner").on("heddle_origins").column("owner_id"),
  ];
}

function tombstones({ schema }: QueryBuilder, { keyText }: SqlDialect): Compilable[] {
  return [
    schema
      .createTable("heddle_tombstones")
      .addColumn("thread_id", keyText, (column) => column.primaryKey().notNull())
      .addColumn("last_seq", "bigint", (column) => column.notNull())
      .addColumn("deleted_at", "bigint", (column) => column.notNull())
      .addColumn("keep_until", "bigint", (column) => column.notNull()),
    schema.createIndex("heddle_tombstones_keep").on("heddle_tombstones").column("keep_until"),
  ];
}
