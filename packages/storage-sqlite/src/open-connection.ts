/** Getting at a connection, shared where another storage of this process has it already, and giving it back. */

import type BetterSqlite3 from "better-sqlite3";
import { checkFile } from "./check-file.js";
import { busyTimeout, Connection } from "./connection.js";
import { openDatabase } from "./open-database.js";
import type { Synchronous, Target } from "./options.js";
import { prepareDatabase } from "./prepare-database.js";
import type { SharedConnection } from "./process-state.js";
import { processState } from "./process-state.js";
import { realPathOf } from "./real-path.js";
import { toStorageError } from "./storage-errors.js";

export interface OpenedConnection {
  readonly connection: Connection;
  /** Give it back; the last user of a file closes it. */
  release(): Promise<void>;
}

type Now = () => number;

/** @throws HeddleError STORAGE_UNAVAILABLE, STORAGE_CORRUPT, STORAGE_FOREIGN, STORAGE_NEWER, STORAGE_READONLY */
export async function openConnection(target: Target, now: Now): Promise<OpenedConnection> {
  try {
    return await open(target, now);
  } catch (error) {
    throw toStorageError(error, target.kind === "file" ? target.path : undefined);
  }
}

function open(target: Target, now: Now): Promise<OpenedConnection> {
  switch (target.kind) {
    case "file":
      return shareFile(target, now);
    case "memory":
      return openMemory(now);
    case "host":
      return useHosts(target, now);
  }
}

async function openMemory(now: Now): Promise<OpenedConnection> {
  const connection = new Connection(openDatabase(":memory:"), { path: undefined, isOurs: true });
  await prepareDatabase(connection, { synchronous: undefined, now });
  return { connection, release: onlyOnce(() => connection.alone(async () => void connection.database.close())) };
}

async function useHosts({ database, synchronous }: Target & { kind: "host" }, now: Now): Promise<OpenedConnection> {
  const { hosts } = processState();
  const connection = hosts.get(database) ?? new Connection(database, { path: pathOf(database), isOurs: false });
  hosts.set(database, connection);
  await prepareDatabase(connection, { synchronous, now });
  return { connection, release: async () => {} };
}

function pathOf({ name, memory }: BetterSqlite3.Database): string | undefined {
  return memory || name === "" ? undefined : realPathOf(name);
}

async function shareFile({ path: given, synchronous }: Target & { kind: "file" }, now: Now): Promise<OpenedConnection> {
  const path = realPathOf(given);
  const shared = processState().connections.get(path) ?? openFile(path, synchronous, now);
  shared.users++;
  const release = onlyOnce(() => releaseShared(path, shared));
  try {
    await shared.ready;
    await raiseDurability(shared, synchronous);
    return { connection: shared.connection, release };
  } catch (error) {
    await release();
    throw error;
  }
}

function openFile(path: string, synchronous: Synchronous, now: Now): SharedConnection {
  checkFile(path);
  const connection = new Connection(openDatabase(path, { timeout: busyTimeout }), { path, isOurs: true });
  const shared = { connection, users: 0, ready: prepareDatabase(connection, { synchronous, now }) };
  processState().connections.set(path, shared);
  return shared;
}

/** One connection serves all: it keeps the strictest promise that any of its users asked for. */
async function raiseDurability({ connection }: SharedConnection, synchronous: Synchronous): Promise<void> {
  if (synchronous === "full") await connection.read(() => connection.database.pragma("synchronous = full"));
}

async function releaseShared(path: string, shared: SharedConnection): Promise<void> {
  if (--shared.users > 0) return;
  // From here on a newcomer opens a connection of its own; this one is closed once the turns before are done.
  const { connections } = processState();
  await shared.connection.alone(async () => {
    if (shared.users > 0) return;
    if (connections.get(path) === shared) connections.delete(path);
    close(shared.connection.database);
  });
}

/** The log is moved into the database where nobody else uses it, so that one file is left. */
function close(database: BetterSqlite3.Database): void {
  try {
    database.pragma("wal_checkpoint(truncate)");
  } catch {
    // Its place is in the log as well as in the database: the next to open it goes on from there.
  }
  database.close();
}

function onlyOnce(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
