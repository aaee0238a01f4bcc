/**
 * From whatever is there to the schema that this version needs. Rivals wait for each other at a lock that belongs to the
 * transaction; each step is recorded in the transaction that makes it. Where nothing is missing nothing is created, so
 * that the role of a running engine needs no right to create.
 */

import { HeddleError } from "@heddle/core/storage";
import type { Migration, PlannedStatement } from "@heddle/storage-sql";
import {
  appliedVersions,
  migrationStatements,
  migrations,
  migrationsTable,
  missingMigrations,
} from "@heddle/storage-sql";
import type { Clients } from "./clients.js";
import { queryBuilderOf } from "./database.js";
import { postgresDialect } from "./postgres-dialect.js";
import { quoteText, type SchemaNames } from "./schema-names.js";
import type { ClientSession } from "./session.js";
import { type Row, Statements } from "./statement.js";
import { sqlState } from "./storage-errors.js";

/** ms; a rival's migration may take its time. */
const rivalsTakeAtMost = 60_000;

const texts = new Statements(false);

export async function migrate(clients: Clients, names: SchemaNames): Promise<void> {
  const missing = await clients.use((session) => missingIn(session, names));
  if (missing.length > 0) await clients.use((session) => migrateUnderLock(session, names));
}

/** The lock of migrations, by the schema's name: 64 bits of a hash. */
export function lockStatement({ schema }: SchemaNames): string {
  return `select pg_advisory_xact_lock(hashtextextended(${quoteText(`heddle migrations of ${schema}`)}, 0))`;
}

async function missingIn(session: ClientSession, names: SchemaNames): Promise<readonly Migration[]> {
  const { sql, parameters } = appliedVersions(queryBuilderOf(names.schema));
  try {
    const [answer] = await session.run([texts.once(sql, parameters)]);
    return missingMigrations(versionsOf(answer?.rows), migrations);
  } catch (error) {
    if (["42P01", "3F000"].includes(sqlState(error))) return migrations;
    if (sqlState(error) === "42703") throw foreign(names, "heddle_migrations");
    throw error;
  }
}

function versionsOf(rows: readonly Row[] = []): number[] {
  return rows.map((row) => row["version"] as number);
}

async function migrateUnderLock(session: ClientSession, names: SchemaNames): Promise<void> {
  session.isInTransaction = true;
  await run(session, "begin isolation level read committed read write");
  await run(session, `select set_config('lock_timeout', '${rivalsTakeAtMost}', true)`);
  await run(session, lockStatement(names));
  await createSchema(session, names);
  const db = queryBuilderOf(names.schema);
  await runPlanned(session, migrationsTable(db));
  const missing = await missingIn(session, names);
  for (const migration of missing) {
    for (const statement of migrationStatements(migration, { db, dialect: postgresDialect, now: Date.now() })) {
      await runPlanned(session, statement);
    }
  }
  await run(session, "commit");
  session.isInTransaction = false;
}

/** `create schema if not exists` asks for the right to create even where there is nothing to create. */
async function createSchema(session: ClientSession, names: SchemaNames): Promise<void> {
  const sql =
    "select (select count(*) from pg_namespace where nspname = $1) as schemas, " +
    "(select string_agg(tablename, ', ') from pg_tables where schemaname = $1 and tablename like 'heddle\\_%' " +
    "and to_regclass($2) is null) as strangers";
  const [answer] = await session.run([texts.once(sql, [names.schema, names.migrations])]);
  const { schemas, strangers } = answer?.rows[0] ?? {};
  if (strangers !== null) throw foreign(names, String(strangers));
  if (schemas === 0) await run(session, `create schema if not exists ${names.quoted}`);
}

function foreign({ schema }: SchemaNames, tables: string): HeddleError {
  return new HeddleError(
    "STORAGE_FOREIGN",
    `Schema "${schema}" has tables that Heddle did not make (${tables}). Nothing was changed. Choose another schema.`,
    { details: { schema, tables } },
  );
}

async function run(session: ClientSession, sql: string): Promise<void> {
  await session.run([texts.once(sql, [])]);
}

async function runPlanned(session: ClientSession, { sql, parameters }: PlannedStatement): Promise<void> {
  await session.run([texts.once(sql, parameters)]);
}
