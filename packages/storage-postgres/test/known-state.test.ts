/** What a storage knows without asking saves round trips, and is never trusted: whatever happened meanwhile is seen. */

import type { RunRecord } from "@heddle/core/storage";
import { acceptRun, attemptOf, StorageDriver } from "@heddle/core/testing";
import { postgresStorage } from "@heddle/storage-postgres";
import { changingRunColumns } from "@heddle/storage-sql";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { CountingProxy } from "./support/counting-proxy.js";
import { realClock } from "./support/fixture.js";
import { freshSchema, useServer } from "./support/server.js";

const server = useServer();
afterEach(() => void vi.restoreAllMocks());

/** @param later what is to be done in the end: of the test, unless told otherwise */
async function setUp(later: (undo: () => void | Promise<void>) => void = onTestFinished) {
  const schema = freshSchema();
  const proxy = await CountingProxy.start(server().port);
  later(() => proxy.stop());
  const url = new URL(server().url());
  url.port = String(proxy.port);
  const open = async (connectionString: string) => {
    const storage = postgresStorage({ connectionString, schema, listen: false });
    await storage.open({ clock: realClock });
    later(() => storage.close());
    return new StorageDriver(storage);
  };
  const [driver, other] = [await open(url.href), await open(server().url())];
  // From here on it knows the time, and that nothing waits.
  await driver.settle(await driver.start());
  const roundTripsOf = async (work: () => Promise<unknown>): Promise<number> => {
    proxy.roundTrips = 0;
    await work();
    return proxy.roundTrips;
  };
  return { schema, driver, other, roundTripsOf };
}

const event = { events: [{ type: "own", payload: "1" }] };

test("a start, an event, a longer lease and the end of a stateless run cost one round trip each", async () => {
  const { driver, roundTripsOf } = await setUp();
  const { worker } = driver;
  const longer = (held: RunRecord) =>
    ({ kind: "extend_leases", worker, lease: 60_000, attempts: [attemptOf(held)] }) as const;
  let run: RunRecord;
  const costs: number[][] = [];
  for (let time = 0; time < 5; time++)
    costs.push([
      await roundTripsOf(async () => (run = await driver.start())),
      await roundTripsOf(async () => (run = await driver.record(run, event))),
      await roundTripsOf(() => driver.apply<"extend_leases">(longer(run))),
      await roundTripsOf(() => driver.settle(run)),
    ]);
  // The least of five times: where this process is held up for long, its reckoning of the time fails, and it asks.
  for (const step of [0, 1, 2, 3]) expect(Math.min(...costs.map((cost) => cost[step] as number))).toBe(1);
});

describe("a run that somebody else changed is read", () => {
  const undone: (() => void | Promise<void>)[] = [];
  let shared: Awaited<ReturnType<typeof setUp>>;
  beforeAll(async () => {
    shared = await setUp((undo) => void undone.push(undo));
    // Not all of it could be so by our own doing; what is tested is that it is noticed.
    await dropChecks(shared.schema);
  });
  afterAll(async () => {
    for (const undo of undone.reverse()) await undo();
  });

  test.each(Object.values(changingRunColumns))("%s", async (column) => {
    const { schema, driver, roundTripsOf } = shared;
    await server().sql(`delete from ${schema}.heddle_runs`);
    const run = await driver.record(await driver.start(), event);
    const [change] = await server().sql<{ type: string }>(
      `select data_type as type from information_schema.columns ` +
        `where table_schema = '${schema}' and table_name = 'heddle_runs' and column_name = '${column}'`,
    );
    const number = change?.type === "smallint" ? `1 - ${column}` : `coalesce(${column}, 0) + 1`;
    const text = column === "status" ? "'canceled'" : "'else'";
    const changed = change?.type === "text" ? text : number;
    const [row] = await server().sql<{ is: unknown }>(
      `update ${schema}.heddle_runs set ${column} = ${changed} where id = '${run.id}' returning ${column} as is`,
    );
    const tried = () => driver.record(run, event).catch(() => {});
    // One that fails, one that undoes it, then as if nothing was known.
    expect(await roundTripsOf(tried)).toBeGreaterThanOrEqual(3);
    const [after] = await server().sql<{ is: unknown }>(
      `select ${column} as is from ${schema}.heddle_runs where id = '${run.id}'`,
    );
    if (column === "last_seq") expect(Number(after?.is)).toBe(Number(row?.is) + 1);
    else expect(after).toEqual(row);
  });
});

async function dropChecks(schema: string): Promise<void> {
  const checks = await server().sql<{ name: string }>(
    `select conname as name from pg_constraint where conrelid = '${schema}.heddle_runs'::regclass and contype = 'c'`,
  );
  for (const { name } of checks) await server().sql(`alter table ${schema}.heddle_runs drop constraint "${name}"`);
}

test("a run that another process canceled ends as canceled, not as it is known", async () => {
  const { driver, other } = await setUp();
  const run = await driver.start();
  await other.cancel(run);
  expect(await driver.settle(run)).toMatchObject({ status: "canceled" });
});

test("a run that was removed meanwhile is not written again", async () => {
  const { schema, driver } = await setUp();
  const run = await driver.start();
  await server().sql(`delete from ${schema}.heddle_runs where id = '${run.id}'`);
  await expect(driver.record(run, event)).rejects.toMatchObject({ code: "LEASE_LOST" });
  expect(await server().sql(`select 1 from ${schema}.heddle_events where run_id = '${run.id}' and seq > 1`)).toEqual(
    [],
  );
});

test("what waits meanwhile is claimed first", async () => {
  const { driver, other } = await setUp();
  const older = await other.accept();
  const claim = { worker: driver.worker, lease: 15_000, agents: ["worker"] };
  const { claimed } = await driver.apply<"accept_run">(acceptRun({ claim }));
  expect(claimed).toBeUndefined();
  expect((await driver.claim(1)).map(({ id }) => id)).toEqual([older.run.id]);
});

describe("the time is the server's", () => {
  /** What passes here unnoticed: more than any time is let lag behind. */
  const slept = 1_500;

  test.each([
    ["where ours ran ahead", 5_000],
    ["where ours stood still, as that of a machine that slept", -slept],
  ])("%s", async (_, ahead) => {
    const { driver, roundTripsOf } = await setUp();
    if (ahead < 0) await new Promise((resolve) => setTimeout(resolve, slept));
    const { now } = performance;
    vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + ahead);
    const start = async () => {
      const before = Date.now();
      const { createdAt } = await driver.start();
      // The server's clock is this machine's.
      expect(createdAt).toBeGreaterThanOrEqual(before - 100);
      expect(createdAt).toBeLessThanOrEqual(Date.now());
    };
    expect(await roundTripsOf(start)).toBe(4);
    await knowsAgain(() => roundTripsOf(start));
  });

  test("it is asked for once in a while", async () => {
    const { driver, roundTripsOf } = await setUp();
    const { now } = performance;
    vi.spyOn(performance, "now").mockImplementation(() => now.call(performance) + 10_001);
    const cost = () => roundTripsOf(() => driver.start());
    expect(await cost()).toBe(2);
    await knowsAgain(cost);
  });

  /** Soon: where this process is held up for long, it asks once more. */
  const knowsAgain = (cost: () => Promise<number>) => vi.waitFor(async () => expect(await cost()).toBe(1));
});
