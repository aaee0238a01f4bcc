/** DESIGN section 3, invariant 9: the same command sequence gives the same results on every storage. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualClock, memoryFixture, preloadingFixture, type StorageFixture, sameResults } from "@heddle/core/testing";
import { postgresStorage } from "@heddle/storage-postgres";
import { sqliteStorage } from "@heddle/storage-sqlite";
import fc from "fast-check";
import { afterAll, describe, test } from "vitest";
import { freshSchema, useServer } from "../packages/storage-postgres/test/support/server.js";
import { randomSteps } from "./random-steps.js";
import { size } from "./size.js";

const directory = mkdtempSync(join(tmpdir(), "heddle-agree-"));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;

function sqliteFixture(path = join(directory, `${++files}.db`)): StorageFixture {
  const clock = manualClock();
  const open = async () => {
    const storage = sqliteStorage(path);
    await storage.open({ clock });
    return storage;
  };
  return { clock, open };
}

const server = useServer();

function postgresFixture(): StorageFixture {
  const clock = manualClock();
  const storage = postgresStorage({
    connectionString: server().url(),
    schema: freshSchema(),
    connections: 2,
    listen: false,
  });
  const open = async () => {
    await storage.open({ clock });
    return storage;
  };
  return { clock, open };
}

const others: [name: string, fixture: () => StorageFixture, sequences: number][] = [
  ["memory that preloads", preloadingFixture, size(100, 2_000)],
  ["SQLite in memory", () => sqliteFixture(":memory:"), size(50, 1_000)],
  ["SQLite in a file", sqliteFixture, size(10, 200)],
  ["PostgreSQL", postgresFixture, size(20, 150)],
];

describe.each(others)("memory and %s", (_name, fixture, sequences) => {
  test("give the same results", { timeout: 900_000 }, async () => {
    const property = fc.asyncProperty(randomSteps(60), (steps) => sameResults(memoryFixture(), fixture(), steps));
    // A failing sequence is made smaller for a while, not for ever.
    await fc.assert(property, { numRuns: sequences, interruptAfterTimeLimit: size(60_000, 120_000, 240_000) });
  });
});
