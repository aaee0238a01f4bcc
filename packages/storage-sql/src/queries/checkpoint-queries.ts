/** Walks up the tree of checkpoints. The walk carries ids only; bodies are joined to what it found. */

import type { CheckpointHead, CheckpointPage, CheckpointRecord } from "@heddle/core/storage";
import type { SqlBool } from "kysely";
import { sql } from "kysely";
import { checkpointHeadColumns, selection } from "../columns.js";
import type { QueryBuilder } from "../query-builder.js";
import { paramLimit, template } from "../template.js";
import type { ByThread } from "./record-queries.js";

export type ByChain = { readonly id: string; readonly since: string | undefined };
export type ByCheckpoints = ByThread & Required<CheckpointPage>;
export type ByHistory = { readonly id: string; readonly limit: number };
/** `depth`: steps up from where the walk began. */
export type ChainRow = Pick<CheckpointRecord, "id" | "encoding" | "body" | "valuesBytes" | "parentId"> & {
  readonly depth: number;
};

function ofThread(db: QueryBuilder, threadId: string) {
  return db
    .selectFrom("heddle_checkpoints")
    .select(selection(checkpointHeadColumns))
    .select(sql<number>`coalesce(octet_length(body), 0)`.as("bodyBytes"))
    .where("thread_id", "=", threadId)
    .orderBy("seq", "desc")
    .orderBy("id", "desc");
}

export function checkpointQueries(db: QueryBuilder) {
  return {
    /**
     * From the nearest snapshot, the root, or behind `since`, which is another checkpoint. `checkpointChain` sorts, so
     * that no database moves bodies about.
     */
    chain: template<ByChain, ChainRow>((param) =>
      db
        .withRecursive("walk", (walk) =>
          walk
            .selectFrom("heddle_checkpoints as c")
            .select(["c.id", "c.parent_id", "c.encoding", sql<number>`0`.as("depth")])
            .where(
              "c.id",
              "=",
              param(({ id }) => id),
            )
            .where(
              "c.id",
              "is distinct from",
              param(({ since }) => since ?? null),
            )
            .unionAll((union) =>
              union
                .selectFrom("walk as w")
                .innerJoin("heddle_checkpoints as c", "c.id", "w.parent_id")
                .select(["c.id", "c.parent_id", "c.encoding", sql<number>`w.depth + 1`.as("depth")])
                .where("w.encoding", "!=", sql.lit("snapshot" as const))
                .where(
                  "c.id",
                  "is distinct from",
                  param(({ since }) => since ?? null),
                ),
            ),
        )
        .selectFrom("walk as w")
        .innerJoin("heddle_checkpoints as c", "c.id", "w.id")
        .select([
          "c.id",
          "c.encoding",
          "c.body",
          "c.values_bytes as valuesBytes",
          "c.parent_id as parentId",
          "w.depth",
        ]),
    ),
    ofThread: template<ByThread & { readonly limit: number }, CheckpointHead>((param) =>
      ofThread(
        db,
        param(({ threadId }) => threadId),
      )
        .limit(paramLimit(param, ({ limit }) => limit))
        .$castTo<CheckpointHead>(),
    ),
    ofThreadAfter: template<ByCheckpoints, CheckpointHead>((param) =>
      ofThread(
        db,
        param(({ threadId }) => threadId),
      )
        .where(sql<SqlBool>`(seq, id) < (${param(({ after }) => after.seq)}, ${param(({ after }) => after.id)})`)
        .limit(paramLimit(param, ({ limit }) => limit))
        .$castTo<CheckpointHead>(),
    ),
    /** Newest first. */
    history: template<ByHistory, CheckpointHead>((param) =>
      db
        .withRecursive("walk", (walk) =>
          walk
            .selectFrom("heddle_checkpoints as c")
            .select(["c.id", "c.parent_id", sql<number>`1`.as("depth")])
            .where(
              "c.id",
              "=",
              param(({ id }) => id),
            )
            .unionAll((union) =>
              union
                .selectFrom("walk as w")
                .innerJoin("heddle_checkpoints as c", "c.id", "w.parent_id")
                .select(["c.id", "c.parent_id", sql<number>`w.depth + 1`.as("depth")])
                .where(
                  "w.depth",
                  "<",
                  param(({ limit }) => limit),
                ),
            ),
        )
        .selectFrom("walk as w")
        .innerJoin("heddle_checkpoints as c", "c.id", "w.id")
        .select(selection(checkpointHeadColumns).map((column) => `c.${column}` as const))
        .select(sql<number>`coalesce(octet_length(c.body), 0)`.as("bodyBytes"))
        .orderBy("w.depth")
        .$castTo<CheckpointHead>(),
    ),
  };
}
