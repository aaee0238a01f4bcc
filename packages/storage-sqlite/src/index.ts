export { sqliteStorage } from "./sqlite-storage.js";
export type { SqliteHost } from "./host.js";
export type { SqliteSource, SqliteStorageOptions, Synchronous } from "./options.js";
