/**
 * The storages on which every promise to users is tested. Another one is added here, once, and all files run on it.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStorage } from "@heddle/core";
import type { Storage } from "@heddle/core/storage";
import { type PostgresStorageOptions, postgresStorage } from "@heddle/storage-postgres";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { afterAll, describe } from "vitest";
import { hasPgBouncer, PgBouncer } from "../packages/storage-postgres/test/support/pgbouncer.js";
import { freshSchema, TestServer } from "../packages/storage-postgres/test/support/server.js";
import { inVirtualTime, type Watchers } from "./in-virtual-time.js";
import { isFull } from "./size.js";

export interface StorageKind {
  readonly name: string;
  /** Part of the long tests' repetitions that it takes at full size: a server answers each call later. */
  readonly fullShare: number;
  /** One transaction at a time, and reads wait for its end. Otherwise only what concerns the same thread waits. */
  readonly takesTurns: boolean;
  /** An empty database of its own. */
  create(): Promise<Database>;
}

export interface Database {
  /** For the first engine. */
  readonly storage: Storage;
  /** The same data for another engine, as another process would open it where the storage allows that. */
  connect(): Storage;
  cleanup(): Promise<void>;
}

const memory: StorageKind = {
  name: "memory",
  fullShare: 1,
  takesTurns: true,
  async create() {
    const storage = memoryStorage();
    return { storage, connect: () => storage, cleanup: async () => {} };
  },
};

const sqlite: StorageKind = {
  name: "sqlite",
  fullShare: 1,
  takesTurns: true,
  async create() {
    const directory = mkdtempSync(join(tmpdir(), "heddle-test-"));
    const connect = () => sqliteStorage({ path: join(directory, "test.db"), synchronous: "normal" });
    return {
      storage: connect(),
      connect,
      cleanup: async () => rmSync(directory, { recursive: true, force: true }),
    };
  },
};

let server: Promise<TestServer> | undefined;
afterAll(async () => (await server)?.stop());

/** A schema of its own on a server that all tests share. */
const postgres: StorageKind = {
  name: "postgres",
  fullShare: 0.1,
  takesTurns: false,
  async create() {
    server ??= TestServer.start();
    return schemaOn({ connectionString: (await server).url() });
  },
};

let pgBouncer: Promise<PgBouncer> | undefined;
afterAll(async () => (await pgBouncer)?.stop());

/** The same through a pooler that gives each transaction another session. */
const postgresPooled: StorageKind = {
  name: "postgres through PgBouncer",
  fullShare: 0.03,
  takesTurns: false,
  async create() {
    server ??= TestServer.start();
    pgBouncer ??= PgBouncer.start(await server);
    return schemaOn({ connectionString: (await pgBouncer).url(await server), prepare: false });
  },
};

function schemaOn(options: PostgresStorageOptions): Database {
  const schema = freshSchema();
  const watchers: Watchers = new Set();
  const connect = () => inVirtualTime(postgresStorage({ ...options, schema, connections: 4, listen: false }), watchers);
  return { storage: connect(), connect, cleanup: async () => {} };
}

export const storages: readonly StorageKind[] = [
  memory,
  sqlite,
  postgres,
  ...(isFull && hasPgBouncer ? [postgresPooled] : []),
];

/** The same tests once per storage. */
export function onEveryStorage(promise: string, tests: (kind: StorageKind) => void): void {
  for (const kind of storages) describe(`${promise}, on ${kind.name}`, () => tests(kind));
}
