/** Who may write a thread, decided by the database, between connections that know nothing of each other. */

import { HeddleError } from "@heddle/core";
import type { Intent } from "@heddle/core/storage";
import { acceptRun, checkInvariants, StorageDriver, settleRun, tendRun } from "@heddle/core/testing";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { echo, openStorage, startEngine, until } from "./support/fixture.js";
import { freshSchema, useServer } from "./support/server.js";
import { onEachWay } from "./support/ways.js";

const server = useServer();
const isFull = (process.env["HEDDLE_TEST_SIZE"] ?? "quick") !== "quick";

/** A host that has locked a thread's row and takes its time. */
async function holdThread(schema: string, id: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: server().url() });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query("begin");
  await client.query(`select 1 from ${schema}.heddle_threads where id = $1 for update`, [id]);
  return async () => {
    await client.query("commit");
  };
}

/** Found by `npm run chaos`: the event log began again at 1, and the thread's row knew nothing of it. */
test("a run whose thread somebody else holds is not claimed by a batch that names it", async () => {
  const schema = freshSchema();
  const storage = await openStorage({ connectionString: server().url(), schema, listen: false });
  const driver = new StorageDriver(storage);
  const { run } = await driver.accept({ threadId: "t" });
  const release = await holdThread(schema, "t");
  const claim = { kind: "claim_runs", worker: "w", lease: 60_000, agents: ["worker"], limit: 5 } as const;
  const [tended, claimed] = await storage.commit([tendRun(run), claim]);
  expect(HeddleError.is(tended?.ok === false && tended.error, "STORAGE_BUSY")).toBe(true);
  expect(claimed).toMatchObject({ ok: true, value: [] });
  await release();
  expect((await driver.claim()).map(({ id }) => id)).toEqual([run.id]);
  await checkInvariants(storage);
});

