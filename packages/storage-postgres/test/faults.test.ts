/** Whatever happens to the server or to a connection: a typed error or a new try, nothing lost, and the process lives. */

import type { HeddleErrorCode } from "@heddle/core";
import { HeddleError } from "@heddle/core";
import { acceptRun, checkInvariants, StorageDriver } from "@heddle/core/testing";
import { postgresStorage } from "@heddle/storage-postgres";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { CountingProxy } from "./support/counting-proxy.js";
import { echo, openStorage, startEngine, until } from "./support/fixture.js";
import { freePort, freshSchema, useServer } from "./support/server.js";

const server = useServer({ isOwn: true });

async function startProxy(): Promise<{ readonly proxy: CountingProxy; readonly url: string }> {
  const proxy = await CountingProxy.start(server().port);
  onTestFinished(() => proxy.stop());
  const url = new URL(server().url());
  url.port = String(proxy.port);
  return { proxy, url: url.href };
}

async function refusal(code: HeddleErrorCode, work: Promise<unknown>): Promise<HeddleError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(HeddleError.is(error, code), String(error)).toBe(true);
  return error as HeddleError;
}

async function refusedOpen(code: HeddleErrorCode, url: string): Promise<void> {
  const storage = postgresStorage({ connectionString: url, schema: freshSchema() });
  const clock = { isSystemClock: true, now: Date.now, setTimer: () => () => {}, turn: async () => {} } as const;
  await refusal(code, storage.open({ clock }));
}

test("wrong address, wrong password, no such database: unavailable, and it says why", async () => {
  await refusedOpen("STORAGE_UNAVAILABLE", `postgres://127.0.0.1:${await freePort()}/postgres`);
  await refusedOpen("STORAGE_UNAVAILABLE", "postgres://nowhere.invalid/postgres");
  await refusedOpen("STORAGE_UNAVAILABLE", server().url({ user: "postgres", password: "wrong" }));
  await refusedOpen("STORAGE_UNAVAILABLE", server().url({ database: "nowhere" }));
});

test("an exhausted pool is STORAGE_BUSY, and works again when it is not", async () => {
  const pool = new pg.Pool({ connectionString: server().url(), max: 2 });
  onTestFinished(() => pool.end());
  const storage = await openStorage({ pool, schema: freshSchema(), wait: 200, listen: false });
  const clients = await Promise.all([pool.connect(), pool.connect()]);
  await refusal("STORAGE_BUSY", storage.commit([acceptRun()]));
  await refusal("STORAGE_BUSY", storage.runs.count({}));
  for (const client of clients) client.release();
  await new StorageDriver(storage).accept();
});

test("a statement that the server cuts off is STORAGE_BUSY", async () => {
  const schema = freshSchema();
  const pool = new pg.Pool({ connectionString: server().url(), max: 2, statement_timeout: 100 });
  onTestFinished(() => pool.end());
  const storage = await openStorage({ pool, schema, listen: false });
  await server().sql(`alter table ${schema}.heddle_events add check (pg_sleep(0.3) is not null)`);
  const error = await refusal(
    "STORAGE_BUSY",
    storage.transaction((tx) => tx.apply({ ...acceptRun(), claim: { worker: "w", lease: 1_000, agents: ["worker"] } })),
  );
  expect(error.details).toEqual({ sqlState: "57014" });
});

test("connections that are cut while idle, or between two transactions, are not noticed", async () => {
  const storage = await openStorage({ connectionString: server().url(), schema: freshSchema() });
  const driver = new StorageDriver(storage);
  for (let round = 0; round < 5; round++) {
    await Promise.all([driver.accept(), driver.accept(), storage.runs.count({})]);
    await server().sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'heddle%'");
    const run = await driver.start({ priority: round + 1 });
    await server().sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'heddle%'");
    expect((await driver.settle(run)).status).toBe("succeeded");
  }
});

/** Sees the commit on its way: the messages of a flight come in one piece, or the last ends in this. */
function isCommit(data: Buffer): boolean {
  return data.includes("heddle_commits") || data.includes("commit\0");
}

test("a connection cut during a commit: what became of it is found out", async () => {
  const { proxy, url } = await startProxy();
  const storage = await openStorage({ connectionString: url, schema: freshSchema(), listen: false, prepare: false });
  const driver = new StorageDriver(storage);
  for (let round = 0; round < 20; round++) {
    // In turns the commit never arrives, and its answer never comes back.
    const arrives = round % 2 === 0;
    let cuts = 1;
    let isOnItsWay = false;
    proxy.onClientData = (data) => {
      isOnItsWay = isCommit(data) && cuts > 0;
      if (!isOnItsWay || arrives) return true;
      cuts--;
      return false;
    };
    proxy.onServerData = () => {
      if (!isOnItsWay || !arrives || cuts === 0) return true;
      cuts--;
      return false;
    };
    const thread = `t${round}`;
    const run = await driver.start({ threadId: thread });
    expect(cuts).toBe(0);
    cuts = 1;
    const settled = await driver.settle(run);
    expect([settled.status, cuts]).toEqual(["succeeded", 0]);
    const types = (await driver.threadEvents(thread)).map(({ type }) => type);
    expect(types).toEqual(["run_started", "run_succeeded"]);
  }
  await checkInvariants(storage);
});

