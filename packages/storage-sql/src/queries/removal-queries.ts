/** Removing rows. Idempotency keys outlive their runs: they are marked, and go once their time is over. */

import { streamOf, threadStream } from "@heddle/core/storage";
import { sql } from "kysely";
import type { SqlDialect } from "../dialect.js";
import type { QueryBuilder } from "../query-builder.js";
import { template, timeOf } from "../template.js";
import type { ById, ByThread } from "./record-queries.js";

type ByRunOfLineage = { readonly id: string; readonly lineageId: string };
type Parted = { readonly id: string; readonly body: string | null; readonly valuesBytes: number };
type RunRef = { readonly id: string; readonly threadId: string | null; readonly lineageId: string };

/** The scope that a run's idempotency key was stored under. */
function keyScope(threadId: string | null): string {
  return threadId === null ? "s" : `t:${threadId}`;
}

export function removalQueries(db: QueryBuilder, dialect: SqlDialect) {
  return { ...threadRemovals(db), ...runRemovals(db), ...checkpointRemovals(db), ...purges(db, dialect) };
}

function threadRemovals(db: QueryBuilder) {
  return {
    orphanKeysOfThread: template<ByThread, unknown>((param) =>
      db
        .updateTable("heddle_idempotency_keys")
        .set({ orphaned: sql.lit(1 as const) })
        .where(
          "scope",
          "=",
          param(({ threadId }) => keyScope(threadId)),
        ),
    ),
    deleteMemosOfThread: template<ByThread, unknown>((param) =>
      db.deleteFrom("heddle_memos").where("lineage_id", "in", (eb) =>
        eb
          .selectFrom("heddle_runs")
          .select("lineage_id")
          .where(
            "thread_id",
            "=",
            param(({ threadId }) => threadId),
          ),
      ),
    ),
    deleteQuestionsOfThread: template<ByThread, unknown>((param) =>
      db.deleteFrom("heddle_questions").where(
        "thread_id",
        "=",
        param(({ threadId }) => threadId),
      ),
    ),
    deleteEventsOfThread: template<ByThread, unknown>((param) =>
      db.deleteFrom("heddle_events").where(
        "stream",
        "=",
        param(({ threadId }) => threadStream(threadId)),
      ),
    ),
    deleteRunsOfThread: template<ByThread, unknown>((param) =>
      db.deleteFrom("heddle_runs").where(
        "thread_id",
        "=",
        param(({ threadId }) => threadId),
      ),
    ),
    deleteThread: template<ByThread, unknown>((param) =>
      db.deleteFrom("heddle_threads").where(
        "id",
        "=",
        param(({ threadId }) => threadId),
      ),
    ),
    deleteOrigin: template<ByThread, unknown>((param) =>
      db.deleteFrom("heddle_origins").where(
        "thread_id",
        "=",
        param(({ threadId }) => threadId),
      ),
    ),
    deleteTombstone: template<ByThread, unknown>((param) =>
      db.deleteFrom("heddle_tombstones").where(
        "thread_id",
        "=",
        param(({ threadId }) => threadId),
      ),
    ),
  };
}

function runRemovals(db: QueryBuilder) {
  return {
    orphanKeyOfRun: template<RunRef, unknown>((param) => {
      const run = db.selectFrom("heddle_runs").where(
        "id",
        "=",
        param(({ id }) => id),
      );
      return db
        .updateTable("heddle_idempotency_keys")
        .set({ orphaned: sql.lit(1 as const) })
        .where(
          "scope",
          "=",
          param(({ threadId }) => keyScope(threadId)),
        )
        .where("agent", "=", run.select("agent"))
        .where("key", "=", run.select("idempotency_key").$castTo<{ idempotency_key: string }>())
        .where(
          "run_id",
          "=",
          param(({ id }) => id),
        );
    }),
    /** Only the run's part of the log is searched. */
    blankEventsOfRun: template<RunRef, unknown>((param) => {
      const run = db.selectFrom("heddle_runs").where(
        "id",
        "=",
        param(({ id }) => id),
      );
      return db
        .updateTable("heddle_events")
        .set({ payload: null })
        .where("stream", "=", param(streamOf))
        .where(
          "run_id",
          "=",
          param(({ id }) => id),
        )
        .where("seq", ">=", run.select("first_seq"))
        .where("seq", "<=", run.select("last_seq"));
    }),
    deleteEventsOfRun: template<RunRef, unknown>((param) =>
      db.deleteFrom("heddle_events").where("stream", "=", param(streamOf)),
    ),
    deleteCheckpointsOfRun: template<RunRef, unknown>((param) =>
      db
        .deleteFrom("heddle_checkpoints")
        .where("thread_id", "is", null)
        .where(
          "run_id",
          "=",
          param(({ id }) => id),
        ),
    ),
    deleteMemosOfRun: template<ByRunOfLineage, unknown>((param) =>
      db
        .deleteFrom("heddle_memos")
        .where(
          "lineage_id",
          "=",
          param(({ lineageId }) => lineageId),
        )
        .where(
          "run_id",
          "=",
          param(({ id }) => id),
        ),
    ),
    deleteQuestionsOfRun: template<ByRunOfLineage, unknown>((param) =>
      db
        .deleteFrom("heddle_questions")
        .where(
          "lineage_id",
          "=",
          param(({ lineageId }) => lineageId),
        )
        .where(
          "run_id",
          "=",
          param(({ id }) => id),
        ),
    ),
    deleteRun: template<RunRef, unknown>((param) =>
      db.deleteFrom("heddle_runs").where(
        "id",
        "=",
        param(({ id }) => id),
      ),
    ),
  };
}

function checkpointRemovals(db: QueryBuilder) {
  return {
    deleteCheckpoint: template<ById, unknown>((param) =>
      db.deleteFrom("heddle_checkpoints").where(
        "id",
        "=",
        param(({ id }) => id),
      ),
    ),
    partCheckpoint: template<ById, unknown>((param) =>
      db
        .updateTable("heddle_checkpoints")
        .set({ parent_id: null })
        .where(
          "id",
          "=",
          param(({ id }) => id),
        ),
    ),
    makeWhole: template<Parted, unknown>((param) =>
      db
        .updateTable("heddle_checkpoints")
        .set({
          parent_id: null,
          encoding: sql.lit("snapshot" as const),
          body: param(({ body }) => body),
          values_bytes: param(({ valuesBytes }) => valuesBytes),
        })
        .where(
          "id",
          "=",
          param(({ id }) => id),
        ),
    ),
    deleteCheckpointsOfThread: template<ByThread, unknown>((param) =>
      db.deleteFrom("heddle_checkpoints").where(
        "thread_id",
        "=",
        param(({ threadId }) => threadId),
      ),
    ),
  };
}

function purges(db: QueryBuilder, dialect: SqlDialect) {
  return {
    purgeKeys: template<{ readonly now: number }, unknown>((param) =>
      db
        .deleteFrom("heddle_idempotency_keys")
        .where("orphaned", "=", sql.lit(1 as const))
        .where("keep_until", "<=", timeOf(dialect, param)),
    ),
    purgeTombstones: template<{ readonly now: number }, unknown>((param) =>
      db.deleteFrom("heddle_tombstones").where("keep_until", "<=", timeOf(dialect, param)),
    ),
  };
}
