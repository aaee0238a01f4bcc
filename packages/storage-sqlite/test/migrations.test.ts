import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { migrations } from "@heddle/storage-sql";
import BetterSqlite3 from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { Child } from "./support/child.js";
import { testDirectory } from "./support/directory.js";
import { openDriver, openStorage } from "./support/storage.js";

const newest = migrations.length;
const dumpFile = fileURLToPath(new URL("../schema.sql", import.meta.url));

describe("opening a database makes it Heddle's", () => {
  test("a new file gets the schema that is committed as schema.sql (UPDATE_SCHEMA=1 writes it anew)", async () => {
    const path = join(testDirectory(), "agents.db");
    await openStorage(path);
    const dump = dumpOf(path);
    if (process.env.UPDATE_SCHEMA === "1") writeFileSync(dumpFile, dump);
    expect(dump).toBe(readFileSync(dumpFile, "utf8"));
  });

  test("four processes at once on a new file: each migration is applied once, and all can work", async () => {
    const path = join(testDirectory(), "agents.db");
    const children = await Promise.all([1, 2, 3, 4].map(() => Child.start()));
    await Promise.all(children.map((child) => child.open(path)));
    expect(versionsIn(path)).toEqual(migrations.map(({ version }) => version));
  });

  test("a file with the host's own tables keeps them, also one named runs", async () => {
    const path = join(testDirectory(), "host.db");
    withDatabase(path, (database) => database.exec("create table runs (id); insert into runs values (7)"));
    const driver = await openDriver(path);
    await driver.start();
    withDatabase(path, (database) => expect(database.prepare("select id from runs").all()).toEqual([{ id: 7 }]));
  });

  test("an empty file is a new database", async () => {
    const path = join(testDirectory(), "empty.db");
    writeFileSync(path, "");
    await openStorage(path);
    expect(versionsIn(path)).toHaveLength(newest);
  });

  test("a migration that fails half-way leaves nothing behind, and works once the cause is gone", async () => {
    const path = join(testDirectory(), "agents.db");
    // The last statement of the first migration makes an index of this name.
    withDatabase(path, (database) => database.exec("create table t (a); create index heddle_tombstones_keep on t (a)"));
    await expect(openStorage(path)).rejects.toMatchObject({ code: "STORAGE_ERROR" });
    expect(tablesIn(path)).toEqual(["t"]);
    withDatabase(path, (database) => database.exec("drop index heddle_tombstones_keep"));
    await openStorage(path);
    expect(versionsIn(path)).toHaveLength(newest);
  });
});

describe("what is not ours stays as it is", () => {
  test("a newer schema is refused with STORAGE_NEWER", async () => {
    const path = join(testDirectory(), "agents.db");
    await (await openStorage(path)).close();
    withDatabase(path, (database) => {
      database.prepare("insert into heddle_migrations values (?, 'of the future', 0)").run(newest + 1);
    });
    const before = readFileSync(path);
    await expect(openStorage(path)).rejects.toMatchObject({
      code: "STORAGE_NEWER",
      details: { found: newest + 1, known: newest },
    });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test.each([1, 100, 511, 512, 5_000])("a text file of %i bytes is refused with STORAGE_FOREIGN", async (size) => {
    const directory = testDirectory();
    const path = join(directory, "notes.txt");
    const text = "dear diary ".repeat(500).slice(0, size);
    writeFileSync(path, text);
    await expect(openStorage(path)).rejects.toMatchObject({ code: "STORAGE_FOREIGN" });
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(readdirSync(directory)).toEqual(["notes.txt"]);
  });

  test("a database with somebody else's heddle_ tables is refused, its journal mode included", async () => {
    const path = join(testDirectory(), "other.db");
    withDatabase(path, (database) => database.exec("create table heddle_runs (a)"));
    const before = readFileSync(path);
    await expect(openStorage(path)).rejects.toMatchObject({
      code: "STORAGE_FOREIGN",
      details: { table: "heddle_runs" },
    });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test("a directory, and a file in a directory that is not there, are STORAGE_UNAVAILABLE", async () => {
    const directory = testDirectory();
    mkdirSync(join(directory, "folder.db"));
    await expect(openStorage(join(directory, "folder.db"))).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    await expect(openStorage(join(directory, "nowhere", "a.db"))).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
    });
  });
});

function withDatabase(path: string, work: (database: BetterSqlite3.Database) => void): void {
  const database = new BetterSqlite3(path);
  try {
    work(database);
  } finally {
    database.close();
  }
}

function versionsIn(path: string): number[] {
  const database = new BetterSqlite3(path, { readonly: true });
  const versions = database.prepare("select version from heddle_migrations order by version").pluck().all();
  database.close();
  return versions as number[];
}

function tablesIn(path: string): unknown[] {
  const database = new BetterSqlite3(path, { readonly: true });
  const tables = database.prepare("select name from sqlite_master where type = 'table' order by name").pluck().all();
  database.close();
  return tables;
}

/** Every table and index, one statement each, broken into lines a reader can compare. */
function dumpOf(path: string): string {
  const database = new BetterSqlite3(path, { readonly: true });
  const statements = database
    .prepare("select sql from sqlite_master where sql is not null order by tbl_name, type desc, name")
    .pluck()
    .all() as string[];
  database.close();
  return `${statements.map((sql) => `${sql.replace(/, (?=")/g, ",\n  ")};`).join("\n\n")}\n`;
}
