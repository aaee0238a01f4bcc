/** The host's own rows and starts of runs in one transaction: Heddle's, or one that the host began. */

import { HeddleError } from "@heddle/core";
import { acceptRun, StorageDriver } from "@heddle/core/testing";
import { type Generated, Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { echo, openStorage, startEngine, until } from "./support/fixture.js";
import { freshSchema, useServer } from "./support/server.js";
import { onEachWay } from "./support/ways.js";

const server = useServer();

interface Tables {
  orders: { id: Generated<number>; run_id: string };
}

function ordersIn(schema: string): Promise<unknown> {
  return server().sql(`create table ${schema}.orders (id serial primary key, run_id text not null)`);
}

async function orders(schema: string): Promise<string[]> {
  return (await server().sql<{ run_id: string }>(`select run_id from ${schema}.orders`)).map((row) => row.run_id);
}

function hostDatabase(schema: string): { readonly db: Kysely<Tables>; readonly pool: pg.Pool } {
  const pool = new pg.Pool({ connectionString: server().url(), max: 3 });
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }).withSchema(schema);
  onTestFinished(async () => {
    await db.destroy();
    // Kysely ends a pool only after it has used it.
    if (!pool.ended) await pool.end();
  });
  return { db, pool };
}

onEachWay(server, (via) => {
  test("host rows, with a client or with Kysely, and a run commit together", async () => {
    const schema = freshSchema();
    const { engine, storage } = await startEngine({ ...via(), schema });
    await ordersIn(schema);
    const run = await engine.transaction(async (tx) => {
      const started = await engine.runs.start(echo, { n: 1 }, { tx });
      const host = tx.host as Parameters<Parameters<typeof storage.transaction>[0]>[0]["host"];
      await host.client.query(`insert into ${schema}.orders (run_id) values ($1)`, [started.id]);
      await host.kysely<Tables>().withSchema(schema).insertInto("orders").values({ run_id: started.id }).execute();
      return started;
    });
    expect(await run.result()).toEqual({ n: 1 });
    expect(await orders(schema)).toEqual([run.id, run.id]);
  });

  test("a body that throws leaves no row, no run and no wake-up", async () => {
    const schema = freshSchema();
    const storage = await openStorage({ ...via(), schema });
    await ordersIn(schema);
    const failure = new Error("changed my mind");
    const body = storage.transaction(async (tx) => {
      await tx.host.client.query(`insert into ${schema}.orders (run_id) values ('x')`);
      await tx.apply(acceptRun());
      throw failure;
    });
    await expect(body).rejects.toBe(failure);
    expect(await orders(schema)).toEqual([]);
    expect(await storage.runs.count({})).toBe(0);
  });

  test("a host's statement that fails is the host's to handle", async () => {
    const schema = freshSchema();
    const storage = await openStorage({ ...via(), schema });
    const body = storage.transaction((tx) => tx.host.client.query("select * from nowhere"));
    await expect(body).rejects.toMatchObject({ code: "42P01" });
    const swallowed = storage.transaction(async (tx) => {
      await tx.host.client.query("select * from nowhere").catch(() => {});
    });
    await expect(swallowed).rejects.toMatchObject({ code: "STORAGE_ERROR" });
    await new StorageDriver(storage).accept();
  });

  test("a body that ends the transaction itself is told so", async () => {
    const storage = await openStorage({ ...via(), schema: freshSchema() });
    for (const text of ["commit", "rollback"]) {
      const body = storage.transaction(async (tx) => {
        await tx.host.client.query(text);
      });
      await expect(body).rejects.toMatchObject({ code: "TRANSACTION_MISUSE" });
    }
    await new StorageDriver(storage).accept();
  });

  test("a client that was kept is of no use afterwards", async () => {
    const storage = await openStorage({ ...via(), schema: freshSchema() });
    const { result: kept } = await storage.transaction(async (tx) => tx.host);
    expect(() => kept.client.query("select 1")).toThrow(HeddleError);
    await expect(sql`select 1`.execute(kept.kysely())).rejects.toMatchObject({ code: "TRANSACTION_CLOSED" });
  });

  test("a run started in the host's Kysely transaction is picked up with its commit, without a poll", async () => {
    const schema = freshSchema();
    const { engine, storage } = await startEngine({ ...via(), schema }, { poll: 60_000 });
    await ordersIn(schema);
    await until(() => storage.listening);
    const { db } = hostDatabase(schema);
    for (let round = 0; round < 10; round++) {
      const run = await db.transaction().execute(async (tx) => {
        const started = await engine.runs.start(echo, { round }, { tx });
        await tx.insertInto("orders").values({ run_id: started.id }).execute();
        await new Promise((resolve) => setTimeout(resolve, 30));
        expect(await engine.runs.count({ ids: [started.id] })).toBe(0);
        return started;
      });
      expect(await run.result()).toEqual({ round });
    }
    expect(await orders(schema)).toHaveLength(10);
  });

  test("rolled back, the host's transaction leaves no run behind, and no wake-up", async () => {
    const schema = freshSchema();
    const { engine } = await startEngine({ ...via(), schema });
    const { db, pool } = hostDatabase(schema);
    let id = "";
    const failing = db.transaction().execute(async (tx) => {
      id = (await engine.runs.start(echo, {}, { tx })).id;
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    const client = await pool.connect();
    await client.query("begin");
    const thread = await engine.threads.create({ id: "t", tx: client });
    await expect(thread.start(echo, {}, { tx: client, whenBusy: "reject" })).resolves.toBeDefined();
    await client.query("rollback");
    client.release();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await engine.runs.count({})).toBe(0);
    await expect(engine.runs.get(id)).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  });

  test("the host's own lock_timeout is as it was", async () => {
    const schema = freshSchema();
    const { engine } = await startEngine({ ...via(), schema });
    const { pool } = hostDatabase(schema);
    const client = await pool.connect();
    await client.query("begin");
    await client.query("set local lock_timeout = '1234ms'");
    const run = await engine.runs.start(echo, { n: 1 }, { tx: client });
    const { rows } = await client.query("show lock_timeout");
    expect(rows).toEqual([{ lock_timeout: "1234ms" }]);
    await client.query("commit");
    client.release();
    expect(await run.result()).toEqual({ n: 1 });
  });

  test("a refused start leaves the host's transaction usable", async () => {
    const schema = freshSchema();
    const { engine } = await startEngine({ ...via(), schema });
    await ordersIn(schema);
    const { db } = hostDatabase(schema);
    await db.transaction().execute(async (tx) => {
      const thread = await engine.threads.create({ id: "t", tx });
      await thread.start(echo, {}, { tx });
      await expect(thread.start(echo, {}, { tx })).rejects.toMatchObject({ code: "THREAD_BUSY" });
      await tx.insertInto("orders").values({ run_id: "x" }).execute();
    });
    expect(await orders(schema)).toEqual(["x"]);
  });

  test("of starts asked for at once only those of threads that somebody holds are turned away", async () => {
    const schema = freshSchema();
    const { engine } = await startEngine({ ...via(), schema, wait: 300 });
    const { db } = hostDatabase(schema);
    const threads = await Promise.all(Array.from({ length: 6 }, () => engine.threads.create()));
    const [free, ...held] = threads as [(typeof threads)[number], ...typeof threads];
    const holder = await db.startTransaction().execute();
    for (const thread of held) await thread.start(echo, { n: 1 }, { tx: holder });
    const outcomes = await engine.transaction((tx) =>
      Promise.allSettled([...held, free].map((thread) => thread.start(echo, { n: 2 }, { tx }))),
    );
    await holder.rollback().execute();
    expect(outcomes).toMatchObject([
      ...held.map(() => ({ status: "rejected", reason: { code: "STORAGE_BUSY" } })),
      { status: "fulfilled", value: { threadId: free.id } },
    ]);
    expect(await engine.runs.count()).toBe(1);
  });

  test("what is no transaction is refused", async () => {
    const schema = freshSchema();
    const { engine } = await startEngine({ ...via(), schema });
    const { db, pool } = hostDatabase(schema);
    const client = await pool.connect();
    onTestFinished(() => client.release());
    for (const tx of [db, pool, client, {}, 1]) {
      await expect(engine.runs.start(echo, {}, { tx: tx as never })).rejects.toMatchObject({
        code: "FOREIGN_TRANSACTION",
      });
    }
    expect(await engine.runs.count({})).toBe(0);
  });
});
