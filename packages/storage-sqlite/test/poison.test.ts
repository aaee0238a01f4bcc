import { join } from "node:path";
import type { Intent } from "@heddle/core/storage";
import { beforeEach, describe, expect, test } from "vitest";
import { testDirectory } from "./support/directory.js";
import { newRun, newThread } from "./support/intents.js";
import { openStorage } from "./support/storage.js";

let storage: Awaited<ReturnType<typeof openStorage>>;

beforeEach(async () => {
  storage = await openStorage(join(testDirectory(), "agents.db"));
});

const withCheckpoint = (id: string): Intent => ({
  ...newThread(id),
  values: { id: "chk_same", encoding: "snapshot", body: "{}", valuesBytes: 2, changedKeys: [] },
});

describe("a poisonous intent fails alone", () => {
  test("one that breaks a constraint", async () => {
    const results = await storage.commit([
      newThread("a"),
      withCheckpoint("b"),
      withCheckpoint("c"),
      newRun("d"),
      newRun("d"),
    ]);
    expect(results.map(({ ok }) => ok)).toEqual([true, true, false, true, false]);
    expect(results[2]).toMatchObject({
      error: { code: "STORAGE_ERROR", details: { sqliteCode: "SQLITE_CONSTRAINT_PRIMARYKEY" } },
    });
    expect(await storage.threads.count({})).toBe(2);
  });

  test("one that breaks the model", async () => {
    const broken = { ...newRun("x"), run: { ...newRun("x").run, priority: {} as never } };
    const results = await storage.commit([newRun("a"), broken, { kind: "nonsense" } as never, newRun("b")]);
    expect(results.map(({ ok }) => ok)).toEqual([true, false, false, true]);
    expect(await storage.runs.count({})).toBe(2);
  });

  test("one that is refused costs the others no second transaction", async () => {
    const results = await storage.commit([newThread("a"), newThread("a"), newThread("b")]);
    expect(results.map((result) => (result.ok ? "ok" : result.error.code))).toEqual(["ok", "THREAD_EXISTS", "ok"]);
  });

  test("removals in the middle of a batch see what came before them", async () => {
    const results = await storage.commit([
      newThread("a"),
      { kind: "delete_thread", id: "a", keepTombstone: 1_000 },
      newThread("a"),
      { kind: "delete_thread", id: "missing", keepTombstone: 1_000 },
    ]);
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true, false]);
    expect(await storage.threads.get("a")).toBeDefined();
    expect(await storage.threads.isDeleted("a")).toBe(false);
  });
});
