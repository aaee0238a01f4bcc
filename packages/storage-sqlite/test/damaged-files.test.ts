import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { testDirectory } from "./support/directory.js";
import { openDriver, openStorage } from "./support/storage.js";

const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

describe("a database that cannot be written", () => {
  test("on a read-only file system is STORAGE_READONLY", async (context) => {
    const directory = join(testDirectory(), "disk");
    mkdirSync(directory);
    try {
      execFileSync("mount", ["-t", "tmpfs", "tmpfs", directory], { stdio: "ignore" });
    } catch {
      return context.skip("a tmpfs cannot be mounted here (needs root on Linux)");
    }
    cleanups.push(() => execFileSync("umount", ["--lazy", directory]));
    const path = join(directory, "agents.db");
    await (await openStorage(path)).close();
    execFileSync("mount", ["-o", "remount,ro", directory]);
    await expect(openStorage(path)).rejects.toMatchObject({ code: "STORAGE_READONLY" });
    await expect(openStorage(join(directory, "new.db"))).rejects.toMatchObject({ code: "STORAGE_READONLY" });
    execFileSync("mount", ["-o", "remount,rw", directory]);
    await openStorage(path);
  });

  test("a protected file is STORAGE_READONLY", async (context) => {
    const path = join(testDirectory(), "agents.db");
    await (await openStorage(path)).close();
    try {
      execFileSync("chattr", ["+i", path], { stdio: "ignore" });
    } catch {
      return context.skip("files cannot be made immutable here");
    }
    cleanups.push(() => execFileSync("chattr", ["-i", path]));
    await expect(openStorage(path)).rejects.toMatchObject({ code: "STORAGE_READONLY" });
  });
});

describe("a damaged database", () => {
  test("with garbage in the middle is STORAGE_CORRUPT, and is not made worse by opening it", async () => {
    const path = join(testDirectory(), "agents.db");
    const driver = await openDriver(path);
    for (let i = 0; i < 200; i++) await driver.start();
    await driver.storage.close();
    overwrite(path, 4_096, statSync(path).size - 4_096);
    const before = readFileSync(path);
    await expect(
      (async () => {
        const damaged = await openDriver(path);
        await damaged.storage.runs.list({ sortBy: "createdAt", order: "asc", limit: 500 });
      })(),
    ).rejects.toMatchObject({ code: "STORAGE_CORRUPT" });
    expect(readFileSync(path).subarray(4_096).equals(before.subarray(4_096))).toBe(true);
  });

  test("that was cut off is STORAGE_CORRUPT", async () => {
    const path = join(testDirectory(), "agents.db");
    const driver = await openDriver(path);
    for (let i = 0; i < 200; i++) await driver.start();
    await driver.storage.close();
    execFileSync("truncate", ["-s", "12288", path]);
    await expect(
      (async () => {
        const damaged = await openDriver(path);
        await damaged.storage.runs.count({});
        await damaged.start();
      })(),
    ).rejects.toMatchObject({ code: "STORAGE_CORRUPT" });
  });

  test("one row that makes no sense harms only who needs it", async () => {
    const driver = await openDriver(join(testDirectory(), "agents.db"));
    const [bad, good] = [await driver.start(), await driver.start()];
    await driver.storage.transaction(async ({ host }) => {
      const { database } = host as { database: { prepare(sql: string): { run(...values: unknown[]): unknown } } };
      const canceled = "cancel_requested_at = 1, grace_until = 1, cancel_reason = '{'";
      database.prepare(`update heddle_runs set ${canceled} where id = ?`).run(bad.id);
    });
    const answers = await Promise.allSettled([driver.settle(bad), driver.settle(good)]);
    expect(answers.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  });
});

function overwrite(path: string, from: number, length: number): void {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(length, "garbage"), 0, length, from);
  closeSync(file);
}
