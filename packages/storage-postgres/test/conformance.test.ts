/** The storage keeps every guarantee of the contract, whatever it is connected through. */

import { storageConformance } from "@heddle/core/testing";
import type { PostgresStorageOptions } from "@heddle/storage-postgres";
import pg from "pg";
import { afterAll, describe, test } from "vitest";
import { beginWithClient, beginWithKysely, fixtureOf } from "./support/fixture.js";
import { hasPgBouncer } from "./support/pgbouncer.js";
import { useServer } from "./support/server.js";
import { usePgBouncer } from "./support/ways.js";

const server = useServer();
const pools = new Map<string, pg.Pool>();

afterAll(async () => {
  await Promise.all([...pools.values()].map((pool) => pool.end()));
});

/** Each kept connection of a pool knows the statements of every test's schema: after some, a new one is cheaper. */
function hostPool(config: pg.PoolConfig): pg.Pool {
  const key = JSON.stringify(config);
  const pool = pools.get(key) ?? new pg.Pool({ connectionString: server().url(), max: 6, maxUses: 500, ...config });
  pools.set(key, pool);
  return pool;
}

const pooled = usePgBouncer(server);

function throughPgBouncer(): PostgresStorageOptions {
  return { ...pooled(), connections: 4 };
}

const straight = () => ({ connectionString: server().url(), connections: 4 });

/** How the storage is connected, and with what the host begins transactions of its own. */
const forms: Record<string, [options: () => PostgresStorageOptions, begin: typeof beginWithClient]> = {
  "with a connection string": [straight, beginWithClient],
  "without prepared statements": [() => ({ ...straight(), prepare: false }), beginWithKysely],
  "with the host's pool": [() => ({ pool: hostPool({}) }), beginWithKysely],
  "with the host's pipelining pool": [() => ({ pool: hostPool({ pipeline: true }) }), beginWithClient],
  "through PgBouncer in transaction mode": [throughPgBouncer, beginWithClient],
};

for (const [form, [optionsOf, begin]] of Object.entries(forms)) {
  const isPossible = optionsOf !== throughPgBouncer || hasPgBouncer;
  describe.runIf(isPossible)(`PostgreSQL conforms ${form}`, () => {
    for (const { group, name, run } of storageConformance) {
      test(`${group}: ${name}`, async (context) => {
        const options = optionsOf();
        const outcome = await run(fixtureOf(options, () => begin(options.connectionString ?? server().url())));
        if (outcome !== undefined) context.skip(outcome.skipped);
      });
    }
  });
}
