/** The deterministic simulation on real databases, as docs/testing.md tells authors of storages to run it. */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SimulatedDatabase } from "@heddle/core/testing";
import { makePlan, simulate } from "@heddle/core/testing";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { size } from "./size.js";
import { closeDatabases, storages } from "./storages.js";

/** In memory it has tests of its own. */
const databases = storages.filter(({ name }) => name !== "memory");
afterAll(closeDatabases);

describe.each(databases)("the simulation on $name", (kind) => {
  const seeds = Math.max(3, Math.ceil(size(20, 300) * kind.fullShare));

  test(`every promise is kept, ${seeds} seeds`, { timeout: 600_000 }, async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { connect, cleanup } = await kind.create();
      const database = (): SimulatedDatabase => ({ connect });
      const { violations } = await simulate(makePlan(seed), { database });
      expect(violations, `seed ${seed}`).toEqual([]);
      await cleanup();
    }
  });
});

test("the same seed goes the same way on SQLite, and all connections are closed in the end", async () => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const hashOf = async (name: string): Promise<string> => {
    const path = join(folder, name);
    const database = () => ({ connect: () => sqliteStorage({ path, synchronous: "normal" }) });
    const { hash } = await simulate(makePlan(4), { database });
    // SQLite removes it with its last connection.
    expect(existsSync(`${path}-wal`)).toBe(false);
    return hash;
  };
  expect(await hashOf("one.db")).toBe(await hashOf("two.db"));
});
