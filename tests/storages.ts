/**
 * The storages on which every promise to users is tested. Another one is added here, once, and all files run on it.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStorage } from "@heddle/core";
import type { Storage } from "@heddle/core/storage";
import { afterAll, describe } from "vitest";
import type { PgBouncer } from "../packages/storage-postgres/test/support/pgbouncer.js";
import type { TestServer } from "../packages/storage-postgres/test/support/server.js";
import type { TestSchemas } from "../packages/storage-postgres/test/support/test-schemas.js";
import { inVirtualTime, type Watchers } from "./in-virtual-time.js";
import { isFull } from "./size.js";

// What belongs to one storage only is loaded with its first database: not at all where others are tested alone.

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
    const { sqliteStorage } = await import("@heddle/storage-sqlite");
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

async function startServer(): Promise<TestServer> {
  const { TestServer } = await import("../packages/storage-postgres/test/support/server.js");
  return TestServer.start();
}

let schemas: Promise<TestSchemas> | undefined;

async function schemasOf(way: { readonly connectionString: string; readonly prepare?: boolean }): Promise<TestSchemas> {
  const { TestSchemas } = await import("../packages/storage-postgres/test/support/test-schemas.js");
  return new TestSchemas(way);
}

/** A schema of its own on a server that all tests share. */
const postgres: StorageKind = {
  name: "postgres",
  fullShare: 0.1,
  takesTurns: false,
  async create() {
    server ??= startServer();
    schemas ??= schemasOf({ connectionString: (await server).url() });
    return databaseOf(await schemas);
  },
};

let pgBouncer: Promise<PgBouncer> | undefined;
let pooledSchemas: Promise<TestSchemas> | undefined;

const pooler = () => import("../packages/storage-postgres/test/support/pgbouncer.js");

async function startPooler(server: TestServer): Promise<PgBouncer> {
  const { PgBouncer } = await pooler();
  return PgBouncer.start(server);
}

/** The same through a pooler that gives each transaction another session. */
const postgresPooled: StorageKind = {
  name: "postgres through PgBouncer",
  fullShare: 0.03,
  takesTurns: false,
  async create() {
    server ??= startServer();
    pgBouncer ??= startPooler(await server);
    pooledSchemas ??= schemasOf({ connectionString: (await pgBouncer).url(await server), prepare: false });
    return databaseOf(await pooledSchemas);
  },
};

async function databaseOf(schemas: TestSchemas): Promise<Database> {
  const { postgresStorage } = await import("@heddle/storage-postgres");
  const options = schemas.take();
  const watchers: Watchers = new Set();
  const connect = () => inVirtualTime(postgresStorage(options), watchers);
  return { storage: connect(), connect, cleanup: () => schemas.giveBack(options.schema) };
}

/** When a file is done. The next one, which may share the process, begins anew. */
export async function closeDatabases(): Promise<void> {
  const all = { schemas, pooledSchemas, pgBouncer, server };
  schemas = pooledSchemas = pgBouncer = server = undefined;
  await (await all.schemas)?.[Symbol.asyncDispose]();
  await (await all.pooledSchemas)?.[Symbol.asyncDispose]();
  (await all.pgBouncer)?.stop();
  await (await all.server)?.stop();
}

/** HEDDLE_TEST_STORAGES: some of them by name, as "memory,sqlite". All unless told otherwise. */
const chosen = process.env.HEDDLE_TEST_STORAGES?.split(",");

export const storages: readonly StorageKind[] = [
  memory,
  sqlite,
  postgres,
  ...(isFull && (await pooler()).hasPgBouncer ? [postgresPooled] : []),
].filter(({ name }) => chosen?.includes(name) ?? true);

/** The same tests once per storage. */
export function onEveryStorage(promise: string, tests: (kind: StorageKind) => void): void {
  for (const kind of storages) describe(`${promise}, on ${kind.name}`, () => tests(kind));
  afterAll(closeDatabases);
}
