/** Whenever a connection is cut, what became of a write is found out: each took place once, or not at all and is told so. */

import { defineAgent, HeddleError } from "@heddle/core";
import type { EventRecord } from "@heddle/core/storage";
import { streamOf } from "@heddle/core/storage";
import { acceptRun, checkInvariants, StorageDriver } from "@heddle/core/testing";
import { migrationSql } from "@heddle/storage-postgres";
import { expect, onTestFinished, test } from "vitest";
import { CountingProxy } from "./support/counting-proxy.js";
import { echo, openStorage, startEngine, until } from "./support/fixture.js";
import { freshSchema, useServer } from "./support/server.js";

const server = useServer();
const isFull = (process.env["HEDDLE_TEST_SIZE"] ?? "quick") !== "quick";

async function startProxy(): Promise<{ readonly proxy: CountingProxy; readonly url: string }> {
  const url = new URL(server().url());
  const proxy = await CountingProxy.start(Number(url.port));
  onTestFinished(() => proxy.stop());
  url.port = String(proxy.port);
  return { proxy, url: url.href };
}

/** Cuts at each `every`th piece of data, in turns before it arrives and when it is answered. */
function cutOften(proxy: CountingProxy, every: () => number): { cuts: number; stop(): void } {
  const state = { cuts: 0, stop: () => {} };
  let left = every();
  let cutsAnswer = false;
  proxy.onClientData = () => {
    if (--left > 0) return true;
    left = every();
    state.cuts++;
    if (state.cuts % 2 === 0) return false;
    cutsAnswer = true;
    return true;
  };
  proxy.onServerData = () => {
    if (!cutsAnswer) return true;
    cutsAnswer = false;
    return false;
  };
  state.stop = () => {
    proxy.onClientData = () => true;
    proxy.onServerData = () => true;
  };
  return state;
}

test("a connection cut in the middle of a transaction: the transaction is made anew, by itself", async () => {
  const { proxy, url } = await startProxy();
  const storage = await openStorage({ connectionString: url, schema: freshSchema(), listen: false, prepare: false });
  const driver = new StorageDriver(storage);
  for (let round = 0; round < 10; round++) {
    let cuts = 1;
    let hasLoaded = false;
    // The first flight begins, locks and reads; its answer does not come back.
    proxy.onClientData = (data) => {
      hasLoaded ||= data.includes("begin isolation level");
      return true;
    };
    proxy.onServerData = () => !(hasLoaded && cuts-- > 0);
    const run = await driver.start({ threadId: `t${round}` });
    expect([run.status, cuts < 1]).toEqual(["running", true]);
  }
  expect(await storage.runs.count({})).toBe(10);
  await checkInvariants(storage);
});

test("a host's transaction that is cut before its commit is rolled back and says so", async () => {
  const { proxy, url } = await startProxy();
  const storage = await openStorage({ connectionString: url, schema: freshSchema(), listen: false });
  const body = storage.transaction(async (tx) => {
    await tx.apply(acceptRun());
    proxy.cut();
    await tx.apply(acceptRun());
  });
  await expect(body).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  expect(await storage.runs.count({})).toBe(0);
  await new StorageDriver(storage).accept();
});

test("events, checkpoints and settles of an agent whose connections are cut all the time: each once, in order", {
  timeout: 120_000,
}, async () => {
  const { proxy, url } = await startProxy();
  const schema = freshSchema();
  const steps = 12;
  const busy = defineAgent({
    name: "busy",
    async run({ emit, checkpoint }) {
      for (let step = 0; step < steps; step++) {
        await emit("step", step);
        await checkpoint({ step });
      }
      return { output: "done", values: { step: steps } };
    },
  });
  const options = { connectionString: url, schema, listen: false, connections: 4 };
  const { engine } = await startEngine(options, { agents: [busy] });
  const state = cutOften(proxy, () => 3 + Math.floor(Math.random() * 8));
  const rounds = isFull ? 10 : 1;
  const threads: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const ids = Array.from({ length: 8 }, (_, n) => `t${round}.${n}`);
    threads.push(...ids);
    const runs = await Promise.all(
      ids.map((id) =>
        persistently(async () => (await engine.threads.getOrCreate(id)).start(busy, null, { idempotencyKey: "once" })),
      ),
    );
    await Promise.all(runs.map((run) => persistently(() => run.settled())));
  }
  state.stop();
  console.log(`connections cut: ${state.cuts}, runs: ${threads.length}`);
  expect(state.cuts).toBeGreaterThan(rounds);
  const storage = await openStorage({ connectionString: server().url(), schema });
  const driver = new StorageDriver(storage);
  for (const id of threads) {
    const events = await driver.threadEvents(id);
    expectEachOnce(events);
    expect(await (await engine.threads.get(id)).values()).toEqual({ step: steps });
  }
  expect(await storage.runs.count({})).toBe(threads.length);
  await checkInvariants(storage);
});

