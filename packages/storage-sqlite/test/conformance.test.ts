import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Storage } from "@heddle/core/storage";
import type { StorageFixture } from "@heddle/core/testing";
import { manualClock } from "@heddle/core/testing";
import { sqliteStorage } from "@heddle/storage-sqlite";
import BetterSqlite3 from "better-sqlite3";
import { afterEach, describe, test } from "vitest";
import { shareCases } from "../../storage-sql/test/support/share-cases.js";

const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** How a second storage gets at the same database. */
const forms: Record<string, () => StorageFixture> = {
  "a file, its connection shared": () => {
    const path = temporaryFile();
    return fixtureOf(
      () => sqliteStorage(path),
      () => sqliteStorage(path),
    );
  },
  "a file, two connections": () => {
    const path = temporaryFile();
    return fixtureOf(
      () => sqliteStorage(path),
      () => sqliteStorage(hostDatabase(path)),
    );
  },
  "a connection of the host's": () => {
    const database = hostDatabase(temporaryFile());
    return fixtureOf(
      () => sqliteStorage(database),
      () => sqliteStorage(database),
    );
  },
  memory: () => fixtureOf(() => sqliteStorage(":memory:")),
};

/** In memory, which is quick, all of them run. */
const casesOf = shareCases(Object.keys(forms).filter((name) => name !== "memory"));

for (const [form, createFixture] of Object.entries(forms)) {
  describe(`SQLite conforms: ${form}`, () => {
    for (const { group, name, run } of casesOf(form)) {
      test(`${group}: ${name}`, async (context) => {
        const outcome = await run(createFixture());
        if (outcome !== undefined) context.skip(outcome.skipped);
      });
    }
  });
}

function fixtureOf(first: () => Storage, second?: () => Storage): StorageFixture {
  const clock = manualClock();
  const opened = async (storage: Storage): Promise<Storage> => {
    await storage.open({ clock });
    return storage;
  };
  const fixture = { clock, open: () => opened(first()) };
  return second === undefined ? fixture : { ...fixture, reopen: () => opened(second()) };
}

function temporaryFile(): string {
  const directory = mkdtempSync(join(tmpdir(), "heddle-sqlite-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "agents.db");
}

function hostDatabase(path: string): BetterSqlite3.Database {
  const database = new BetterSqlite3(path);
  cleanups.push(() => database.close());
  return database;
}
