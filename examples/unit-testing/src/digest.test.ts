/** An hour's delay, a hanging call, a retry and a busy thread, in a few ms of real time; on both storages alike. */

import { memoryStorage } from "@heddle/core";
import { createTestEngine } from "@heddle/core/testing";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { describe, expect, test } from "vitest";
import { digestAgent } from "./digest.js";

describe.each([
  ["memory", () => memoryStorage()],
  ["SQLite", () => sqliteStorage(":memory:")],
])("on %s", (_, storage) => {
  test("a digest survives a hanging source, and the next one waits for it", async () => {
    let calls = 0;
    const digest = digestAgent(async () => (++calls === 1 ? new Promise(() => {}) : ["loom found", `call ${calls}`]));
    await using t = await createTestEngine({ agents: [digest], storage: storage() });
    const thread = await t.engine.threads.create();

    const first = await thread.start(digest, { topic: "weaving" });
    const second = await thread.start(digest, { topic: "weaving" }, { whenBusy: "enqueue", delay: 3_600_000 });
    await t.runUntilIdle();

    expect(await first.info()).toMatchObject({ status: "succeeded", attempt: 2, failures: 1, output: { fresh: 2 } });
    expect(await second.result()).toEqual({ fresh: 1 });
    expect((await thread.values(digest)).headlines).toEqual(["loom found", "call 2", "call 3"]);
  });
});
