/** What a thread takes: rows, and bytes of their texts, one row of the answer per kind. */

import type { ThreadUsage } from "@heddle/core/storage";
import { threadStream } from "@heddle/core/storage";
import type { RawBuilder } from "kysely";
import { sql } from "kysely";
import type { QueryBuilder } from "../query-builder.js";
import type { Param } from "../template.js";
import { template } from "../template.js";
import type { ByThread } from "./record-queries.js";

export interface UsageRow {
  readonly kind: keyof ThreadUsage;
  readonly rows: number | string;
  readonly bytes: number | string;
}

export function usageQueries(db: QueryBuilder) {
  return {
    usage: template<ByThread, UsageRow>((param) =>
      runUsage(db, param)
        .unionAll(eventUsage(db, param))
        .unionAll(checkpointUsage(db, param))
        .unionAll(memoUsage(db, param))
        .unionAll(questionUsage(db, param)),
    ),
  };
}

function runUsage(db: QueryBuilder, param: Param<ByThread>) {
  return db
    .selectFrom("heddle_runs")
    .select(usage("runs", ["input", "config", "metadata", "policy", "output", "error", "cancel_reason", "awaits"]))
    .where(
      "thread_id",
      "=",
      param(({ threadId }) => threadId),
    );
}

function eventUsage(db: QueryBuilder, param: Param<ByThread>) {
  return db
    .selectFrom("heddle_events")
    .select(usage("events", ["payload"]))
    .where(
      "stream",
      "=",
      param(({ threadId }) => threadStream(threadId)),
    );
}

function checkpointUsage(db: QueryBuilder, param: Param<ByThread>) {
  return db
    .selectFrom("heddle_checkpoints")
    .select(usage("checkpoints", ["body"]))
    .where(
      "thread_id",
      "=",
      param(({ threadId }) => threadId),
    );
}

function memoUsage(db: QueryBuilder, param: Param<ByThread>) {
  return db
    .selectFrom("heddle_memos")
    .select(usage("memos", ["key", "body"]))
    .where("lineage_id", "in", lineages(db, param));
}

function questionUsage(db: QueryBuilder, param: Param<ByThread>) {
  return db
    .selectFrom("heddle_questions")
    .select(usage("questions", ["key", "payload", "schema", "answer"]))
    .where("lineage_id", "in", lineages(db, param));
}

function lineages(db: QueryBuilder, param: Param<ByThread>) {
  return db
    .selectFrom("heddle_runs")
    .select("lineage_id")
    .where(
      "thread_id",
      "=",
      param(({ threadId }) => threadId),
    );
}

function usage(kind: keyof ThreadUsage, texts: readonly string[]) {
  const sizes = texts.map((text): RawBuilder<number> => sql`coalesce(octet_length(${sql.ref(text)}), 0)`);
  const bytes = sql<number>`coalesce(sum(${sql.join(sizes, sql` + `)}), 0)`;
  return [
    sql.lit(kind).as("kind"),
    sql<number>`cast(count(*) as bigint)`.as("rows"),
    sql<number>`cast(${bytes} as bigint)`.as("bytes"),
  ] as const;
}

/** @param rows what the `usage` query found */
export function toUsage(rows: readonly UsageRow[]): ThreadUsage {
  const of = (wanted: keyof ThreadUsage): ThreadUsage[keyof ThreadUsage] => {
    const row = rows.find(({ kind }) => kind === wanted);
    return { rows: Number(row?.rows ?? 0), bytes: Number(row?.bytes ?? 0) };
  };
  return {
    runs: of("runs"),
    events: of("events"),
    checkpoints: of("checkpoints"),
    memos: of("memos"),
    questions: of("questions"),
  };
}
