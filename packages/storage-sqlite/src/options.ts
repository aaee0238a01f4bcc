import { HeddleError } from "@heddle/core/storage";
import type BetterSqlite3 from "better-sqlite3";

/**
 * - `full` (default): a commit that returned survives a power cut.
 * - `normal`: it survives the death of the process; the last moments before a power cut may be lost.
 */
export type Synchronous = "full" | "normal";

export interface SqliteStorageOptions {
  /** The database file, created where it is missing; its directory must exist. `:memory:` for one that is private. */
  readonly path?: string;
  /**
   * A better-sqlite3 connection of the host's instead. It is used as it is: its journal mode and settings stay, and
   * the host closes it. While an `engine.transaction` is open the host must not use it for anything else.
   */
  readonly database?: BetterSqlite3.Database;
  readonly synchronous?: Synchronous;
}

export type Target =
  | { readonly kind: "file"; readonly path: string; readonly synchronous: Synchronous }
  | { readonly kind: "memory" }
  | { readonly kind: "host"; readonly database: BetterSqlite3.Database; readonly synchronous: Synchronous | undefined };

export type SqliteSource = string | BetterSqlite3.Database | SqliteStorageOptions;

/** @throws HeddleError INVALID_ARGUMENT */
export function targetOf(source: SqliteSource): Target {
  if (typeof source === "string") return targetOf({ path: source });
  if (typeof source !== "object" || source === null) throw invalid("source", "a path, a connection, or options");
  if (isDatabase(source)) return targetOf({ database: source });
  const { path, database, synchronous } = source;
  checkSynchronous(synchronous);
  if ((path === undefined) === (database === undefined)) throw invalid("path", "given, or else database, not both");
  if (database !== undefined) return hostTarget(database, synchronous);
  if (typeof path !== "string" || path === "" || path.includes("\0")) throw invalid("path", "a file's path");
  if (path === ":memory:") return { kind: "memory" };
  return { kind: "file", path, synchronous: synchronous ?? "full" };
}

function hostTarget(database: unknown, synchronous: Synchronous | undefined): Target {
  if (!isDatabase(database)) throw invalid("database", "a better-sqlite3 connection");
  return { kind: "host", database, synchronous };
}

/** By what it can do: the host's copy of better-sqlite3 need not be ours. */
function isDatabase(value: unknown): value is BetterSqlite3.Database {
  return (
    typeof value === "object" && value !== null && "prepare" in value && "pragma" in value && "inTransaction" in value
  );
}

function checkSynchronous(value: unknown): void {
  if (value !== undefined && value !== "full" && value !== "normal") throw invalid("synchronous", '"full" or "normal"');
}

function invalid(field: string, expected: string): HeddleError {
  return new HeddleError("INVALID_ARGUMENT", `sqliteStorage: ${field} must be ${expected}.`, { details: { field } });
}
