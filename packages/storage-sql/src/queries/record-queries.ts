/**
 * What a unit of work reads, one query per method of `RecordReader`. They lock nothing: a database on which several
 * transactions write at once has statements of its own for what it locks.
 *
 * Conditions of partial indexes are literals: a database picks such an index only where it can see that it fits.
 */

import type {
  CheckpointHead,
  CheckpointLink,
  ClaimQuery,
  KeyRecord,
  KeyRef,
  MemoRecord,
  MemoRef,
  OriginRecord,
  QuestionRecord,
  TombstoneRecord,
} from "@heddle/core/storage";
import { sql } from "kysely";
import {
  checkpointHeadColumns,
  keyColumns,
  memoColumns,
  originColumns,
  questionColumns,
  runColumns,
  selection,
  threadColumns,
  tombstoneColumns,
} from "../columns.js";
import type { QueryBuilder } from "../query-builder.js";
import type { RunRow, ThreadRow } from "../rows.js";
import type { Param } from "../template.js";
import { paramLimit, paramList, template, templatePerCount } from "../template.js";

export type ById = { readonly id: string };
export type ByThread = { readonly threadId: string };
export type ByOwner = { readonly ownerId: string };
export type ByLineage = { readonly lineageId: string };
export type ByQueue = { readonly threadId: string; readonly limit: number };

export function recordQueries(db: QueryBuilder) {
  return {
    ...threadQueries(db),
    ...runQueries(db),
    ...checkpointQueries(db),
    ...keyQueries(db),
    ...questionQueries(db),
  };
}

function threadQueries(db: QueryBuilder) {
  return {
    thread: template<ById, ThreadRow>((param) =>
      db
        .selectFrom("heddle_threads")
        .select(selection(threadColumns))
        .where(
          "id",
          "=",
          param(({ id }) => id),
        )
        .$castTo<ThreadRow>(),
    ),
    tombstone: template<ByThread, TombstoneRecord>((param) =>
      db
        .selectFrom("heddle_tombstones")
        .select(selection(tombstoneColumns))
        .where(
          "thread_id",
          "=",
          param(({ threadId }) => threadId),
        )
        .$castTo<TombstoneRecord>(),
    ),
  };
}

function runQueries(db: QueryBuilder) {
  const runs = db.selectFrom("heddle_runs").select(selection(runColumns));
  return {
    run: template<ById, RunRow>((param) =>
      runs
        .where(
          "id",
          "=",
          param(({ id }) => id),
        )
        .$castTo<RunRow>(),
    ),
    queue: template<ByQueue, RunRow>((param) =>
      runs
        .where(
          "thread_id",
          "=",
          param(({ threadId }) => threadId),
        )
        .where("queue_position", "is not", null)
        .where("steers", "is", null)
        .orderBy("queue_position")
        .limit(paramLimit(param, ({ limit }) => limit))
        .$castTo<RunRow>(),
    ),
    steeredRuns: template<ByThread, RunRow>((param) =>
      runs
        .where(
          "thread_id",
          "=",
          param(({ threadId }) => threadId),
        )
        .where("queue_position", "is not", null)
        .where("steers", "is not", null)
        .orderBy("queue_position")
        .$castTo<RunRow>(),
    ),
    unsettledRuns: template<ByThread, RunRow>((param) =>
      runs
        .where(
          "thread_id",
          "=",
          param(({ threadId }) => threadId),
        )
        .where("status", "in", [sql.lit("pending" as const), sql.lit("running" as const)])
        .$castTo<RunRow>(),
    ),
    claimable: templatePerCount((agents) =>
      template((param: Param<ClaimQuery>) =>
        runs
          .where("status", "=", sql.lit("pending" as const))
          .where("active", "=", sql.lit(1 as const))
          .where(
            "available_at",
            "<=",
            param(({ now }) => now),
          )
          .where(
            "agent",
            "in",
            paramList(param, agents, (query) => query.agents),
          )
          .orderBy("priority", "desc")
          .orderBy("available_at")
          .orderBy("created_at")
          .orderBy("id")
          .limit(paramLimit(param, ({ limit }) => limit))
          .$castTo<RunRow>(),
      ),
    ),
  };
}

