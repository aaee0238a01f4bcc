import { HeddleError } from "@heddle/core/storage";
import type { PgPool } from "./clients.js";

export interface PostgresStorageOptions {
  /** `postgres://user:password@host:5432/database`. A pool is made for it, and ended with the storage. */
  readonly connectionString?: string;
  /** The host's own `pg` pool instead. It is used as it is, and the host ends it. */
  readonly pool?: PgPool;
  /** Connections of the pool that is made. Default 10. */
  readonly connections?: number;
  /** Where the tables are; created where it is missing and may be. Default `heddle`. */
  readonly schema?: string;
  /**
   * Hear of other processes' commits at once (LISTEN/NOTIFY), on a connection of its own. Default true. Where it does
   * not work, as behind a transaction-mode pooler, polling alone is used; a connection string that goes around the
   * pooler, used for listening only, helps.
   */
  readonly listen?: boolean | { readonly connectionString: string };
  /** Use named prepared statements. Default true; false behind a transaction-mode pooler that does not keep them. */
  readonly prepare?: boolean;
  /** ms to wait for a free connection, for a row that somebody holds, or for a server to come back. Default 10,000. */
  readonly wait?: number;
  /**
   * ms that the server may take to answer. A connection that is silent for longer counts as lost, the host's pool's too.
   * Default: a minute more than `wait`.
   */
  readonly queryTimeout?: number;
}

export type PostgresSource = string | PgPool | PostgresStorageOptions;

export interface Settings {
  readonly source: { readonly connectionString: string; readonly connections: number } | { readonly pool: PgPool };
  readonly schema: string;
  readonly listen: boolean | { readonly connectionString: string };
  readonly prepare: boolean;
  readonly wait: number;
  readonly queryTimeout: number;
}

/** What a timer can wait for, ms. */
const longest = 2 ** 31 - 1;

/** @throws HeddleError INVALID_ARGUMENT */
export function settingsOf(source: PostgresSource): Settings {
  if (typeof source === "string") return settingsOf({ connectionString: source });
  if (typeof source !== "object" || source === null) throw invalid("source", "a connection string, a pool, or options");
  if (isPool(source)) return settingsOf({ pool: source });
  const { schema = "heddle", listen = true, prepare = true, wait = 10_000 } = source;
  if (typeof prepare !== "boolean") throw invalid("prepare", "true or false");
  const { queryTimeout = Math.min(checkWait("wait", wait) + 60_000, longest) } = source;
  return {
    source: sourceOf(source),
    schema: checkSchema(schema),
    listen: checkListen(listen),
    prepare,
    wait,
    queryTimeout: checkWait("queryTimeout", queryTimeout),
  };
}

function checkWait(name: string, value: unknown): number {
  if (typeof value === "number" && value >= 1 && value <= longest) return value;
  throw invalid(name, `a number of ms, from 1 to ${longest}`);
}

function sourceOf({ connectionString, pool, connections = 10 }: PostgresStorageOptions): Settings["source"] {
  if ((connectionString === undefined) === (pool === undefined)) {
    throw invalid("connectionString", "given, or else pool, not both");
  }
  if (pool !== undefined) {
    if (!isPool(pool)) throw invalid("pool", "a pool of the package pg");
    return { pool };
  }
  if (typeof connectionString !== "string" || connectionString === "") throw invalid("connectionString", "a text");
  if (!Number.isInteger(connections) || connections < 1) throw invalid("connections", "a whole number, at least 1");
  return { connectionString, connections };
}

/** By what it can do: the host's copy of pg need not be ours. */
function isPool(value: unknown): value is PgPool {
  return typeof value === "object" && value !== null && "connect" in value && typeof value.connect === "function";
}

/** PostgreSQL cuts longer names off, so that two of them may be one. */
export function checkSchema(schema: unknown): string {
  if (!isName(schema) || schema.startsWith("pg_"))
    throw invalid("schema", "a name of at most 63 bytes that does not begin with pg_");
  return schema;
}

export function isName(name: unknown): name is string {
  return typeof name === "string" && name !== "" && !name.includes("\0") && Buffer.byteLength(name) <= 63;
}

function checkListen(listen: unknown): Settings["listen"] {
  if (typeof listen === "boolean") return listen;
  const connectionString = (listen as { readonly connectionString?: unknown } | null)?.connectionString;
  if (typeof connectionString !== "string") throw invalid("listen", "true, false, or { connectionString }");
  return { connectionString };
}

function invalid(field: string, expected: string): HeddleError {
  return new HeddleError("INVALID_ARGUMENT", `postgresStorage: ${field} must be ${expected}.`, { details: { field } });
}
