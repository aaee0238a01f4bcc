/**
 * What all copies of this package in one process must agree on. POSIX file locks belong to the process: a second
 * connection to a file, closed, drops the locks of the first. So files are opened once per process, and whoever wants
 * one asks here first.
 */

import type BetterSqlite3 from "better-sqlite3";
import type { Connection } from "./connection.js";

export interface SharedConnection {
  readonly connection: Connection;
  /** Checks, migrations: done once for all users. */
  ready: Promise<void>;
  users: number;
}

interface ProcessState {
  /** By real path. */
  readonly connections: Map<string, SharedConnection>;
  /** Of connections that hosts gave us: storages that were given the same one take turns on it. */
  readonly hosts: WeakMap<BetterSqlite3.Database, Connection>;
  /** Held lock files of this process's workers, by path. */
  readonly workerLocks: Map<string, BetterSqlite3.Database>;
}

const key = Symbol.for("heddle.sqlite.connections");

export function processState(): ProcessState {
  const holder = globalThis as { [key]?: ProcessState };
  holder[key] ??= { connections: new Map(), hosts: new WeakMap(), workerLocks: new Map() };
  return holder[key];
}
