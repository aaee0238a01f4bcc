/**
 * Proof of life between processes. Each worker holds an exclusive lock on a small file of its own beside the database,
 * taken through SQLite, which knows how to lock on every system. The operating system drops it when the process dies,
 * however it dies; so whoever can take the lock knows that the worker is dead. A stopped process keeps its lock.
 *
 *   agents.db-workers/wrk_01j…    locked: alive. Free: dead.
 *
 * A file that is missing proves nothing: its worker may never have announced itself, or somebody may have tidied up
 * while it ran. Leases decide then. So a file stays until its worker holds no run any more (`sweep`).
 *
 * Locks belong to the process: a file of this process's own workers is never opened a second time, for closing it
 * would drop the lock. `processState` knows them.
 */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type BetterSqlite3 from "better-sqlite3";
import { openDatabase } from "./open-database.js";
import { processState } from "./process-state.js";

export class WorkerLocks {
  readonly #folder: string;
  readonly #own = new Set<string>();

  /** @param databasePath the database's real path */
  constructor(databasePath: string) {
    this.#folder = `${databasePath}-workers`;
  }

  announce(worker: string): void {
    const path = this.#pathOf(worker);
    const { workerLocks } = processState();
    if (workerLocks.has(path)) return;
    mkdirSync(this.#folder, { recursive: true });
    workerLocks.set(path, takeForGood(path));
    this.#own.add(path);
  }

  isDead(worker: string): boolean {
    return tryLock(this.#pathOf(worker), () => {});
  }

  /**
   * Remove the files of dead workers that hold no run.
   * @param holders the workers that hold runs
   */
  sweep(holders: readonly string[]): void {
    const needed = new Set(holders.map(fileNameOf));
    for (const name of this.#files()) {
      if (needed.has(name)) continue;
      const path = join(this.#folder, name);
      tryLock(path, () => rmSync(path, { force: true }));
    }
  }

  /**
   * The workers of this storage are gone. Files that others may want to look at stay.
   * @param holders the workers that hold runs; `undefined`: nobody can say
   */
  release(holders: readonly string[] | undefined): void {
    const { workerLocks } = processState();
    for (const path of this.#own) {
      workerLocks.get(path)?.close();
      workerLocks.delete(path);
    }
    this.#own.clear();
    if (holders !== undefined) this.sweep(holders);
    removeIfEmpty(this.#folder);
  }

  #pathOf(worker: string): string {
    return join(this.#folder, fileNameOf(worker));
  }

  #files(): string[] {
    return existsSync(this.#folder) ? readdirSync(this.#folder) : [];
  }
}

/** Lower case, digits, `_` and `-` as they are, the rest as `%xx`: some file systems take `A` and `a` for one. */
function fileNameOf(worker: string): string {
  const name = Array.from(Buffer.from(worker), escapeByte).join("");
  return name.length <= 200 ? name : createHash("sha256").update(worker).digest("hex");
}

function escapeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  return /[a-z0-9_-]/.test(character) ? character : `%${byte.toString(16).padStart(2, "0")}`;
}

/** Where somebody removed the file before it was locked, they saw a dead worker: make it again. */
function takeForGood(path: string): BetterSqlite3.Database {
  for (;;) {
    const file = openDatabase(path, { timeout: 100 });
    lock(file);
    if (existsSync(path)) return file;
    file.close();
  }
}

/** Do `work` with the lock of a file that exists, if it can be had. */
function tryLock(path: string, work: () => void): boolean {
  if (processState().workerLocks.has(path) || !existsSync(path)) return false;
  let file: BetterSqlite3.Database | undefined;
  try {
    file = openDatabase(path, { fileMustExist: true, timeout: 0 });
    lock(file);
    work();
    return true;
  } catch {
    return false; // busy, or gone meanwhile, or not readable: not proved
  } finally {
    file?.close();
  }
}

/** Nothing is ever written; a journal beside the file would only be one more to tidy up. */
function lock(file: BetterSqlite3.Database): void {
  file.pragma("journal_mode = memory");
  file.exec("begin exclusive");
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Others use it, or it never was.
  }
}
