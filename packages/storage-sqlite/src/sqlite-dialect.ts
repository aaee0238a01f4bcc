/** What SQLite does in its own way. */

import type { MetadataColumn, SqlDialect } from "@heddle/storage-sql";
import type { Expression, SqlBool } from "kysely";
import { SqliteAdapter, SqliteQueryCompiler, sql } from "kysely";

export const sqliteDialect: SqlDialect = {
  createAdapter: () => new SqliteAdapter(),
  createQueryCompiler: () => new SqliteQueryCompiler(),
  keyText: "text", // compared byte by byte unless told otherwise
  clusteredTable: sql`without rowid`,
  elementsOf: (column) => sql`json_each(${column})`,
  metadataHas,
};

/** `json_each` names the type of each entry, so no path syntax and no coercion can make two values look alike. */
function metadataHas(column: MetadataColumn, key: string, value: string | number | boolean): Expression<SqlBool> {
  const entries = sql`select 1 from json_each(${sql.ref(column)}) as entry where entry.key = ${key}`;
  return sql<SqlBool>`exists (${entries} and ${isValue(value)})`;
}

function isValue(value: string | number | boolean): Expression<SqlBool> {
  if (typeof value === "boolean") return sql<SqlBool>`entry.type = ${String(value)}`;
  if (typeof value === "string") return sql<SqlBool>`entry.type = 'text' and entry.atom = ${value}`;
  return sql<SqlBool>`entry.type in ('integer', 'real') and entry.atom = ${value}`;
}
