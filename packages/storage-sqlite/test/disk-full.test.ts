import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { testDirectory } from "./support/directory.js";
import { newRun } from "./support/intents.js";
import { openStorage } from "./support/storage.js";

const mounted: string[] = [];

afterEach(() => {
  for (const directory of mounted.splice(0)) execFileSync("umount", ["--lazy", directory]);
});

/** A file system of 2 MiB of its own; `undefined` where this machine lets nobody mount one. */
function smallDisk(): string | undefined {
  const directory = join(testDirectory(), "disk");
  mkdirSync(directory);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", directory], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  mounted.push(directory);
  return directory;
}

const noDisk = "a small tmpfs cannot be mounted here (needs root on Linux)";
const large = JSON.stringify("x".repeat(100_000));

describe("the disk is full", () => {
  test("commits say STORAGE_FULL and write nothing; reads go on; it works again once there is space", async (context) => {
    const disk = smallDisk();
    if (disk === undefined) return context.skip(noDisk);
    const storage = await openStorage(join(disk, "agents.db"));
    writeFileSync(join(disk, "ballast"), Buffer.alloc(1_000_000));
    let accepted = 0;
    const fill = async () => {
      for (; accepted < 100; accepted++) await storage.commit([newRun(`run_${accepted}`, { input: large })]);
    };
    await expect(fill()).rejects.toMatchObject({ code: "STORAGE_FULL" });
    expect(await storage.runs.count({})).toBe(accepted);
    await expect(storage.commit([newRun("run_full", { input: large })])).rejects.toMatchObject({
      code: "STORAGE_FULL",
    });
    rmSync(join(disk, "ballast"));
    const [result] = await storage.commit([newRun("run_after", { input: large })]);
    expect(result).toMatchObject({ ok: true });
    expect(await storage.runs.count({})).toBe(accepted + 1);
    await storage.close();
    const again = await openStorage(join(disk, "agents.db"));
    expect(await again.runs.get("run_after")).toMatchObject({ input: large });
  });

  test("a transaction that meets it is undone as a whole", async (context) => {
    const disk = smallDisk();
    if (disk === undefined) return context.skip(noDisk);
    const storage = await openStorage(join(disk, "agents.db"));
    const body = storage.transaction(async (tx) => {
      for (let i = 0; i < 100; i++) await tx.apply(newRun(`run_${i}`, { input: large }));
    });
    await expect(body).rejects.toMatchObject({ code: "STORAGE_FULL" });
    expect(await storage.runs.count({})).toBe(0);
    await storage.commit([newRun("run_small")]);
  });

  test("a database that has no room to begin is refused, and opens once there is", async (context) => {
    const disk = smallDisk();
    if (disk === undefined) return context.skip(noDisk);
    writeFileSync(join(disk, "ballast"), Buffer.alloc(2 * 1024 * 1024 - 8_192));
    const path = join(disk, "agents.db");
    await expect(openStorage(path)).rejects.toMatchObject({ code: "STORAGE_FULL" });
    rmSync(join(disk, "ballast"));
    await openStorage(path);
  });
});
