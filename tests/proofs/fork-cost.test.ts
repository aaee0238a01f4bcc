/**
 * A fork costs the same however long the history is that it shares: two rows, and no more than 10 KB. Times are printed.
 */

import { statSync } from "node:fs";
import { join } from "node:path";
import type { Intent } from "@heddle/core/storage";
import { manualClock, StorageDriver, setKey, snapshot } from "@heddle/core/testing";
import { sqliteStorage } from "@heddle/storage-sqlite";
import BetterSqlite3 from "better-sqlite3";
import { expect, test } from "vitest";
import { printTable } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";

const forks = 200;
const most = { bytesPerFork: 10_000, against: 2 };

interface Cost {
  readonly checkpoints: number;
  readonly rows: number;
  /** Of the database, per fork. */
  readonly bytes: number;
  readonly ms: number;
}

test("a fork at 10,000 checkpoints costs what a fork at 10 costs", { timeout: 300_000 }, async () => {
  const [short, long] = [await costAt(10), await costAt(10_000)];
  printTable(
    "fork",
    [short, long].map(({ checkpoints, rows, bytes, ms }) => [
      `${checkpoints} checkpoints`,
      `${rows} rows`,
      `${Math.round(bytes)} bytes`,
      `${ms.toFixed(3)} ms`,
    ]),
  );
  expect(long.rows).toBe(short.rows);
  expect(long.rows).toBe(2);
  expect(long.bytes).toBeLessThanOrEqual(most.bytesPerFork);
  expect(long.bytes).toBeLessThanOrEqual(most.against * short.bytes);
});

/** Forks in the middle of the history, each in a commit of its own. */
async function costAt(checkpoints: number): Promise<Cost> {
  const path = join(tempDir(), `${checkpoints}.db`);
  const storage = sqliteStorage({ path, synchronous: "normal" });
  await storage.open({ clock: manualClock() });
  const driver = new StorageDriver(storage);
  const { id } = await driver.createThread({ values: snapshot({ n: 0 }) });
  const ids: string[] = [];
  for (let n = 1; n <= checkpoints; n += 100) {
    const edits = Array.from({ length: Math.min(100, checkpoints - n + 1) }, (_, at) => setKey("n", n + at));
    ids.push(...edits.map((edit) => edit.id));
    await storage.commit(edits.map((checkpoint): Intent => ({ kind: "move_head", threadId: id, checkpoint })));
  }
  const at = { id: ids[Math.floor(ids.length / 2)] as string, isShared: false };
  await driver.copyThread(id, { at });
  const before = measure(path);
  const began = performance.now();
  for (let n = 0; n < forks; n++) await driver.copyThread(id, { at });
  const ms = (performance.now() - began) / forks;
  const after = measure(path);
  await storage.close();
  return { checkpoints, rows: (after.rows - before.rows) / forks, bytes: (after.bytes - before.bytes) / forks, ms };
}

/** All rows of all tables, and the pages they are in. */
function measure(path: string): { readonly rows: number; readonly bytes: number } {
  const database = new BetterSqlite3(path);
  database.pragma("wal_checkpoint(truncate)");
  const tables = database.prepare("select name from sqlite_master where type = 'table'").pluck().all() as string[];
  const rows = tables.map((table) => database.prepare(`select count(*) from "${table}"`).pluck().get() as number);
  database.close();
  return { rows: rows.reduce((sum, count) => sum + count, 0), bytes: statSync(path).size };
}
