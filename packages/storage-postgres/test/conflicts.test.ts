/** Deadlocks and serialization failures are tried again inside, as often as makes sense, and then told as what they are. */

import { createEngine, defineAgent, HeddleError } from "@heddle/core";
import { acceptRun, checkInvariants, StorageDriver } from "@heddle/core/testing";
import { postgresStorage } from "@heddle/storage-postgres";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { openStorage, until } from "./support/fixture.js";
import { freshSchema, useServer } from "./support/server.js";

const server = useServer();

async function hostClient(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server().url() });
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

/** The server fails the next `times` writes of runs, as it does where two transactions cannot both be right. */
async function failWrites(schema: string, times: number): Promise<{ readonly failed: () => Promise<number> }> {
  await server().sql(`create sequence ${schema}.failures`);
  await server().sql(
    `create function ${schema}.fail() returns trigger language plpgsql as $$ begin ` +
      `if nextval('${schema}.failures') <= ${times} then raise 'could not serialize access' using errcode = '40001'; end if; ` +
      "return null; end $$",
  );
  await server().sql(
    `create trigger fail after insert or update on ${schema}.heddle_runs for each statement execute function ${schema}.fail()`,
  );
  const failed = async () => {
    const [row] = await server().sql<{ last: string }>(`select last_value as last from ${schema}.failures`);
    return Math.min(times, Number(row?.last));
  };
  return { failed };
}

test("a deadlock with a host whose victim we are is tried again", async () => {
  const schema = freshSchema();
  // Ours shall be the one that looks for deadlocks first.
  const pool = new pg.Pool({ connectionString: server().url(), options: "-c deadlock_timeout=100ms" });
  onTestFinished(() => pool.end());
  const storage = await openStorage({ pool, schema, listen: false });
  const driver = new StorageDriver(storage);
  const before = await deadlocks();
  const host = await hostClient();
  for (let round = 0; (await deadlocks()) === before; round++) {
    expect(round, "rounds without a deadlock").toBeLessThan(100);
    const run = await driver.start({ threadId: "t" });
    await host.query("begin");
    await host.query(`select 1 from ${schema}.heddle_runs where id = $1 for update`, [run.id]);
    // It locks the thread, then waits for the run; the host then waits for the thread.
    const settled = driver.settle(run);
    await new Promise((resolve) => setTimeout(resolve, 20 + 5 * (round % 10)));
    await host.query(`select 1 from ${schema}.heddle_threads where id = 't' for update`);
    await host.query("commit");
    expect((await settled).status).toBe("succeeded");
    // The server counts a little later.
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await checkInvariants(storage);
});

async function deadlocks(): Promise<number> {
  const [row] = await server().sql<{ deadlocks: string }>(
    "select deadlocks from pg_stat_database where datname = current_database()",
  );
  return Number(row?.deadlocks);
}

test("a serialization failure is tried again, and nobody notices", async () => {
  const schema = freshSchema();
  const storage = await openStorage({ connectionString: server().url(), schema, listen: false });
  const { failed } = await failWrites(schema, 3);
  const driver = new StorageDriver(storage);
  const run = await driver.start({ threadId: "t" });
  expect((await driver.settle(run)).status).toBe("succeeded");
  expect(await failed()).toBe(3);
});

test("one that never ends is STORAGE_BUSY in the end, and nothing was written", async () => {
  const schema = freshSchema();
  const storage = await openStorage({ connectionString: server().url(), schema, listen: false });
  const { failed } = await failWrites(schema, 1_000_000);
  const [refused] = await storage
    .commit([acceptRun({ threadId: "t" })])
    .catch((error: unknown) => [{ ok: false, error }]);
  expect(refused?.ok === false && HeddleError.is(refused.error, "STORAGE_BUSY"), JSON.stringify(refused)).toBe(true);
  const tries = await failed();
  expect(tries).toBeGreaterThan(1);
  expect(tries).toBeLessThan(30);
  expect([await storage.runs.count({}), await storage.threads.count({})]).toEqual([0, 0]);
});

test("a settle hook is called again after a serialization failure; its row is there once", async () => {
  const schema = freshSchema();
  const storage = postgresStorage({ connectionString: server().url(), schema });
  let calls = 0;
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const hooked = defineAgent({
    name: "hooked",
    run: () => gate,
    async onSettle(tx, settled) {
      calls++;
      const { client } = tx.host as { readonly client: pg.ClientBase };
      await client.query(`insert into ${schema}.outcomes values ($1)`, [settled.id]);
    },
  });
  await using engine = createEngine({ storage, agents: [hooked] });
  await engine.start();
  await server().sql(`create table ${schema}.outcomes (run_id text)`);
  const run = await engine.runs.start(hooked, null);
  await until(async () => (await run.info()).status === "running");
  const { failed } = await failWrites(schema, 2);
  release();
  expect((await run.settled()).status).toBe("succeeded");
  expect(await failed()).toBe(2);
  expect(calls).toBeGreaterThan(0);
  expect(await server().sql(`select run_id from ${schema}.outcomes`)).toEqual([{ run_id: run.id }]);
});

test("in a serializable transaction of the host's the failure is the host's to repeat", async () => {
  const schema = freshSchema();
  const storage = await openStorage({ connectionString: server().url(), schema, listen: false });
  await new StorageDriver(storage).createThread({ id: "t" });
  const host = await hostClient();
  const attempt = async (meanwhile: () => Promise<unknown>) => {
    await host.query("begin isolation level serializable");
    try {
      await host.query(`select count(*) from ${schema}.heddle_threads`);
      await meanwhile();
      await storage.adopt?.(host)?.apply(acceptRun({ threadId: "t", whenBusy: "enqueue" }));
      await host.query("commit");
    } catch (error) {
      await host.query("rollback");
      throw error;
    }
  };
  const rival = () => storage.commit([acceptRun({ threadId: "t" })]);
  await expect(attempt(rival)).rejects.toMatchObject({ code: "STORAGE_BUSY", details: { sqlState: "40001" } });
  await attempt(async () => {});
  expect(await storage.runs.count({})).toBe(2);
});