test("a connection that falls silent counts as lost, in a host's pool too: what became of the commit is found out", async () => {
  const { proxy, url } = await startProxy();
  const pool = new pg.Pool({ connectionString: url, max: 3 });
  onTestFinished(() => pool.end());
  const limits = { wait: 1_000, queryTimeout: 300 };
  const storage = await openStorage({ pool, schema: freshSchema(), listen: false, prepare: false, ...limits });
  const driver = new StorageDriver(storage);
  let isAwaited = (_: Buffer): boolean => false;
  let silences = 0;
  let isOnItsWay = false;
  proxy.onClientData = (data) => {
    isOnItsWay = isAwaited(data);
    return true;
  };
  proxy.onServerData = () => {
    if (!isOnItsWay || silences === 0) return true;
    silences--;
    return Buffer.alloc(0);
  };
  for (let round = 0; round < 5; round++) {
    const thread = `t${round}`;
    const run = await driver.start({ threadId: thread });
    isAwaited = isCommit;
    silences = 1;
    const settled = await driver.settle(run);
    expect([settled.status, silences]).toEqual(["succeeded", 0]);
    const types = (await driver.threadEvents(thread)).map(({ type }) => type);
    expect(types).toEqual(["run_started", "run_succeeded"]);
  }
  isAwaited = (data) => data.includes("savepoint heddle");
  silences = 1;
  const error = await refusal(
    "STORAGE_UNAVAILABLE",
    storage.transaction((tx) => tx.apply(acceptRun())),
  );
  expect(error.message).toContain("did not answer within 300 ms");
  await checkInvariants(storage);
});

test("a host's transaction whose commit is cut off: its row exists if and only if the run does", async () => {
  const { proxy, url } = await startProxy();
  const schema = freshSchema();
  const storage = await openStorage({ connectionString: url, schema, listen: false, prepare: false });
  await server().sql(`create table ${schema}.orders (run_id text)`);
  for (let round = 0; round < 20; round++) {
    let cuts = 1;
    let isOnItsWay = false;
    proxy.onClientData = (data) => {
      isOnItsWay = data.includes("heddle_commits") && cuts > 0;
      if (!isOnItsWay || round % 2 === 0) return true;
      cuts--;
      return false;
    };
    proxy.onServerData = () => {
      if (!isOnItsWay || cuts === 0) return true;
      cuts--;
      return false;
    };
    const accept = acceptRun();
    const committed = await storage
      .transaction(async (tx) => {
        await tx.apply(accept);
        await tx.host.client.query(`insert into ${schema}.orders values ($1)`, [accept.run.id]);
      })
      .then(
        () => true,
        () => false,
      );
    const rows = await server().sql(`select * from ${schema}.orders where run_id = $1`, [accept.run.id]);
    const run = await storage.runs.get(accept.run.id);
    expect([rows.length === 1, run !== undefined], `round ${round}`).toEqual([committed, committed]);
  }
});

test("the server crashes and comes back: every accepted run is settled, once", { timeout: 120_000 }, async () => {
  const options = { connectionString: server().url(), schema: freshSchema(), wait: 3_000 };
  const workers = [
    await startEngine(options, { lease: 3_000, heartbeat: 1_000 }),
    await startEngine(options, { lease: 3_000, heartbeat: 1_000 }),
  ];
  const client = await startEngine(options, { work: false });
  const accepted: string[] = [];
  let isOver = false;
  const starting = Promise.all(
    Array.from({ length: 8 }, async (_, n) => {
      while (!isOver) {
        await client.engine.threads
          .getOrCreate(`t${n}`)
          .then((thread) => thread.start(echo, { n }, { whenBusy: "enqueue" }))
          .then((run) => accepted.push(run.id))
          .catch((error: unknown) => {
            if (!HeddleError.is(error)) throw error;
          });
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }),
  );
  for (let crash = 0; crash < 3; crash++) {
    // In the midst of the work, however fast it goes.
    const before = accepted.length;
    await until(() => accepted.length >= before + 20, 30_000);
    await server().crash();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await server().start();
  }
  const before = accepted.length;
  await until(() => accepted.length >= before + 20, 30_000);
  isOver = true;
  await starting;
  await until(async () => (await client.storage.runs.count({ status: ["pending", "running"] })) === 0, 60_000);
  const succeeded = await client.storage.runs.count({ status: ["succeeded"] });
  expect(succeeded).toBe(await client.storage.runs.count({}));
  for (const id of accepted) expect((await client.storage.runs.get(id))?.status, id).toBe("succeeded");
  await checkInvariants(client.storage);
  await until(() => workers.every(({ storage }) => storage.listening), 20_000);
});
