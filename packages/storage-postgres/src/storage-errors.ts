/** PostgreSQL's errors as Heddle's, each with what to do about it. */

import type { HeddleErrorCode } from "@heddle/core/storage";
import { HeddleError } from "@heddle/core/storage";

/** No connection of the pool became free in time. */
export class PoolExhausted extends Error {
  override readonly name = "PoolExhausted";
}

/** The driver failed, and not the server: there is no connection, or none any more. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/** Errors of the driver as what they mean; the server's own as they are. */
export function driverError(error: unknown): unknown {
  if (sqlState(error) !== "" || error instanceof PoolExhausted) return error;
  return new ConnectionLost(reasonOf(error), { cause: error });
}

/** The connection broke while the commit was on its way: nobody has looked yet what became of it. */
export class CommitInDoubt extends Error {
  override readonly name = "CommitInDoubt";
}

/** SQLSTATE; empty for errors that the server did not send. */
export function sqlState(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return "";
  return /^[0-9A-Z]{5}$/.test(error.code) ? error.code : "";
}

/**
 * The connection is gone or going, whoever ended it. What was on its way may have been done or not.
 * (57P0x: ended by an administrator, a crash, a shutdown; 25P03/25P04: by a time limit; 08: the connection itself.)
 */
export function isConnectionLoss(error: unknown): boolean {
  if (error instanceof ConnectionLost || error instanceof CommitInDoubt) return true;
  const state = sqlState(error);
  if (state === "") return false;
  return /^(08|57P0|25P0[34])/.test(state) || isFatal(error);
}

function isFatal(error: unknown): boolean {
  const severity = (error as { readonly severity?: unknown }).severity;
  return severity === "FATAL" || severity === "PANIC";
}

/** Somebody held a lock for longer than we wanted to wait. */
export function isLockTimeout(error: unknown): boolean {
  return sqlState(error) === "55P03";
}

/** A statement that makes sure of something did not find it so: it divides by zero, see ensured.ts. */
export function isFailedCheck(error: unknown): boolean {
  return sqlState(error) === "22012";
}

/** Another transaction was faster, or this one lost a deadlock: a new try sees what the other wrote. */
export function isConflict(error: unknown): boolean {
  const state = sqlState(error);
  if (state === "40001" || state === "40P01" || isFailedCheck(error)) return true;
  return (
    state === "23505" && /heddle_(threads|memos)_/.test(String((error as { readonly constraint?: unknown }).constraint))
  );
}

/** The server does not know the statement as it was prepared: a migration, or a pooler that gave us another connection. */
export function isStaleStatement(error: unknown): boolean {
  const state = sqlState(error);
  if (state === "26000" || state === "42P05") return true;
  return state === "0A000" && (error as Error).message.includes("cached plan");
}

interface Fault {
  readonly code: HeddleErrorCode;
  readonly message: string;
}

/** By SQLSTATE or its beginning, the longest match first. */
const faults: Readonly<Record<string, Fault>> = {
  "0A000": { code: "STORAGE_ERROR", message: "The server does not support this." },
  "08": { code: "STORAGE_UNAVAILABLE", message: "The connection to PostgreSQL broke." },
  "25006": {
    code: "STORAGE_READONLY",
    message: "The database takes no writes: it is a standby, or read-only. Connect to the primary.",
  },
  "25P03": { code: "STORAGE_BUSY", message: "The transaction did nothing for too long and was ended by the server." },
  "25P04": { code: "STORAGE_BUSY", message: "The transaction took longer than the server allows." },
  "26000": stale(),
  "28": {
    code: "STORAGE_UNAVAILABLE",
    message: "PostgreSQL refused the login. Check user and password in the connection string, and pg_hba.conf.",
  },
  "3D000": {
    code: "STORAGE_UNAVAILABLE",
    message: "There is no such database. Create it, or correct the connection string.",
  },
  "40": busyWith("another transaction again and again"),
  "42501": {
    code: "STORAGE_READONLY",
    message:
      "The database role lacks rights. Grant it usage on the schema, and select, insert, update and delete on its tables; " +
      "migrationSql() prints what a role with more rights must run.",
  },
  "42P01": missing(),
  "42703": missing(),
  "3F000": missing(),
  "42P05": stale(),
  "53100": {
    code: "STORAGE_FULL",
    message: "The disk of the PostgreSQL server is full. Nothing was written. Free some space.",
  },
  "53200": { code: "STORAGE_UNAVAILABLE", message: "The PostgreSQL server is out of memory." },
  "53300": {
    code: "STORAGE_BUSY",
    message: "PostgreSQL has no connection left. Use fewer, or a pooler, or raise max_connections.",
  },
  "55P03": busyWith("somebody else who holds a row"),
  "57014": {
    code: "STORAGE_BUSY",
    message: "The server cut the statement off: statement_timeout, or an administrator.",
  },
  "57P": { code: "STORAGE_UNAVAILABLE", message: "The PostgreSQL server is stopping or starting." },
  "58": { code: "STORAGE_UNAVAILABLE", message: "The PostgreSQL server has trouble with its files. See its log." },
  XX001: { code: "STORAGE_CORRUPT", message: "PostgreSQL found damaged data. See its log; restore from a backup." },
  XX002: { code: "STORAGE_CORRUPT", message: "PostgreSQL found a damaged index. See its log; reindex." },
};

function stale(): Fault {
  return {
    code: "STORAGE_UNAVAILABLE",
    message:
      "A prepared statement is not there any more, as behind a pooler that does not keep them: use prepare: false.",
  };
}

function missing(): Fault {
  return {
    code: "STORAGE_UNAVAILABLE",
    message: "A table or column of Heddle's is missing. Open the storage again to migrate, or restore the schema.",
  };
}

function busyWith(whom: string): Fault {
  return { code: "STORAGE_BUSY", message: `The transaction met with ${whom}. Nothing was written; try again.` };
}

function faultOf(error: unknown): Fault | undefined {
  const state = sqlState(error);
  if (state === "") return undefined;
  return faults[state] ?? faults[state.slice(0, 3)] ?? faults[state.slice(0, 2)];
}

/** The database as a whole failed, not one intent: trying the intents one by one is of no use. */
export function isDatabaseFault(error: unknown): boolean {
  if (error instanceof PoolExhausted || isConnectionLoss(error)) return true;
  return faultOf(error) !== undefined;
}

export function toStorageError(error: unknown): HeddleError {
  if (HeddleError.is(error)) return error;
  const { code, message } = explain(error);
  const state = sqlState(error);
  return new HeddleError(code, message, { cause: error, details: state === "" ? {} : { sqlState: state } });
}

function explain(error: unknown): Fault {
  const fault = faultOf(error);
  if (fault !== undefined) return { ...fault, message: `${fault.message} (${reasonOf(error)})` };
  if (error instanceof PoolExhausted) return { code: "STORAGE_BUSY", message: error.message };
  if (isConnectionLoss(error)) return { code: "STORAGE_UNAVAILABLE", message: unreachable(error) };
  return { code: "STORAGE_ERROR", message: `The storage could not do this: ${reasonOf(error)}` };
}

function unreachable(error: unknown): string {
  return `PostgreSQL cannot be reached. Check that it runs, and host and port of the connection string. (${reasonOf(error)})`;
}

/** Node reports a host with several addresses as one error without a text, with the others inside. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(reasonOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
