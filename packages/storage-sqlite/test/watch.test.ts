import { join } from "node:path";
import { manualClock } from "@heddle/core/testing";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { Child } from "./support/child.js";
import { testDirectory } from "./support/directory.js";
import { newRun, newThread } from "./support/intents.js";
import { openStorage, realClock } from "./support/storage.js";

let path: string;

beforeEach(() => {
  path = join(testDirectory(), "agents.db");
});

describe("noticing what others commit", () => {
  test("another process's commit is hinted, our own is not", async () => {
    const storage = await openStorage(path);
    const hint = vi.fn();
    storage.work.watch(hint);
    await storage.commit([newRun("ours")]);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(hint).not.toHaveBeenCalled();
    const child = await Child.start();
    await child.open(path);
    hint.mockClear();
    await child.commit([newThread("theirs")]);
    await vi.waitFor(() => expect(hint).toHaveBeenCalled(), { interval: 5, timeout: 1_000 });
    expect(await storage.threads.get("theirs")).toBeDefined();
  });

  test("storages of this process that share the connection are hinted without a poll", async () => {
    const [first, second] = [await openStorage(path), await openStorage(path)];
    const [ownHint, otherHint] = [vi.fn(), vi.fn()];
    first.work.watch(ownHint);
    second.work.watch(otherHint);
    await first.commit([newRun("r1"), newRun("r2")]);
    await realClock.turn();
    await realClock.turn();
    expect(otherHint).toHaveBeenCalledTimes(1);
    expect(ownHint).not.toHaveBeenCalled();
  });

  test("engines that share one storage are all hinted", async () => {
    const storage = await openStorage(":memory:");
    const hints = [vi.fn(), vi.fn()];
    for (const hint of hints) storage.work.watch(hint);
    await storage.transaction((tx) => tx.apply(newRun("r")));
    await realClock.turn();
    await realClock.turn();
    for (const hint of hints) expect(hint).toHaveBeenCalled();
  });

  test("the clock is only used while somebody watches", async () => {
    const clock = manualClock();
    const storage = sqliteStorage(path);
    await storage.open({ clock });
    expect(clock.nextTimer()).toBeUndefined();
    const undo = storage.work.watch(() => {});
    const undoOther = storage.work.watch(() => {});
    expect(clock.nextTimer("upkeep")).toBe(clock.now() + 1_000);
    expect(clock.nextTimer("work")).toBeUndefined();
    undo();
    undo();
    expect(clock.nextTimer()).toBeDefined();
    undoOther();
    expect(clock.nextTimer()).toBeUndefined();
    storage.work.watch(() => {});
    await storage.close();
    expect(clock.nextTimer()).toBeUndefined();
  });

  test("it looks every 50 ms; of a virtual clock every second", async () => {
    const clock = Object.assign(manualClock(), { isSystemClock: true as const });
    const storage = sqliteStorage(path);
    await storage.open({ clock });
    storage.work.watch(() => {});
    expect(clock.nextTimer("upkeep")).toBe(clock.now() + 50);
    await storage.close();
  });

  test("no poll runs inside an open transaction; the one after it sees what changed", async () => {
    const clock = manualClock();
    const storage = sqliteStorage(path);
    await storage.open({ clock });
    const child = await Child.start();
    await child.open(path);
    const hint = vi.fn();
    storage.work.watch(hint);
    await child.commit([newThread("t")]);
    await storage.transaction(async () => {
      await clock.advance(2_000);
      expect(hint).not.toHaveBeenCalled();
    });
    await clock.advance(1_000);
    expect(hint).toHaveBeenCalledTimes(1);
    await clock.advance(10_000);
    expect(hint).toHaveBeenCalledTimes(1);
    await storage.close();
  });
});