test("events and settles of stateless runs, each sent with its commit in one go: each once, in order", {
  timeout: 120_000,
}, async () => {
  const { proxy, url } = await startProxy();
  const schema = freshSchema();
  const busy = defineAgent({
    name: "busy",
    async run({ emit }) {
      for (let step = 0; step < 12; step++) await emit("step", step);
    },
  });
  const { engine } = await startEngine(
    { connectionString: url, schema, listen: false, connections: 4 },
    { agents: [busy] },
  );
  const state = cutOften(proxy, () => 3 + Math.floor(Math.random() * 8));
  const keys = Array.from({ length: isFull ? 80 : 8 }, (_, n) => `k${n}`);
  const runs = await Promise.all(
    keys.map((idempotencyKey) => persistently(() => engine.runs.start(busy, null, { idempotencyKey }))),
  );
  await Promise.all(runs.map((run) => persistently(() => run.settled())));
  state.stop();
  console.log(`connections cut: ${state.cuts}, runs: ${runs.length}`);
  expect(state.cuts).toBeGreaterThan(1);
  const storage = await openStorage({ connectionString: server().url(), schema });
  const driver = new StorageDriver(storage);
  for (const { id } of runs) {
    const events = await driver.events(streamOf({ id, threadId: null }));
    expectEachOnce(events);
  }
  expect(await storage.runs.count({})).toBe(runs.length);
  await checkInvariants(storage);
});

function expectEachOnce(events: readonly EventRecord[]): void {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1));
  // Steps of an attempt that lost its lease may come again with the next; within one they are in order, once.
  for (const attempt of new Set(events.map((event) => event.attempt))) {
    const ofAttempt = events.filter((event) => event.attempt === attempt && event.type === "step");
    expect(ofAttempt.map(({ payload }) => payload)).toEqual(ofAttempt.map((_, at) => String(at)));
  }
  expect(events.at(-1)?.type).toBe("run_succeeded");
}

/** As a host would that has an idempotency key: again while the storage is away. */
async function persistently<Result>(work: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!HeddleError.is(error) || !error.code.startsWith("STORAGE_")) throw error;
    }
  }
}

test("tables that vanish under a running engine are told, and it goes on when they are back", async () => {
  const schema = freshSchema();
  const { engine, errors } = await startEngine({ connectionString: server().url(), schema }, { poll: 50 });
  await server().sql(`alter schema ${schema} rename to ${schema}_away`);
  await expect(engine.runs.start(echo, { n: 1 })).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  await expect(engine.runs.count({})).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  await server().sql(`alter schema ${schema}_away rename to ${schema}`);
  expect(await (await engine.runs.start(echo, { n: 2 })).result()).toEqual({ n: 2 });
  await server().sql(`drop schema ${schema} cascade`);
  await expect(engine.runs.start(echo, { n: 3 })).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  await server().sql(migrationSql({ schema }));
  expect(await (await engine.runs.start(echo, { n: 4 })).result()).toEqual({ n: 4 });
  expect(errors.every((error) => HeddleError.is(error))).toBe(true);
});

test("rights that are taken from a running engine are told, and it goes on when they are back", async () => {
  const schema = freshSchema();
  const user = freshSchema();
  await server().sql(`create role ${user} login password 'secret'`);
  await server().sql(migrationSql({ schema, role: user }));
  const connectionString = server().url({ user, password: "secret" });
  const { engine } = await startEngine({ connectionString, schema });
  expect(await (await engine.runs.start(echo, { n: 1 })).result()).toEqual({ n: 1 });
  await server().sql(`revoke insert on ${schema}.heddle_runs from ${user}`);
  await expect(engine.runs.start(echo, { n: 2 })).rejects.toMatchObject({ code: "STORAGE_READONLY" });
  expect((await engine.runs.list({})).items).toHaveLength(1);
  await server().sql(`grant insert on ${schema}.heddle_runs to ${user}`);
  const run = await engine.runs.start(echo, { n: 3 });
  expect(await run.result()).toEqual({ n: 3 });
  await until(async () => (await engine.runs.count({ status: ["succeeded"] })) === 2);
});

/** `FATAL 57P01`: what a client is told whose session an administrator ends. */
function goodbye(): Buffer {
  const fields = Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0");
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

test("a session that is ended in the moment in which it is handed out ends no process", async () => {
  const { proxy, url } = await startProxy();
  const storage = await openStorage({ connectionString: url, schema: freshSchema(), listen: false, connections: 1 });
  const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
  const authenticated = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);
  let ended = 0;
  proxy.cut();
  proxy.onServerData = (data) => {
    const isLogin = data.includes(authenticated) && data.subarray(-6).equals(readyForQuery);
    if (!isLogin || ++ended > 3) return true;
    return Buffer.concat([data, goodbye()]);
  };
  // Whether the read is tried once more or its error told: the process lives, and the next one is answered.
  for (let tries = 0; tries < 4; tries++) await storage.runs.count({}).catch(() => {});
  expect(ended).toBeGreaterThan(2);
  expect(await storage.runs.count({})).toBe(0);
});
