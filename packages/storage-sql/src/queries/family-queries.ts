/**
 * What a run's end owes to its family and may have left undone because a process died: the parent that waits for it is
 * woken, the children that it left behind are canceled.
 */

import type { SettledStatus } from "@heddle/core/storage";
import type { Expression, SqlBool } from "kysely";
import { expressionBuilder, sql } from "kysely";
import type { SqlDialect } from "../dialect.js";
import type { QueryBuilder } from "../query-builder.js";
import { paramLimit, template, timeOf } from "../template.js";
import type { DueParams } from "./work-queries.js";

export interface WakeRow {
  readonly runId: string;
  readonly threadId: string | null;
  readonly childDone: string;
}

export interface OrphanRow {
  readonly runId: string;
  readonly threadId: string | null;
  readonly parentRunId: string;
}

const one = sql.lit(1).as("one");
const is = expressionBuilder();

export function familyQueries(db: QueryBuilder, dialect: SqlDialect) {
  return {
    dueWakes: template<DueParams, WakeRow>((param) =>
      db
        .selectFrom(
          db
            .selectFrom("heddle_runs as parent")
            .select(["parent.id", "parent.thread_id", "parent.available_at", childDone(db, dialect).as("childDone")])
            .where("parent.awaits", "is not", null)
            .where("parent.available_at", ">", timeOf(dialect, param))
            .as("waiting"),
        )
        .select(["id as runId", "thread_id as threadId", "childDone"])
        .where("childDone", "is not", null)
        .orderBy("available_at")
        .orderBy("id")
        .limit(paramLimit(param, ({ limit }) => limit))
        .$narrowType<{ childDone: string }>(),
    ),
    dueOrphans: template<DueParams, OrphanRow>((param) => {
      const parent = sql.ref<string>("parent.parent_run_id");
      return db
        .selectFrom(parents(db).as("parent"))
        .innerJoin("heddle_runs as child", "child.parent_run_id", "parent.parent_run_id")
        .where("child.parent_run_id", "is not", null)
        .where("child.settled_at", "is", null)
        .where("child.cancel_requested_at", "is", null)
        .where(is.or([hasEnded(db, parent, ["failed", "canceled"]), threadIsGone(db)]))
        .select(["child.id as runId", "child.thread_id as threadId", parent.as("parentRunId")])
        .orderBy("child.id")
        .limit(paramLimit(param, ({ limit }) => limit));
    }),
  };
}

/** One of the lineages that the run waits for. */
function childDone(db: QueryBuilder, dialect: SqlDialect) {
  const child = sql.ref<string>("child.value");
  return db
    .selectFrom(dialect.elementsOf(sql.ref("parent.awaits")).as("child"))
    .select(({ fn }) => fn.min(child).as("value"))
    .where(is.or([hasEnded(db, child, ["succeeded", "failed", "canceled"]), isGone(db, child)]));
}

/** Each once, however many children it has. */
function parents(db: QueryBuilder) {
  return db
    .selectFrom("heddle_runs")
    .select(({ fn }) => ["parent_run_id", "parent_thread_id", fn.min("created_at").as("since")])
    .where("parent_run_id", "is not", null)
    .where("settled_at", "is", null)
    .where("cancel_requested_at", "is", null)
    .groupBy(["parent_run_id", "parent_thread_id"]);
}

/** `endsLineage` of the model, for one of these statuses. Each half has its index. */
function hasEnded(
  db: QueryBuilder,
  lineage: Expression<string>,
  statuses: readonly SettledStatus[],
): Expression<SqlBool> {
  const ends = statuses.map((status) => sql.lit(status));
  return is.or([
    is.exists(first(db, lineage).where("first.status", "in", ends)),
    is.exists(
      later(db, lineage)
        .where("later.status", "in", ends)
        .where("later.rolled_back", "=", sql.lit(0 as const)),
    ),
  ]);
}

function isGone(db: QueryBuilder, lineage: Expression<string>): Expression<SqlBool> {
  return is.not(is.or([is.exists(first(db, lineage)), is.exists(later(db, lineage))]));
}

function first(db: QueryBuilder, lineage: Expression<string>) {
  return db.selectFrom("heddle_runs as first").select(one).where("first.id", "=", lineage);
}

function later(db: QueryBuilder, lineage: Expression<string>) {
  return db
    .selectFrom("heddle_runs as later")
    .select(one)
    .where("later.lineage_id", "=", lineage)
    .where(sql<SqlBool>`later.lineage_id <> later.id`);
}

/** Deleted; one that was made anew under the id since is another. */
function threadIsGone(db: QueryBuilder): Expression<SqlBool> {
  const home = db
    .selectFrom("heddle_threads as thread")
    .select(one)
    .where("thread.id", "=", sql.ref<string>("parent.parent_thread_id"))
    .where("thread.created_at", "<=", sql.ref<number>("parent.since"));
  return is.and([sql<SqlBool>`parent.parent_thread_id is not null`, is.not(is.exists(home))]);
}
