/**
 * What a transaction writes. Updates are predicated on what was read: on the attempt and status of a run, on the last
 * number and the active run of a thread. Where they match no row, somebody else wrote meanwhile.
 */

import { storedPayload } from "@heddle/core/storage";
import type {
  Change,
  CheckpointRecord,
  EventRecord,
  KeyRecord,
  OriginRecord,
  RunRecord,
  ThreadRecord,
  TombstoneRecord,
} from "@heddle/core/storage";
import { sql } from "kysely";
import {
  changingRunColumns,
  checkpointColumns,
  eventColumns,
  keyColumns,
  originColumns,
  runColumns,
  threadColumns,
  tombstoneColumns,
} from "../columns.js";
import type { QueryBuilder } from "../query-builder.js";
import { columnValues, template } from "../template.js";

/** A change of a record that was there before. */
export interface Update<Row> extends Change<Row> {
  readonly before: Row;
}

export function writeQueries(db: QueryBuilder) {
  return { ...threadWrites(db), ...runWrites(db), ...logWrites(db), ...rememberedWrites(db) };
}

function threadWrites(db: QueryBuilder) {
  return {
    insertThread: template<ThreadRecord, unknown>((param) =>
      db.insertInto("heddle_threads").values(columnValues(param, threadColumns, (thread) => thread)),
    ),
    updateThread: template<Update<ThreadRecord>, unknown>((param) => {
      const { id: _, created_at: __, ...values } = columnValues(param, threadColumns, ({ after }) => after);
      return db
        .updateTable("heddle_threads")
        .set(values)
        .where("id", "=", param(({ before }) => before.id))
        .where("last_seq", "=", param(({ before }) => before.lastSeq))
        .where("active_run_id", "is not distinct from", param(({ before }) => before.activeRunId));
    }),
  };
}

function runWrites(db: QueryBuilder) {
  return {
    insertRun: template<RunRecord, unknown>((param) =>
      db.insertInto("heddle_runs").values(columnValues(param, runColumns, (run) => run)),
    ),
    updateRun: template<Update<RunRecord>, unknown>((param) =>
      db
        .updateTable("heddle_runs")
        .set(columnValues(param, changingRunColumns, ({ after }) => after))
        .where("id", "=", param(({ before }) => before.id))
        .where("attempt", "=", param(({ before }) => before.attempt))
        .where("status", "=", param(({ before }) => before.status)),
    ),
  };
}

function logWrites(db: QueryBuilder) {
  return {
    insertCheckpoint: template<CheckpointRecord, unknown>((param) =>
      db.insertInto("heddle_checkpoints").values(columnValues(param, checkpointColumns, (checkpoint) => checkpoint)),
    ),
    insertEvent: template<EventRecord, unknown>((param) =>
      db.insertInto("heddle_events").values({
        ...columnValues(param, eventColumns, (event) => event),
        payload: param(storedPayload),
      }),
    ),
  };
}

function rememberedWrites(db: QueryBuilder) {
  return {
    /** A key whose time is over may be taken again. */
    putKey: template<KeyRecord, unknown>((param) =>
      db
        .insertInto("heddle_idempotency_keys")
        .values({ ...columnValues(param, keyColumns, (key) => key), orphaned: sql.lit(0 as const) })
        .onConflict((conflict) =>
          conflict.columns(["scope", "agent", "key"]).doUpdateSet((eb) => ({
            fingerprint: eb.ref("excluded.fingerprint"),
            run_id: eb.ref("excluded.run_id"),
            keep_until: eb.ref("excluded.keep_until"),
            orphaned: eb.ref("excluded.orphaned"),
          })),
        ),
    ),
    insertOrigin: template<OriginRecord, unknown>((param) =>
      db.insertInto("heddle_origins").values(columnValues(param, originColumns, (origin) => origin)),
    ),
    putTombstone: template<TombstoneRecord, unknown>((param) =>
      db
        .insertInto("heddle_tombstones")
        .values(columnValues(param, tombstoneColumns, (tombstone) => tombstone))
        .onConflict((conflict) =>
          conflict.column("thread_id").doUpdateSet((eb) => ({
            last_seq: eb.ref("excluded.last_seq"),
            deleted_at: eb.ref("excluded.deleted_at"),
            keep_until: eb.ref("excluded.keep_until"),
          })),
        ),
    ),
  };
}
