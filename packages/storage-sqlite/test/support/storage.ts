import type { Clock, Storage } from "@heddle/core/storage";
import { StorageDriver } from "@heddle/core/testing";
import { type SqliteHost, type SqliteSource, sqliteStorage } from "@heddle/storage-sqlite";
import { afterEach } from "vitest";

/** What is tested here happens between processes, in real time. */
export const realClock: Clock = {
  isSystemClock: true,
  now: () => Date.now(),
  setTimer: (delay, fire) => {
    const timer = setTimeout(fire, delay);
    return () => clearTimeout(timer);
  },
  turn: () => new Promise((resolve) => setImmediate(resolve)),
};

const open = new Set<Storage<SqliteHost>>();

afterEach(async () => {
  for (const storage of open) await storage.close();
  open.clear();
});

/** An open storage, closed when the test is over. */
export async function openStorage(source: SqliteSource): Promise<Storage<SqliteHost>> {
  const storage = sqliteStorage(source);
  await storage.open({ clock: realClock });
  open.add(storage);
  return storage;
}

export async function openDriver(source: SqliteSource): Promise<StorageDriver> {
  return new StorageDriver(await openStorage(source));
}
