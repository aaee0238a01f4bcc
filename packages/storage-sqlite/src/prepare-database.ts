/** From a file that was just opened to one that is Heddle's: refuse, set up, migrate. */

import { HeddleError } from "@heddle/core/storage";
import type { Migration, PlannedStatement } from "@heddle/storage-sql";
import {
  appliedVersions,
  migrationStatements,
  migrations,
  migrationsTable,
  missingMigrations,
} from "@heddle/storage-sql";
import type { Connection, Retry } from "./connection.js";
import type { Synchronous } from "./options.js";
import { queryBuilder } from "./queries.js";
import { sqliteDialect } from "./sqlite-dialect.js";

/** The first with `octet_length`. */
const oldest = { major: 3, minor: 43 };

export interface Preparation {
  readonly synchronous: Synchronous | undefined;
  readonly now: () => number;
}

/** Reads before it writes: a database that is refused is not changed, not even its journal mode. */
export function prepareDatabase(connection: Connection, { synchronous, now }: Preparation): Promise<void> {
  return connection.alone(async (retry) => {
    await retry(() => requireVersion(connection));
    const missing = await retry(() => missingIn(connection));
    if (connection.isOurs) await useWriteAheadLog(connection, retry);
    if (synchronous !== undefined) await retry(() => connection.database.pragma(`synchronous = ${synchronous}`));
    if (missing.length > 0) await retry(() => connection.transact(() => migrate(connection, now())));
  });
}

/** A host may bring an older SQLite than ours. */
function requireVersion({ database }: Connection): void {
  const version = String(database.prepare("select sqlite_version()").pluck().get());
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > oldest.major || (major === oldest.major && minor >= oldest.minor)) return;
  const message = `Heddle needs SQLite ${oldest.major}.${oldest.minor}; the connection is of SQLite ${version}. Update better-sqlite3.`;
  throw new HeddleError("STORAGE_UNAVAILABLE", message, { details: { version } });
}

/** Readers and the writer do not wait for each other, and a commit is one write to one file. */
async function useWriteAheadLog({ database }: Connection, retry: Retry): Promise<void> {
  await retry(() => database.pragma("journal_mode = wal"));
}

function missingIn(connection: Connection): readonly Migration[] {
  const tables = connection.database
    .prepare<[], { name: string }>(
      "select name from sqlite_master where type = 'table' and name like 'heddle\\_%' escape '\\'",
    )
    .all();
  if (tables.some(({ name }) => name === "heddle_migrations"))
    return missingMigrations(versionsIn(connection), migrations);
  const [stranger] = tables;
  if (stranger === undefined) return migrations;
  throw new HeddleError(
    "STORAGE_FOREIGN",
    `The database has a table "${stranger.name}" that Heddle did not make. It was left as it is. Choose another file.`,
    { details: { table: stranger.name } },
  );
}

function versionsIn({ database }: Connection): number[] {
  const { sql } = appliedVersions(queryBuilder);
  return database
    .prepare<[], { version: number }>(sql)
    .safeIntegers(false)
    .all()
    .map(({ version }) => version);
}

/** Under the writer's lock: a rival may have migrated while this one waited for it. */
function migrate(connection: Connection, now: number): void {
  run(connection, migrationsTable(queryBuilder));
  for (const migration of missingMigrations(versionsIn(connection), migrations)) {
    const context = { db: queryBuilder, dialect: sqliteDialect, now };
    for (const statement of migrationStatements(migration, context)) run(connection, statement);
  }
}

function run({ database }: Connection, { sql, parameters }: PlannedStatement): void {
  database.prepare(sql).run(parameters);
}