onEachWay(server, (via) => {
  test("acceptance and settle never leave a queued run on an idle thread", { timeout: 300_000 }, async () => {
    const options = { ...via(), schema: freshSchema(), listen: false };
    const [a, b] = [new StorageDriver(await openStorage(options)), new StorageDriver(await openStorage(options))];
    const rounds = isFull ? 5_000 : 150;
    let run = await a.start({ threadId: "t" });
    for (let round = 0; round < rounds; round++) {
      const [accepted] = await Promise.all([b.accept({ threadId: "t", whenBusy: "enqueue" }), a.settle(run)]);
      const { activeRunId, queueLength } = await a.thread("t");
      expect([activeRunId, queueLength], `round ${round}`).toEqual([accepted.run.id, 0]);
      const [claimed] = await a.claim();
      expect(claimed?.id, `round ${round}`).toBe(accepted.run.id);
      run = claimed ?? run;
    }
    await checkInvariants(a.storage);
  });

  test("four claimers share what there is: each run goes to one of them", async () => {
    const options = { ...via(), schema: freshSchema(), listen: false };
    const drivers = await Promise.all([1, 2, 3, 4].map(async () => new StorageDriver(await openStorage(options))));
    const accepts = Array.from({ length: 400 }, (_, n) => acceptRun({ threadId: n % 2 === 0 ? `t${n}` : null }));
    await drivers[0]?.storage.commit(accepts);
    const claimed: string[] = [];
    await Promise.all(
      drivers.map(async (driver) => {
        for (let empty = 0; empty < 3; ) {
          const runs = await driver.claim(7);
          claimed.push(...runs.map(({ id }) => id));
          empty = runs.length === 0 ? empty + 1 : 0;
        }
      }),
    );
    expect(new Set(claimed).size).toBe(claimed.length);
    expect(claimed).toHaveLength(400);
  });

  test("two that create the same thread, or use the same key, at once: one does", { timeout: 60_000 }, async () => {
    const options = { ...via(), schema: freshSchema(), listen: false };
    const [a, b] = [new StorageDriver(await openStorage(options)), new StorageDriver(await openStorage(options))];
    for (let round = 0; round < (isFull ? 100 : 30); round++) {
      const idempotency = { key: `k${round}`, fingerprint: "f", keep: 60_000 };
      const keyed = await Promise.all([a.accept({ idempotency }), b.accept({ idempotency })]);
      expect(keyed.map(({ outcome }) => outcome).sort()).toEqual(["accepted", "existing"]);
      expect(keyed[0].run.id).toBe(keyed[1].run.id);
      const start = { threadId: `t${round}`, whenBusy: "enqueue" } as const;
      const started = await Promise.all([a.accept(start), b.accept(start)]);
      expect(started.map(({ run }) => run.active).sort()).toEqual([false, true]);
    }
  });

  test("batches of two engines that meet at the same threads lose nothing", { timeout: 60_000 }, async () => {
    const options = { ...via(), schema: freshSchema() };
    const first = await startEngine(options);
    const second = await startEngine(options);
    const count = isFull ? 300 : 100;
    const starts = Array.from({ length: count }, async (_, n) => {
      const { engine } = n % 2 === 0 ? first : second;
      const thread = await engine.threads.getOrCreate(`t${n % 7}`);
      const run = await thread.start(echo, { n }, { whenBusy: "enqueue" });
      return run.result();
    });
    expect(await Promise.all(starts)).toHaveLength(count);
    expect([...first.errors, ...second.errors]).toEqual([]);
    await checkInvariants(first.storage);
  });

  test("a thread that a host's transaction holds holds up no other", async () => {
    const schema = freshSchema();
    // Whoever waited for it would wait longer than the test.
    const { engine } = await startEngine({ ...via(), connections: 5, schema, wait: 60_000 });
    const held = await engine.threads.create({ id: "held" });
    const letGo = await holdThread(schema, "held");
    let isAccepted = false;
    const waiting = Array.from({ length: 20 }, (_, n) => held.start(echo, { n }, { whenBusy: "enqueue" }));
    void waiting[0]?.then(() => {
      isAccepted = true;
    });
    for (let n = 0; n < 50; n++) {
      const thread = await engine.threads.create();
      for (const run of await Promise.all([engine.runs.start(echo, { n }), thread.start(echo, { n })]))
        await run.result();
    }
    expect(isAccepted).toBe(false);
    await letGo();
    const outputs = await Promise.all((await Promise.all(waiting)).map((run) => run.result()));
    expect(outputs).toEqual(Array.from({ length: 20 }, (_, n) => ({ n })));
  });

  test("of a batch the intents of a held thread are answered with STORAGE_BUSY; alone, one waits", async () => {
    const schema = freshSchema();
    const storage = await openStorage({ ...via(), schema, wait: 60_000 });
    const impatient = await openStorage({ ...via(), schema, wait: 400 });
    const driver = new StorageDriver(storage);
    const run = await driver.start({ threadId: "held" });
    const letGo = await holdThread(schema, "held");
    const intents: Intent[] = [settleRun(run), acceptRun({ threadId: "free" }), acceptRun()];
    const results = await storage.commit(intents);
    expect(results.map((result) => (result.ok ? "ok" : result.error.code))).toEqual(["STORAGE_BUSY", "ok", "ok"]);
    const alone = await impatient.commit([settleRun(run)]);
    expect(alone[0]?.ok === false && HeddleError.is(alone[0].error, "STORAGE_BUSY")).toBe(true);
    const patient = storage.commit([settleRun(run)]);
    await letGo();
    expect((await patient)[0]?.ok).toBe(true);
  });

  test("claims pass by a thread that is held, and take its run later", async () => {
    const schema = freshSchema();
    const driver = new StorageDriver(await openStorage({ ...via(), schema }));
    await driver.accept({ threadId: "held" });
    const { run } = await driver.accept({ threadId: "free" });
    const letGo = await holdThread(schema, "held");
    expect((await driver.claim()).map(({ id }) => id)).toEqual([run.id]);
    await letGo();
    await until(async () => (await driver.claim()).length === 1);
  });
});
