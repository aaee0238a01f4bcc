/** How engines hear of each other: at once where they can listen, by polling where they cannot. */

import { defineAgent } from "@heddle/core";
import { StorageDriver } from "@heddle/core/testing";
import { postgresStorage } from "@heddle/storage-postgres";
import pg from "pg";
import { expect, test } from "vitest";
import { echo, openStorage, realClock, startEngine, until } from "./support/fixture.js";
import { hasPgBouncer, PgBouncer, poolerSessions } from "./support/pgbouncer.js";
import { freshSchema, useServer } from "./support/server.js";

const server = useServer();

function patientAgent(onAbort: () => void) {
  return defineAgent({
    name: "patient",
    async run({ signal }) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      onAbort();
      signal.throwIfAborted();
      return { output: null };
    },
  });
}

test("work goes to whoever has the agent, and its result comes back, without a poll", async () => {
  const options = { connectionString: server().url(), schema: freshSchema() };
  const client = await startEngine(options, { work: false, poll: 60_000 });
  const worker = await startEngine(options, { poll: 60_000 });
  await until(() => client.storage.listening && worker.storage.listening);
  for (let n = 0; n < 20; n++) {
    expect(await (await client.engine.runs.start(echo, { n })).result()).toEqual({ n });
  }
});

test("whoever closes tells of its last commits first", async () => {
  const options = { connectionString: server().url(), schema: freshSchema() };
  const listener = await openStorage(options);
  await until(() => listener.listening);
  let seen = 0;
  listener.work.watch(async () => {
    seen = Math.max(seen, await listener.runs.count({}));
  });
  for (let count = 0; count < 40; ) {
    const writer = postgresStorage(options);
    await writer.open({ clock: realClock });
    const driver = new StorageDriver(writer);
    for (let n = 0; n < 8; n++, count++) await driver.accept();
    await writer.close();
    await until(() => seen === count);
  }
});

test("a cancel from another process reaches the agent: without a poll where it can listen, with one where not", {
  timeout: 60_000,
}, async () => {
  for (const [listen, poll] of [
    [true, 60_000],
    [false, 1_000],
  ] as const) {
    const options = { connectionString: server().url(), schema: freshSchema(), listen };
    let aborts = 0;
    const patient = patientAgent(() => aborts++);
    const worker = await startEngine(options, { agents: [patient], poll });
    const client = await startEngine(options, { agents: [patient], work: false });
    await until(() => worker.storage.listening === listen);
    for (let n = 0; n < 5; n++) {
      const run = await client.engine.runs.start(patient, {});
      await until(async () => (await client.engine.runs.count({ ids: [run.id], status: ["running"] })) === 1);
      await run.cancel();
      await until(() => aborts === n + 1);
    }
    expect([...worker.errors, ...client.errors]).toEqual([]);
  }
});

test("a listener that loses its connection listens again, and hears what it missed", async () => {
  const options = { connectionString: server().url(), schema: freshSchema() };
  const client = await startEngine(options, { work: false });
  const worker = await startEngine(options);
  await until(() => client.storage.listening && worker.storage.listening);
  await server().sql(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'heddle listener'",
  );
  await until(() => !worker.storage.listening);
  const run = await client.engine.runs.start(echo, { n: 1 });
  expect(await run.result()).toEqual({ n: 1 });
  await until(() => client.storage.listening && worker.storage.listening);
});

test("engines that share a storage hint each other", async () => {
  const options = { connectionString: server().url(), schema: freshSchema(), listen: false };
  const { storage } = await startEngine(options, { work: false, poll: 60_000 });
  let hints = 0;
  storage.work.watch(() => hints++);
  await storage.commit([{ kind: "create_thread", id: "t", title: null, metadata: "{}", ifExists: "fail" }]);
  await storage.commit([{ kind: "update_thread", id: "t", title: "x", maxMetadata: 100 }]);
  await until(() => hints > 0);
});

/** On each of a pooler's sessions at once. */
async function listenersBehind(connectionString: string): Promise<unknown[]> {
  const pool = new pg.Pool({ connectionString, max: poolerSessions });
  try {
    const clients = await Promise.all(Array.from({ length: poolerSessions }, () => pool.connect()));
    await Promise.all(clients.map((client) => client.query("begin")));
    const answers = await Promise.all(clients.map((client) => client.query("select pg_listening_channels()")));
    for (const client of clients) client.release(true);
    return answers.flatMap(({ rows }) => rows);
  } finally {
    await pool.end();
  }
}

test.skipIf(!hasPgBouncer)("behind a pooler it finds out that it is deaf, leaves no listener, and polls", async () => {
  const pgBouncer = await PgBouncer.start(server());
  try {
    const options = { connectionString: pgBouncer.url(server()), schema: freshSchema(), prepare: false };
    const client = await startEngine(options, { work: false });
    const worker = await startEngine(options);
    expect(await (await client.engine.runs.start(echo, { n: 1 })).result()).toEqual({ n: 1 });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect([client.storage.listening, worker.storage.listening]).toEqual([false, false]);
    expect(await listenersBehind(options.connectionString)).toEqual([]);
    await client.engine.close();
    await worker.engine.close();
  } finally {
    pgBouncer.stop();
  }
});

test.skipIf(!hasPgBouncer)("through a pooler that leaves each client its session it listens", async () => {
  const pgBouncer = await PgBouncer.start(server(), "session");
  try {
    const options = { connectionString: pgBouncer.url(server()), schema: freshSchema(), connections: 2 };
    const client = await startEngine(options, { work: false, poll: 60_000 });
    const worker = await startEngine(options, { poll: 60_000 });
    await until(() => client.storage.listening && worker.storage.listening);
    expect(await (await client.engine.runs.start(echo, { n: 1 })).result()).toEqual({ n: 1 });
    await client.engine.close();
    await worker.engine.close();
  } finally {
    pgBouncer.stop();
  }
});
