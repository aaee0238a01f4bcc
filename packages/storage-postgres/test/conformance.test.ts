/** The storage keeps every guarantee of the contract, whatever it is connected through. */

import type { PostgresStorageOptions } from "@heddle/storage-postgres";
import pg from "pg";
import { afterAll, beforeAll, describe, onTestFinished, test } from "vitest";
import { shareCases } from "../../storage-sql/test/support/share-cases.js";
import { beginWithClient, beginWithKysely, fixtureOf } from "./support/fixture.js";
import { hasPgBouncer } from "./support/pgbouncer.js";
import { useServer } from "./support/server.js";
import { TestSchemas } from "./support/test-schemas.js";
import { usePgBouncer } from "./support/ways.js";

const server = useServer();
const pools = new Map<string, pg.Pool>();
let schemas: TestSchemas;

beforeAll(() => {
  schemas = new TestSchemas({ connectionString: server().url() });
});
afterAll(async () => {
  await Promise.all([schemas[Symbol.asyncDispose](), ...[...pools.values()].map((pool) => pool.end())]);
});

function hostPool(config: pg.PoolConfig): pg.Pool {
  const key = JSON.stringify(config);
  const pool = pools.get(key) ?? new pg.Pool({ connectionString: server().url(), max: 6, ...config });
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

const possible = Object.keys(forms).filter((form) => forms[form]?.[0] !== throughPgBouncer || hasPgBouncer);
const casesOf = shareCases(possible);

for (const [form, [optionsOf, begin]] of Object.entries(forms)) {
  describe.runIf(possible.includes(form))(`PostgreSQL conforms ${form}`, () => {
    for (const { group, name, run } of casesOf(form)) {
      test(`${group}: ${name}`, async (context) => {
        const { schema } = schemas.take();
        onTestFinished(() => schemas.giveBack(schema));
        const options = { ...optionsOf(), schema };
        const outcome = await run(fixtureOf(options, () => begin(options.connectionString ?? server().url())));
        if (outcome !== undefined) context.skip(outcome.skipped);
      });
    }
  });
}
