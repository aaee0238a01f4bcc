import { join } from "node:path";
import type { RunRecord, Storage } from "@heddle/core/storage";
import { StorageDriver } from "@heddle/core/testing";
import type { SqliteHost } from "@heddle/storage-sqlite";
import BetterSqlite3 from "better-sqlite3";
import { beforeEach, describe, expect, test } from "vitest";
import { testDirectory } from "./support/directory.js";
import { openStorage } from "./support/storage.js";

let path: string;
let storage: Storage<SqliteHost>;
let driver: StorageDriver;
let run: RunRecord;

const newTitle = "update heddle_threads set title = 'theirs'";

beforeEach(async () => {
  path = join(testDirectory(), "agents.db");
  storage = await openStorage(path);
  driver = new StorageDriver(storage);
  run = await driver.start({ threadId: "t" });
});

describe("records that are kept between transactions", () => {
  test("are forgotten when another connection has written", async () => {
    const other = new BetterSqlite3(path);
    other.exec(newTitle);
    other.close();
    expect(await driver.updateThread("t", { archived: true })).toMatchObject({ title: "theirs" });
  });

  test("are forgotten when the host has written on the same connection", async () => {
    await storage.transaction(async ({ host }) => host.database.exec(newTitle));
    expect(await driver.updateThread("t", { archived: true })).toMatchObject({ title: "theirs" });
  });

  test("are forgotten with the transaction that was to write them", async () => {
    const body = storage.transaction(async (tx) => {
      await tx.apply({ kind: "update_thread", id: "t", title: "never", maxMetadata: 100 });
      throw new Error("no");
    });
    await expect(body).rejects.toThrow("no");
    expect(await driver.updateThread("t", { archived: true })).toMatchObject({ title: null });
  });

  test("are forgotten when their thread is deleted", async () => {
    await driver.deleteThread("t");
    await expect(driver.settle(run)).rejects.toMatchObject({ code: "LEASE_LOST" });
    await expect(driver.updateThread("t", { title: "x" })).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
  });

  test("a run that another connection took over is fenced", async () => {
    const other = new StorageDriver(await openStorage(new BetterSqlite3(path)));
    await other.cancel(run, { grace: 0 });
    await other.tend(run);
    await expect(driver.settle(run)).rejects.toMatchObject({ code: "LEASE_LOST" });
  });
});
