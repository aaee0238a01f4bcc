/**
 * What a transaction writes. Updates are predicated on what was read: on the attempt and status of a run, on the last
 * number and the active run of a thread. Where they match no row, somebody else wrote meanwhile.
 */

import type {
  Change,
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
import { storedPayload } from "@heddle/core/storage";
import type { Compilable } from "kysely";
import { sql } from "kysely";
import {
  changingQuestionColumns,
  changingRunColumns,
  checkpointColumns,
  eventColumns,
  keyColumns,
  memoColumns,
  originColumns,
  questionColumns,
  runColumns,
  threadColumns,
  tombstoneColumns,
} from "../columns.js";
import type { QueryBuilder } from "../query-builder.js";
import type { Param, Template } from "../template.js";
import { columnValues, template } from "../template.js";

/** A change of a record that was there before. */
export interface Update<Row> extends Change<Row> {
  readonly before: Row;
}

export function writeQueries(db: QueryBuilder) {
  return { ...threadWrites(db), ...runWrites(db), ...logWrites(db), ...rememberedWrites(db) };
}

function threadWrites(db: QueryBuilder) {
  const { id: _, createdAt: __, ...changingColumns } = threadColumns;
  return {
    insertThread: template<ThreadRecord, unknown>((param) =>
      db.insertInto("heddle_threads").values(columnValues(param, threadColumns, (thread) => thread)),
    ),
    updateThread: updateOf<ThreadRecord, typeof changingColumns>(changingColumns, (param, columns) =>
      db
        .updateTable("heddle_threads")
        .set(columnValues(param, columns, ({ after }) => after))
        .where(
          "id",
          "=",
          param(({ before }) => before.id),
        )
        .where(
          "last_seq",
          "=",
          param(({ before }) => before.lastSeq),
        )
        .where(
          "active_run_id",
          "is not distinct from",
          param(({ before }) => before.activeRunId),
        ),
    ),
  };
}

function runWrites(db: QueryBuilder) {
  return {
    insertRun: template<RunRecord, unknown>((param) =>
      db.insertInto("heddle_runs").values(columnValues(param, runColumns, (run) => run)),
    ),
    updateRun: updateOf<RunRecord, typeof changingRunColumns>(changingRunColumns, (param, columns) =>
      db
        .updateTable("heddle_runs")
        .set(columnValues(param, columns, ({ after }) => after))
        .where(
          "id",
          "=",
          param(({ before }) => before.id),
        )
        .where(
          "attempt",
          "=",
          param(({ before }) => before.attempt),
        )
        .where(
          "status",
          "=",
          param(({ before }) => before.status),
        ),
    ),
  };
}

/**
 * Updates that set only what differs: an index whose columns are not named is left alone, which halves the time of the
 * commonest ones. A handful of shapes occurs; each is compiled when it first does.
 */
function updateOf<Row, Columns extends Readonly<Record<string, string>>>(
  columns: Columns,
  build: (param: Param<Update<Row>>, changed: Columns) => Compilable,
): UpdateTemplate<Row> {
  const fields = Object.keys(columns) as (keyof Columns & keyof Row & string)[];
  const shapes = new Map<number, Template<Update<Row>, unknown>>();
  return (update) => {
    const shape = shapeOf(fields, update);
    if (shape === 0) return undefined;
    const known = shapes.get(shape);
    if (known !== undefined) return known;
    const changed = fields.filter((field) => update.before[field] !== update.after[field]);
    const some = Object.fromEntries(changed.map((field) => [field, columns[field]])) as unknown as Columns;
    const compiled = template<Update<Row>, unknown>((param) => build(param, some));
    shapes.set(shape, compiled);
    return compiled;
  };
}

/** The statement for an update; `undefined` where nothing differs. */
export type UpdateTemplate<Row> = (update: Update<Row>) => Template<Update<Row>, unknown> | undefined;

/** The fields that differ, one bit each. */
function shapeOf<Row>(fields: readonly (keyof Row)[], { before, after }: Update<Row>): number {
  let shape = 0;
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index] as keyof Row;
    if (before[field] !== after[field]) shape |= 1 << index;
  }
  return shape;
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
    insertMemo: template<MemoRecord, unknown>((param) =>
      db.insertInto("heddle_memos").values(columnValues(param, memoColumns, (memo) => memo)),
    ),
    putQuestion: template<QuestionRecord, unknown>((param) =>
      db
        .insertInto("heddle_questions")
        .values(columnValues(param, questionColumns, (question) => question))
        .onConflict((conflict) =>
          conflict
            .columns(["lineage_id", "key"])
            .doUpdateSet((eb) =>
              Object.fromEntries(
                Object.values(changingQuestionColumns).map((column) => [column, eb.ref(`excluded.${column}`)]),
              ),
            ),
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
