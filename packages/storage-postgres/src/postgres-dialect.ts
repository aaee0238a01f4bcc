/** What PostgreSQL does in its own way. */

import type { MetadataColumn, QueryBuilder, SqlDialect } from "@heddle/storage-sql";
import type { Compilable, Expression, SqlBool } from "kysely";
import { PostgresAdapter, PostgresQueryCompiler, sql } from "kysely";

/** The server's clock, epoch ms. Of the statement: one that waited for a lock before it is over does not count. */
export const serverTime = "floor(extract(epoch from statement_timestamp()) * 1000)::bigint";

export const postgresDialect: SqlDialect = {
  createAdapter: () => new PostgresAdapter(),
  createQueryCompiler: () => new PostgresQueryCompiler(),
  keyText: sql`text collate "C"`,
  clusteredTable: undefined,
  now: (given) => sql<number>`coalesce(cast(${given} as bigint), ${sql.raw(serverTime)})`,
  ownTables,
  elementsOf: (column) => sql`json_array_elements_text(${column}::json)`,
  metadataHas,
};

function ownTables(db: QueryBuilder): readonly Compilable[] {
  return [commits(db), metadataIndex(db, "heddle_threads"), metadataIndex(db, "heddle_runs")];
}

/** Which transactions took place: see commit-marker.ts. */
function commits({ schema }: QueryBuilder): Compilable {
  return schema
    .createTable("heddle_commits")
    .addColumn("id", postgresDialect.keyText, (column) => column.primaryKey().notNull())
    .addColumn("committed", "smallint", (column) => column.notNull());
}

/** Rows without metadata, which are most runs, cost nothing here. */
function metadataIndex({ schema }: QueryBuilder, table: "heddle_threads" | "heddle_runs"): Compilable {
  return schema
    .createIndex(`${table}_metadata`)
    .on(table)
    .using("gin")
    .expression(sql`(metadata::jsonb) jsonb_path_ops`)
    .where(sql<SqlBool>`metadata <> '{}'`);
}

/** jsonb keeps types apart (1, "1", true) and compares numbers by value (1 and 1.0), as JavaScript does. */
function metadataHas(column: MetadataColumn, key: string, value: string | number | boolean): Expression<SqlBool> {
  const wanted = JSON.stringify(Object.fromEntries([[key, value]]));
  const metadata = sql.ref(column);
  return sql<SqlBool>`(${metadata} <> '{}' and ${metadata}::jsonb @> cast(${wanted} as jsonb))`;
}
