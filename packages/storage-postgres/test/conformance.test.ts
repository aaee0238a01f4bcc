/** The storage keeps every guarantee of the contract, whatever it is connected through. */

import { storageConformance } from "@heddle/core/testing";
import type { PostgresStorageOptions } from "@heddle/storage-postgres";
import pg from "pg";
import { afterAll, beforeAll, describe, test } from "vitest";
import { fixtureOf } from "./support/fixture.js";
import { PgBouncer, whyNoPgBouncer } from "./support/pgbouncer.js";
import { useServer } from "./support/server.js";

const server = useServer();
const pools = new Map<string, pg.Pool>();
let pgBouncer: PgBouncer | undefined;
const noPgBouncer = whyNoPgBouncer();

beforeAll(async () => {
  if (noPgBouncer === undefined) pgBouncer = await PgBouncer.start(server());
  else console.warn(`PostgreSQL behind PgBouncer is not tested: ${noPgBouncer}`);
});

afterAll(async () => {
  await Promise.all([...pools.values()].map((pool) => pool.end()));
  pgBouncer?.stop();
});

/** Each kept connection of a pool knows the statements of every test's schema: after some, a new one is cheaper. */
function hostPool(config: pg.PoolConfig): pg.Pool {
  const key = JSON.stringify(config);
  const pool = pools.get(key) ?? new pg.Pool({ connectionString: server().url(), max: 6, maxUses: 500, ...config });
  pools.set(key, pool);
  return pool;
}

function throughPgBouncer(): PostgresStorageOptions {
  const listen = { connectionString: server().url() };
  return { connectionString: pgBouncer?.url(server()) ?? "", connections: 4, prepare: false, listen };
}

const forms: Record<string, () => PostgresStorageOptions> = {
  "with a connection string": () => ({ connectionString: server().url(), connections: 4 }),
  "without prepared statements": () => ({ connectionString: server().url(), connections: 4, prepare: false }),
  "with the host's pool": () => ({ pool: hostPool({}) }),
  "with the host's pipelining pool": () => ({ pool: hostPool({ pipeline: true }) }),
  "through PgBouncer in transaction mode": throughPgBouncer,
};

for (const [form, optionsOf] of Object.entries(forms)) {
  const isPossible = optionsOf !== throughPgBouncer || noPgBouncer === undefined;
  describe.runIf(isPossible)(`PostgreSQL conforms ${form}`, () => {
    for (const { group, name, run } of storageConformance) {
      test(`${group}: ${name}`, async (context) => {
        const outcome = await run(fixtureOf(optionsOf()));
        if (outcome !== undefined) context.skip(outcome.skipped);
      });
    }
  });
}
