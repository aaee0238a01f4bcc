/**
 * In a project outside the workspace, on whichever Node and better-sqlite3 it has: does SQLite keep the storage's
 * contract there? Two storages on one file, each case on a file of its own.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualClock, type StorageFixture, storageConformance } from "@heddle/core/testing";
import { sqliteStorage } from "@heddle/storage-sqlite";

const folder = mkdtempSync(join(tmpdir(), "heddle-conformance-"));
const count = { kept: 0, skipped: 0 };
try {
  for (const [index, { group, name, run }] of storageConformance.entries()) {
    const outcome = await run(fixtureOn(join(folder, `${index}.db`))).catch((cause: unknown) => {
      throw new Error(`${group}: ${name}`, { cause });
    });
    if (outcome === undefined) count.kept++;
    else count.skipped++;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const fromStorage = createRequire(import.meta.resolve("@heddle/storage-sqlite"));
const { version } = fromStorage("better-sqlite3/package.json") as { version: string };
console.log(
  `Node ${process.versions.node}, better-sqlite3 ${version}: ${count.kept} cases kept, ${count.skipped} skipped`,
);
if (count.kept === 0) throw new Error("no case was run");

function fixtureOn(path: string): StorageFixture {
  const clock = manualClock();
  const open = async () => {
    const storage = sqliteStorage(path);
    await storage.open({ clock });
    return storage;
  };
  return { clock, open, reopen: open };
}
