/**
 * What a database still lacks. An adapter asks under its lock, with the steps that the database has recorded, and runs
 * the statements in the same transaction: a rival that waited for the lock then finds nothing left to do, and a step
 * that fails half-way leaves nothing behind.
 */

import { HeddleError } from "@heddle/core/storage";
import type { Compilable } from "kysely";
import type { SqlDialect } from "../dialect.js";
import type { QueryBuilder } from "../query-builder.js";
import type { Migration } from "./migration.js";

export interface PlannedStatement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/**
 * @param applied versions that the database has recorded
 * @throws HeddleError STORAGE_NEWER when it has steps that this version of Heddle does not know
 */
export function missingMigrations(applied: readonly number[], known: readonly Migration[]): readonly Migration[] {
  const newest = Math.max(0, ...applied);
  const last = known.at(-1)?.version ?? 0;
  if (newest <= last) return known.filter(({ version }) => !applied.includes(version));
  throw new HeddleError(
    "STORAGE_NEWER",
    `The database has schema version ${newest}, this Heddle knows versions up to ${last}. ` +
      "Nothing was changed. Update the @heddle packages of this program.",
    { details: { found: newest, known: last } },
  );
}

/** The statements of one step, its record in `heddle_migrations` included. */
export function migrationStatements(
  migration: Migration,
  { db, dialect, now }: { readonly db: QueryBuilder; readonly dialect: SqlDialect; readonly now: number },
): readonly PlannedStatement[] {
  const { version, name } = migration;
  const record = db.insertInto("heddle_migrations").values({ version, name, applied_at: now });
  return [...migration.statements(db, dialect), record].map(planned);
}

/** The table that records the steps; made before the first. */
export function migrationsTable({ schema }: QueryBuilder): PlannedStatement {
  return planned(
    schema
      .createTable("heddle_migrations")
      .ifNotExists()
      .addColumn("version", "integer", (column) => column.primaryKey().notNull())
      .addColumn("name", "text", (column) => column.notNull())
      .addColumn("applied_at", "bigint", (column) => column.notNull()),
  );
}

export function appliedVersions(db: QueryBuilder): PlannedStatement {
  return planned(db.selectFrom("heddle_migrations").select("version").orderBy("version"));
}

function planned(query: Compilable): PlannedStatement {
  const { sql, parameters } = query.compile();
  return { sql, parameters };
}
