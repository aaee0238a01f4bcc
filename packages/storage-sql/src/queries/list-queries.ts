/** Lists and counts. Their text depends on the filter, so they are compiled for each call: 20 to 50 µs. */

import type { Page, RunFilter, RunQuery, ThreadFilter, ThreadQuery, ThreadStatus } from "@heddle/core/storage";
import type { CompiledQuery, Expression, ExpressionBuilder, SqlBool } from "kysely";
import { sql } from "kysely";
import { runColumns, selection, threadColumns } from "../columns.js";
import type { MetadataColumn, SqlDialect } from "../dialect.js";
import type { QueryBuilder } from "../query-builder.js";
import type { RunRow, ThreadRow } from "../rows.js";
import type { HeddleTables } from "../schema.js";
import { stored } from "../template.js";

type Conditions = Expression<SqlBool>[];

export class ListQueries {
  readonly #db: QueryBuilder;
  readonly #dialect: SqlDialect;

  constructor(db: QueryBuilder, dialect: SqlDialect) {
    this.#db = db;
    this.#dialect = dialect;
  }

  runs(query: RunQuery): CompiledQuery<RunRow> {
    return this.#db
      .selectFrom("heddle_runs")
      .select(selection(runColumns))
      .where((eb) => eb.and([...this.#runConditions(eb, query), ...behindCursor("created_at", query)]))
      .orderBy("created_at", query.order)
      .orderBy("id", query.order)
      .limit(query.limit)
      .$castTo<RunRow>()
      .compile();
  }

  countRuns(filter: RunFilter): CompiledQuery<{ count: number | string }> {
    return this.#db
      .selectFrom("heddle_runs")
      .select(({ fn }) => fn.countAll<number | string>().as("count"))
      .where((eb) => eb.and(this.#runConditions(eb, filter)))
      .compile();
  }

  threads(query: ThreadQuery): CompiledQuery<ThreadRow> {
    const column = threadColumns[query.sortBy];
    return this.#db
      .selectFrom("heddle_threads")
      .select(selection(threadColumns))
      .where((eb) => eb.and([...this.#threadConditions(eb, query), ...behindCursor(column, query)]))
      .orderBy(column, query.order)
      .orderBy("id", query.order)
      .limit(query.limit)
      .$castTo<ThreadRow>()
      .compile();
  }

  countThreads(filter: ThreadFilter): CompiledQuery<{ count: number | string }> {
    return this.#db
      .selectFrom("heddle_threads")
      .select(({ fn }) => fn.countAll<number | string>().as("count"))
      .where((eb) => eb.and(this.#threadConditions(eb, filter)))
      .compile();
  }

  #runConditions(eb: ExpressionBuilder<HeddleTables, "heddle_runs">, filter: RunFilter): Conditions {
    const { ids, threadId, agent, status, metadata, parentRunId, lineageId, steers, rolledBack, settledBefore } =
      filter;
    const conditions: Conditions = [];
    if (ids !== undefined) conditions.push(eb("id", "in", orNothing(ids)));
    if (threadId === null) conditions.push(eb("thread_id", "is", null));
    else if (threadId !== undefined) conditions.push(eb("thread_id", "=", threadId));
    if (agent !== undefined) conditions.push(eb("agent", "=", agent));
    if (status !== undefined) conditions.push(eb("status", "in", orNothing(status)));
    if (parentRunId !== undefined) conditions.push(eb("parent_run_id", "=", parentRunId));
    // Each half has its index: the first of a lineage bears its name, the others are few.
    if (lineageId !== undefined) {
      const resumed = sql<SqlBool>`(lineage_id = ${lineageId} and lineage_id <> id)`;
      conditions.push(eb.or([eb("id", "=", lineageId), resumed]));
    }
    if (steers !== undefined) conditions.push(eb("steers", "=", steers));
    if (rolledBack !== undefined) conditions.push(eb("rolled_back", "=", stored(rolledBack)));
    if (settledBefore !== undefined) conditions.push(eb("settled_at", "<", settledBefore));
    return [...conditions, ...this.#metadataConditions("heddle_runs.metadata", metadata)];
  }

  #threadConditions(eb: ExpressionBuilder<HeddleTables, "heddle_threads">, filter: ThreadFilter): Conditions {
    const { ids, status, agent, archived, metadata } = filter;
    const conditions: Conditions = [];
    if (ids !== undefined) conditions.push(eb("id", "in", orNothing(ids)));
    if (status !== undefined) conditions.push(eb.or(status.map((one) => hasStatus(eb, one))));
    if (agent !== undefined) conditions.push(eb("last_agent", "=", agent));
    if (archived !== undefined) conditions.push(eb("archived", "=", stored(archived)));
    return [...conditions, ...this.#metadataConditions("heddle_threads.metadata", metadata)];
  }

  #metadataConditions(column: MetadataColumn, metadata: RunFilter["metadata"]): Conditions {
    return Object.entries(metadata ?? {}).map(([key, value]) => this.#dialect.metadataHas(column, key, value));
  }
}

/** The statuses that `threadStatus` derives, as conditions. */
function hasStatus(eb: ExpressionBuilder<HeddleTables, "heddle_threads">, status: ThreadStatus): Expression<SqlBool> {
  if (status === "busy") return eb("active_run_id", "is not", null);
  const isFree = eb("active_run_id", "is", null);
  if (status === "error") return isFree.and("last_outcome", "=", "failed");
  if (status === "interrupted") return isFree.and("last_outcome", "=", "interrupted");
  return isFree.and(eb.or([eb("last_outcome", "is", null), eb("last_outcome", "in", ["succeeded", "canceled"])]));
}

/** Past the cursor, in the page's order. The first half lets the sort column's index find the place. */
function behindCursor<SortKey extends string>(column: string, { after, order }: Page<SortKey>): Conditions {
  if (after === undefined) return [];
  const beyond = order === "asc" ? sql`>` : sql`<`;
  const sortedBy = sql.ref(column);
  return [
    sql<SqlBool>`${sortedBy} ${beyond}= ${after.value}`,
    sql<SqlBool>`(${sortedBy} ${beyond} ${after.value} or ${sql.ref("id")} ${beyond} ${after.id})`,
  ];
}

/** An empty `in ()` is no SQL everywhere; `in (null)` matches nothing either. */
function orNothing<Value>(values: readonly Value[]): readonly Value[] {
  return values.length > 0 ? values : [null as Value];
}
