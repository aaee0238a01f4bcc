/** Where the soaked engine keeps its rows, and how large that is. */

import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStorage } from "@heddle/core";
import type { Storage } from "@heddle/core/storage";
import { postgresStorage } from "@heddle/storage-postgres";
import type { SqliteHost } from "@heddle/storage-sqlite";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { TestServer } from "../../packages/storage-postgres/test/support/server.js";
import type { SoakOptions } from "./options.js";

export interface SoakDatabase {
  readonly storage: Storage;
  /** Bytes that hold rows; free pages do not count. `undefined`: nothing is stored. */
  size(host: unknown): Promise<number | undefined>;
  /** Of SQLite's log beside the file. */
  logSize(): number;
  stop(): Promise<void>;
}

export async function openDatabase({ storage }: SoakOptions): Promise<SoakDatabase> {
  switch (storage) {
    case "memory":
      return {
        storage: memoryStorage(),
        size: async () => undefined,
        logSize: () => 0,
        stop: async () => {},
      };
    case "sqlite":
      return openSqlite();
    case "postgres":
      return openPostgres();
  }
}

function openSqlite(): SoakDatabase {
  const folder = mkdtempSync(join(tmpdir(), "heddle-soak-"));
  const path = join(folder, "soak.db");
  return {
    storage: sqliteStorage(path) as Storage,
    async size(host) {
      const { database } = host as SqliteHost;
      const value = (name: string) => Number(database.pragma(name, { simple: true }));
      return (value("page_count") - value("freelist_count")) * value("page_size");
    },
    logSize: () => (existsSync(`${path}-wal`) ? statSync(`${path}-wal`).size : 0),
    stop: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

async function openPostgres(): Promise<SoakDatabase> {
  const server = await TestServer.start({ isOwn: true });
  return {
    storage: postgresStorage(server.url()) as Storage,
    async size() {
      // What autovacuum would do a little later.
      await server.sql("vacuum");
      const [row] = await server.sql<{ bytes: string }>(
        `select sum(pg_total_relation_size(c.oid)) as bytes from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'heddle' and c.relkind = 'r'`,
      );
      return Number(row?.bytes);
    },
    logSize: () => 0,
    stop: () => server.stop(),
  };
}
