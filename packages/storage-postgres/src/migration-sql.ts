import { HeddleError } from "@heddle/core/storage";
import type { PlannedStatement } from "@heddle/storage-sql";
import { migrationStatements, migrations, migrationsTable } from "@heddle/storage-sql";
import { queryBuilderOf } from "./database.js";
import { lockStatement } from "./migrate.js";
import { checkSchema, isName } from "./options.js";
import { postgresDialect } from "./postgres-dialect.js";
import { quoteName, quoteText, SchemaNames } from "./schema-names.js";

export interface MigrationSqlOptions {
  /** Default `heddle`. */
  readonly schema?: string;
  /** The newest version that the database has; default 0, an empty database. Column `version` of `heddle_migrations`. */
  readonly from?: number;
  /** The role of the running engines: it is granted what it needs, and no more. */
  readonly role?: string;
}

/**
 * The schema as a script, for hosts whose engines may not create anything: run it with psql as a role that may.
 *
 * @example
 * ```ts
 * console.log(migrationSql({ schema: "heddle", role: "app" }));
 * ```
 * @throws HeddleError INVALID_ARGUMENT
 */
export function migrationSql(options: MigrationSqlOptions = {}): string {
  if (typeof options !== "object" || options === null) throw invalid("options", "an object");
  const { schema = "heddle", from = 0, role } = options;
  if (!Number.isInteger(from) || from < 0) throw invalid("from", "a whole number, at least 0");
  if (role !== undefined && !isName(role)) throw invalid("role", "the name of a role, at most 63 bytes");
  const names = new SchemaNames(checkSchema(schema));
  const db = queryBuilderOf(schema);
  const context = { db, dialect: postgresDialect, now: 0 };
  const steps = migrations.filter(({ version }) => version > from);
  const lines = [
    "begin",
    lockStatement(names),
    `create schema if not exists ${names.quoted}`,
    literal(migrationsTable(db)),
    ...steps.flatMap((step) => migrationStatements(step, context).map(literal)),
    `update ${names.migrations} set applied_at = floor(extract(epoch from now()) * 1000) where applied_at = 0`,
    ...(role === undefined ? [] : grants(names, role)),
    "commit",
  ];
  return `${lines.join(";\n")};\n`;
}

function invalid(field: string, expected: string): HeddleError {
  return new HeddleError("INVALID_ARGUMENT", `migrationSql: ${field} must be ${expected}.`, { details: { field } });
}

function grants({ quoted, tables, migrations: recorded }: SchemaNames, role: string): string[] {
  const grantee = quoteName(role);
  const written = tables.filter((table) => table !== recorded);
  return [
    `grant usage on schema ${quoted} to ${grantee}`,
    `grant select, insert, update, delete on ${written.join(", ")} to ${grantee}`,
    `grant select on ${recorded} to ${grantee}`,
  ];
}

/** The statement with its values written out. */
function literal({ sql, parameters }: PlannedStatement): string {
  return sql.replace(/\$(\d+)/g, (_, place: string) => {
    const value = parameters[Number(place) - 1];
    return typeof value === "number" ? String(value) : quoteText(String(value));
  });
}
