/** The storage keeps every guarantee of the contract, whatever it is connected through. */

import type { Storage } from "@heddle/core/storage";
import { manualClock, storageConformance } from "@heddle/core/testing";
import type { StorageFixture } from "@heddle/core/testing";
import { postgresStorage } from "@heddle/storage-postgres";
import type { PostgresStorageOptions } from "@heddle/storage-postgres";
import pg from "pg";
import { afterAll, describe, test } from "vitest";
import { freshSchema, useServer } from "./support/server.js";

const server = useServer();
const pools: pg.Pool[] = [];
afterAll(() => Promise.all(pools.map((pool) => pool.end())));

const forms: Record<string, () => PostgresStorageOptions> = {
  "a connection string": () => ({ connectionString: server().url(), connections: 4 }),
  "without prepared statements": () => ({ connectionString: server().url(), connections: 4, prepare: false }),
  "the host's pool": () => ({ pool: hostPool({}) }),
  "the host's pool, pipelining": () => ({ pool: hostPool({ pipeline: true }) }),
};

for (const [form, optionsOf] of Object.entries(forms)) {
  describe(`PostgreSQL conforms: ${form}`, () => {
    for (const { group, name, run } of storageConformance) {
      test(`${group}: ${name}`, async (context) => {
        const outcome = await run(fixtureOf(optionsOf()));
        if (outcome !== undefined) context.skip(outcome.skipped);
      });
    }
  });
}

function fixtureOf(options: PostgresStorageOptions): StorageFixture {
  const clock = manualClock();
  const schema = freshSchema();
  const open = async (): Promise<Storage> => {
    const storage = postgresStorage({ ...options, schema });
    await storage.open({ clock });
    return storage;
  };
  return { clock, open, reopen: open };
}

let shared = new Map<string, pg.Pool>();

function hostPool(config: pg.PoolConfig): pg.Pool {
  const key = JSON.stringify(config);
  const pool = shared.get(key) ?? new pg.Pool({ connectionString: server().url(), max: 6, ...config });
  if (!shared.has(key)) pools.push(pool);
  shared.set(key, pool);
  return pool;
}
