import { join } from "node:path";
import { StorageDriver } from "@heddle/core/testing";
import BetterSqlite3 from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { testDirectory } from "./support/directory.js";
import { openStorage } from "./support/storage.js";

let database: BetterSqlite3.Database;
let driver: StorageDriver;
let statements: string[];

beforeEach(async () => {
  const path = join(testDirectory(), "agents.db");
  database = new BetterSqlite3(path, { verbose: (sql) => statements.push(String(sql)) });
  statements = [];
  driver = new StorageDriver(await openStorage(database));
  statements = [];
});

afterEach(() => database.close());

const writes = () => statements.flatMap((sql) => /^(insert into|update|delete from) "\w+"/.exec(sql)?.[0] ?? []);
const commits = () => statements.filter((sql) => /^commit/i.test(sql)).length;

describe("what a run costs", () => {
  test("a stateless run: two commits and four writes", async () => {
    await driver.settle(await driver.start());
    expect(commits()).toBe(2);
    expect(writes()).toEqual([
      'insert into "heddle_runs"',
      'insert into "heddle_events"',
      'update "heddle_runs"',
      'insert into "heddle_events"',
    ]);
  });

  test("many at once: two commits for all", async () => {
    const { storage } = driver;
    const runs = await Promise.all(Array.from({ length: 10 }, () => driver.start()));
    statements = [];
    const outcome = { status: "succeeded", output: "1" } as const;
    await storage.commit(
      runs.map(({ id, threadId, lineageId, attempt }) => ({
        kind: "settle_run" as const,
        attempt: { runId: id, threadId, lineageId, attempt },
        outcome,
        events: [],
        finalCheckpointId: `chk-${id}`,
      })),
    );
    expect(commits()).toBe(1);
    expect(writes()).toHaveLength(20);
  });

  test("a heartbeat writes the lease and nothing else", async () => {
    const run = await driver.start();
    statements = [];
    const { id: runId, threadId, lineageId, attempt } = run;
    const attempts = [{ runId, threadId, lineageId, attempt }];
    await driver.apply<"extend_leases">({ kind: "extend_leases", worker: driver.worker, lease: 20_000, attempts });
    const [update] = statements.filter((sql) => sql.startsWith("update"));
    expect(update).toMatch(/^update "heddle_runs" set "lease_until" = [\d.]+ where/);
  });
});
