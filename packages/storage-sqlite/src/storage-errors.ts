/** SQLite's errors as Heddle's, each with what to do about it. */

import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { HeddleErrorCode } from "@heddle/core/storage";
import { HeddleError } from "@heddle/core/storage";

/** The host has a transaction of its own open on the connection that it gave us. It will end. */
export class HostTransactionOpen extends Error {
  override readonly name = "HostTransactionOpen";
}

/** A row was not as it had been read in the same transaction: something bypassed Heddle. */
export class WriteConflict extends Error {
  override readonly name = "WriteConflict";
}

/** A commit failed in a way that leaves open whether it counts. */
export class UnknownOutcome extends Error {
  override readonly name = "UnknownOutcome";
  constructor(cause: unknown) {
    super("the commit may or may not count", { cause });
  }
}

/** SQLite's result code: `SQLITE_BUSY_SNAPSHOT`, … Empty for errors of other origin. */
export function sqliteCode(error: unknown): string {
  if (!(error instanceof Error) || error.name !== "SqliteError") return "";
  return "code" in error && typeof error.code === "string" ? error.code : "";
}

function fileCode(error: unknown): string {
  return error instanceof Error && "syscall" in error && "code" in error ? String(error.code) : "";
}

/** Somebody holds the lock and will let go of it. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code.startsWith("SQLITE_BUSY") || code === "SQLITE_LOCKED" || error instanceof HostTransactionOpen;
}

/** The database as a whole failed, not one statement: trying its parts one by one is of no use. */
export function isDatabaseFault(error: unknown): boolean {
  if (error instanceof UnknownOutcome) return true;
  return isBusy(error) || faultOf(sqliteCode(error)) !== undefined || isClosed(error);
}

/** Of the file system, where lock files are kept. */
const likeSqlite: Readonly<Record<string, string>> = {
  ENOSPC: "SQLITE_FULL",
  EDQUOT: "SQLITE_FULL",
  EROFS: "SQLITE_READONLY",
  EACCES: "SQLITE_READONLY",
  EPERM: "SQLITE_READONLY",
};

interface Fault {
  readonly code: HeddleErrorCode;
  readonly message: string;
}

const faults: readonly (Fault & { readonly prefix: string })[] = [
  {
    prefix: "SQLITE_FULL",
    code: "STORAGE_FULL",
    message: "The disk is full. Nothing was written. Free some space and try again.",
  },
  {
    prefix: "SQLITE_CORRUPT",
    code: "STORAGE_CORRUPT",
    message: "The database file is damaged. Stop all programs that use it, then restore it from a backup.",
  },
  {
    prefix: "SQLITE_NOTADB",
    code: "STORAGE_FOREIGN",
    message: "The file is not an SQLite database. It was left as it is. Choose another path.",
  },
  {
    prefix: "SQLITE_READONLY",
    code: "STORAGE_READONLY",
    message: "The database cannot be written. Give this program write access to the file and to its directory.",
  },
  {
    prefix: "SQLITE_CANTOPEN",
    code: "STORAGE_UNAVAILABLE",
    message: "The database file cannot be opened. Check that it is a file and that this program may read it.",
  },
  {
    prefix: "SQLITE_IOERR",
    code: "STORAGE_UNAVAILABLE",
    message: "Reading or writing the database file failed. Check the disk.",
  },
  {
    prefix: "SQLITE_PROTOCOL",
    code: "STORAGE_UNAVAILABLE",
    message: "The database file could not be locked. It must be on a local disk.",
  },
  { prefix: "SQLITE_NOMEM", code: "STORAGE_UNAVAILABLE", message: "SQLite ran out of memory." },
];

function faultOf(code: string): Fault | undefined {
  return faults.find(({ prefix }) => code.startsWith(prefix));
}

/** better-sqlite3 says it with a TypeError. */
function isClosed(error: unknown): boolean {
  return error instanceof TypeError && error.message.includes("database connection is not open");
}

/** @param path the database file; `undefined`: in memory */
export function toStorageError(error: unknown, path: string | undefined): HeddleError {
  if (HeddleError.is(error)) return error;
  if (error instanceof UnknownOutcome) return unknownOutcome(toStorageError(error.cause, path));
  const { code, message } = explain(error, path);
  const sqlite = sqliteCode(error);
  const details = { ...(path === undefined ? {} : { path }), ...(sqlite === "" ? {} : { sqliteCode: sqlite }) };
  return new HeddleError(code, path === undefined ? message : `${message} (${path})`, { details, cause: error });
}

/** `details.outcome` tells: the commit may count after all. Reading tells which. */
function unknownOutcome({ code, message, details, cause }: HeddleError): HeddleError {
  const told = `${message} It is not known whether the last commit counts.`;
  return new HeddleError(code, told, { details: { ...details, outcome: "unknown" }, cause });
}

function explain(error: unknown, path: string | undefined): Fault {
  if (isBusy(error)) return busy;
  if (isClosed(error)) return closed;
  const code = sqliteCode(error) || (likeSqlite[fileCode(error)] ?? "");
  // SQLite reports a full disk as a failed write where it grows its shared memory file.
  if (code.startsWith("SQLITE_IOERR") && diskIsFull(path)) return explainCode("SQLITE_FULL");
  const fault = faultOf(code);
  if (fault !== undefined) return fault;
  return { code: "STORAGE_ERROR", message: `The storage could not do this: ${reasonOf(error)}` };
}

const busy: Fault = {
  code: "STORAGE_BUSY",
  message:
    "Another program kept the database locked. Nothing was written; try again. " +
    "A program that was stopped inside a transaction must go on or end first.",
};

const closed: Fault = {
  code: "STORAGE_UNAVAILABLE",
  message: "The database connection was closed.",
};

function explainCode(code: string): Fault {
  return faultOf(code) ?? { code: "STORAGE_ERROR", message: code };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function diskIsFull(path: string | undefined): boolean {
  if (path === undefined) return false;
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < 128 * 1024;
  } catch {
    return false;
  }
}