function checkpointQueries(db: QueryBuilder) {
  return {
    checkpoint: template<ById, CheckpointHead>((param) =>
      db
        .selectFrom("heddle_checkpoints")
        .select(selection(checkpointHeadColumns))
        .select(sql<number>`coalesce(octet_length(body), 0)`.as("bodyBytes"))
        .where(
          "id",
          "=",
          param(({ id }) => id),
        )
        .$castTo<CheckpointHead>(),
    ),
    checkpointLinks: template<ByThread, CheckpointLink>((param) =>
      db
        .selectFrom("heddle_checkpoints")
        .select(["id", "parent_id as parentId"])
        .where(
          "thread_id",
          "=",
          param(({ threadId }) => threadId),
        ),
    ),
    origin: template<ByThread, OriginRecord>((param) =>
      db
        .selectFrom("heddle_origins")
        .select(selection(originColumns))
        .where(
          "thread_id",
          "=",
          param(({ threadId }) => threadId),
        )
        .$castTo<OriginRecord>(),
    ),
    originsFrom: template<ByOwner, OriginRecord>((param) =>
      db
        .selectFrom("heddle_origins")
        .select(selection(originColumns))
        .where(
          "owner_id",
          "=",
          param(({ ownerId }) => ownerId),
        )
        .$castTo<OriginRecord>(),
    ),
  };
}

function questionQueries(db: QueryBuilder) {
  const questions = db.selectFrom("heddle_questions").select(selection(questionColumns));
  return {
    questions: template<ByLineage, QuestionRecord>((param) =>
      questions
        .where(
          "lineage_id",
          "=",
          param(({ lineageId }) => lineageId),
        )
        .orderBy("key")
        .$castTo<QuestionRecord>(),
    ),
    openQuestions: template<ByQueue, QuestionRecord>((param) =>
      questions
        .where(
          "thread_id",
          "=",
          param(({ threadId }) => threadId),
        )
        .where("status", "=", sql.lit("open" as const))
        .orderBy("asked_at")
        .orderBy("lineage_id")
        .orderBy("key")
        .limit(paramLimit(param, ({ limit }) => limit))
        .$castTo<QuestionRecord>(),
    ),
  };
}

function keyQueries(db: QueryBuilder) {
  return {
    memo: template<MemoRef, MemoRecord>((param) =>
      db
        .selectFrom("heddle_memos")
        .select(selection(memoColumns))
        .where(
          "lineage_id",
          "=",
          param(({ lineageId }) => lineageId),
        )
        .where(
          "kind",
          "=",
          param(({ kind }) => kind),
        )
        .where(
          "key",
          "=",
          param(({ key }) => key),
        )
        .$castTo<MemoRecord>(),
    ),
    memosOf: template<ByLineage & { readonly limit: number }, MemoRecord>((param) =>
      db
        .selectFrom("heddle_memos")
        .select(selection(memoColumns))
        .where(
          "lineage_id",
          "=",
          param(({ lineageId }) => lineageId),
        )
        .orderBy("kind")
        .orderBy("key")
        .limit(paramLimit(param, ({ limit }) => limit))
        .$castTo<MemoRecord>(),
    ),
    key: template<KeyRef, KeyRecord>((param) =>
      db
        .selectFrom("heddle_idempotency_keys")
        .select(selection(keyColumns))
        .where(
          "scope",
          "=",
          param(({ scope }) => scope),
        )
        .where(
          "agent",
          "=",
          param(({ agent }) => agent),
        )
        .where(
          "key",
          "=",
          param(({ key }) => key),
        )
        .$castTo<KeyRecord>(),
    ),
  };
}
