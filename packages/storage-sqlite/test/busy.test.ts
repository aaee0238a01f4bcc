import { join } from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { beforeEach, describe, expect, test } from "vitest";
import { Child } from "./support/child.js";
import { testDirectory } from "./support/directory.js";
import { newThread } from "./support/intents.js";
import { openStorage } from "./support/storage.js";

const full = (process.env.HEDDLE_TEST_SIZE ?? "quick") !== "quick";

let path: string;

beforeEach(() => {
  path = join(testDirectory(), "agents.db");
});

describe("another process holds the writer's lock", () => {
  test("commits wait without blocking the event loop, and reads do not wait", async () => {
    const storage = await openStorage(path);
    const child = await Child.start();
    await child.lock(path);
    const committing = storage.commit([newThread("t")]);
    const queued = storage.commit([newThread("u")]);
    const blocked = await longestTurn(300);
    expect(blocked).toBeLessThan(100);
    expect(await storage.threads.count({})).toBe(0);
    await child.unlock();
    expect((await Promise.all([committing, queued])).flat().every(({ ok }) => ok)).toBe(true);
  });

  test("a host connection's own long timeout does not block either, and is kept", async () => {
    const database = new BetterSqlite3(path);
    const storage = await openStorage(database);
    const child = await Child.start();
    await child.lock(path);
    const committing = storage.commit([newThread("t")]);
    expect(await longestTurn(200)).toBeLessThan(100);
    await child.unlock();
    await committing;
    expect(database.pragma("busy_timeout", { simple: true })).toBe(5_000);
    database.close();
  });

  test.skipIf(!full)("after ten seconds a commit is STORAGE_BUSY, and nothing was written", async () => {
    const storage = await openStorage(path);
    const child = await Child.start();
    await child.lock(path);
    await expect(storage.commit([newThread("t")])).rejects.toMatchObject({ code: "STORAGE_BUSY" });
    await child.unlock();
    expect(await storage.threads.count({})).toBe(0);
    await storage.commit([newThread("t")]);
  });
});

describe("many processes write", () => {
  test("four that read, wait a turn and write lose nothing, and nobody waits for ever", async () => {
    const storage = await openStorage(path);
    await storage.transaction(async ({ host }) => {
      host.database.exec("create table counter (n integer); insert into counter values (0)");
    });
    const children = await Promise.all([1, 2, 3, 4].map(() => Child.start()));
    await Promise.all(children.map((child) => child.open(path)));
    await Promise.all(children.map((child) => child.count(50)));
    const { result } = await storage.transaction(async ({ host }) =>
      host.database.prepare("select n from counter").get(),
    );
    expect(result).toEqual({ n: 200 });
  });
});

/** The longest that a timer of 1 ms was late while waiting for `duration` ms. */
async function longestTurn(duration: number): Promise<number> {
  let longest = 0;
  const until = performance.now() + duration;
  while (performance.now() < until) {
    const before = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1));
    longest = Math.max(longest, performance.now() - before);
  }
  return longest;
}
