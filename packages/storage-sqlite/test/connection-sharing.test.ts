import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { sqliteStorage } from "@heddle/storage-sqlite";
import BetterSqlite3 from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { testDirectory } from "./support/directory.js";
import { openDriver, openStorage, realClock } from "./support/storage.js";

/** The process-wide registry, as another copy of the package would find it. */
function connections(): ReadonlyMap<string, { readonly users: number }> {
  const state = (globalThis as never)[Symbol.for("heddle.sqlite.connections")] as {
    readonly connections: ReadonlyMap<string, { readonly users: number }>;
  };
  return state.connections;
}

describe("one process has one connection to a file", () => {
  test("by whatever path: absolute, relative, through links to the file and to its directory", async () => {
    const directory = testDirectory();
    const path = join(directory, "agents.db");
    symlinkSync(path, join(directory, "link.db"));
    mkdirSync(join(directory, "elsewhere"));
    symlinkSync(directory, join(directory, "elsewhere", "back"));
    // The link comes first: what it points to is not there yet.
    await openStorage(join(directory, "link.db"));
    await openStorage(path);
    await openStorage(relative(process.cwd(), path));
    await openStorage(join(directory, "elsewhere", "back", "agents.db"));
    expect([...connections()].map(([name, { users }]) => [name, users])).toEqual([[path, 4]]);
  });

  test("the last user closes it, and only the database file is left", async () => {
    const path = join(testDirectory(), "agents.db");
    const [first, second] = [await openDriver(path), await openDriver(path)];
    await first.start();
    await first.storage.close();
    await second.start();
    expect(existsSync(`${path}-wal`)).toBe(true);
    await second.storage.close();
    await second.storage.close();
    expect(connections().size).toBe(0);
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(existsSync(`${path}-shm`)).toBe(false);
  });

  test("transactions of two storages take turns", async () => {
    const path = join(testDirectory(), "agents.db");
    const [first, second] = [await openStorage(path), await openStorage(path)];
    const order: string[] = [];
    const slowly = (name: string) => async () => {
      order.push(`${name} begins`);
      for (let i = 0; i < 3; i++) await realClock.turn();
      order.push(`${name} ends`);
    };
    await Promise.all([
      first.transaction(slowly("a")),
      second.transaction(slowly("b")),
      first.transaction(slowly("c")),
    ]);
    expect(order).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  });

  test("reads wait for an open transaction and then see what it wrote", async () => {
    const driver = await openDriver(join(testDirectory(), "agents.db"));
    const writing = driver.storage.transaction(async (tx) => {
      await realClock.turn();
      await tx.apply({ kind: "create_thread", id: "t", title: null, metadata: "{}", ifExists: "fail" });
      await realClock.turn();
    });
    await realClock.turn();
    expect(await driver.storage.threads.get("t")).toMatchObject({ id: "t" });
    await writing;
  });

  test("full durability wins where one user asks for it", async () => {
    const path = join(testDirectory(), "agents.db");
    const synchronous = async (storage: Awaited<ReturnType<typeof openStorage>>) =>
      (await storage.transaction(async ({ host }) => host.database.pragma("synchronous", { simple: true }))).result;
    const relaxed = await openStorage({ path, synchronous: "normal" });
    expect(await synchronous(relaxed)).toBe(1);
    await openStorage(path);
    expect(await synchronous(relaxed)).toBe(2);
  });
});

describe("a connection of the host's", () => {
  test("is used as it is and never closed", async () => {
    const path = join(testDirectory(), "host.db");
    const database = new BetterSqlite3(path);
    const driver = await openDriver(database);
    await driver.start();
    await driver.storage.close();
    expect(database.pragma("journal_mode", { simple: true })).toBe("delete");
    expect(database.pragma("busy_timeout", { simple: true })).toBe(5_000);
    expect(database.prepare("select count(*) from heddle_runs").pluck().get()).toBe(1);
    database.close();
  });

  test("may read integers as BigInt", async () => {
    const database = new BetterSqlite3(":memory:");
    database.defaultSafeIntegers();
    const driver = await openDriver(database);
    const run = await driver.start();
    await driver.settle(run);
    expect((await driver.run(run)).createdAt).toBeTypeOf("number");
    database.close();
  });

  test("that is in a transaction of the host's own is waited for", async () => {
    const database = new BetterSqlite3(join(testDirectory(), "host.db"));
    const driver = await openDriver(database);
    database.exec("begin");
    const accepting = driver.accept();
    await new Promise((resolve) => setTimeout(resolve, 20));
    database.exec("rollback");
    await accepting;
    database.close();
  });

  test("that the host closed answers STORAGE_UNAVAILABLE, and closing still works", async () => {
    const database = new BetterSqlite3(join(testDirectory(), "host.db"));
    const { storage } = await openDriver(database);
    await storage.work.announce("wrk_1");
    database.close();
    await expect(storage.runs.get("x")).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    await storage.close();
  });
});

describe("opening and closing", () => {
  test("each open wants its close; use before and after is STORAGE_UNAVAILABLE", async () => {
    const storage = sqliteStorage(":memory:");
    await expect(storage.runs.get("x")).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    await Promise.all([storage.open({ clock: realClock }), storage.open({ clock: realClock })]);
    await storage.close();
    expect(await storage.runs.get("x")).toBeUndefined();
    await storage.close();
    await storage.close();
    await expect(storage.runs.get("x")).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  });

  test("a failed open may be tried again", async () => {
    const directory = testDirectory();
    const storage = sqliteStorage(join(directory, "new", "agents.db"));
    await expect(storage.open({ clock: realClock })).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    mkdirSync(join(directory, "new"));
    await storage.open({ clock: realClock });
    await storage.close();
  });

  test("commits that were begun before close are done", async () => {
    const path = join(testDirectory(), "agents.db");
    const first = await openDriver(path);
    const started = [first.start(), first.start()];
    await first.storage.close();
    await Promise.all(started);
    const second = await openDriver(path);
    expect(await second.storage.runs.count({})).toBe(2);
  });

  test.each([
    ["an empty path", ""],
    ["no source", {}],
    ["two sources", { path: "a.db", database: new BetterSqlite3(":memory:") }],
    ["another durability", { path: "a.db", synchronous: "off" }],
    ["something else", 7],
  ])("%s is INVALID_ARGUMENT", (_, source) => {
    expect(() => sqliteStorage(source as never)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
