/** A database by its name, as programs get it as an argument: a file's path, or JSON with a connection string and a schema. */

import type { Storage } from "@heddle/core/storage";
import { postgresStorage } from "@heddle/storage-postgres";
import { sqliteStorage } from "@heddle/storage-sqlite";

export interface PostgresDatabase {
  readonly connectionString: string;
  readonly schema: string;
  /** Default true. */
  readonly listen?: boolean;
}

export function storageAt(database: string): Storage {
  if (!database.startsWith("{")) return sqliteStorage(database) as Storage;
  return postgresStorage(JSON.parse(database) as PostgresDatabase) as Storage;
}
