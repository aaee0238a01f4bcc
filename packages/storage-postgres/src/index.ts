/** PostgreSQL storage for Heddle. */

export type { PostgresHost } from "./host.js";
export type { MigrationSqlOptions } from "./migration-sql.js";
export { migrationSql } from "./migration-sql.js";
export type { PostgresSource, PostgresStorageOptions } from "./options.js";
export type { PostgresStorage } from "./postgres-storage.js";
export { postgresStorage } from "./postgres-storage.js";
