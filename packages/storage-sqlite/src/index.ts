export type { SqliteHost } from "./host.js";
export type { SqliteSource, SqliteStorageOptions, Synchronous } from "./options.js";
export { sqliteStorage } from "./sqlite-storage.js";
