/** Threads that wait for a person, and runs that sleep, hold nothing in the process: no timer, no connection, no attempt. */

import { join } from "node:path";
import { createEngine, defineAgent } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { expect, test } from "vitest";
import { minutes, sized } from "./support/size.js";
import { countBy, printTable } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";

const threads = sized({ quick: 500, full: 10_000 });

const asker = defineAgent({ name: "asker", run: async ({ interrupt }) => ({ output: await interrupt("q", null) }) });

test(
  `${threads} waiting threads`,
  async () => {
    await using engine = createEngine({ storage: sqliteStorage(join(tempDir(), "runs.db")), agents: [asker] });
    await engine.start();
    const before = resources();
    for (let started = 0; started < threads; started += 100) {
      const runs = Array.from({ length: 100 }, async () => (await engine.threads.create()).start(asker, null));
      for (const run of await Promise.all(runs)) expect((await run.settled()).status).toBe("interrupted");
    }
    expect(await engine.threads.count({ status: "interrupted" })).toBe(threads);
    const after = resources();
    printTable("waiting threads", [
      ["threads", threads],
      ["resources before", text(before)],
      ["resources while all wait", text(after)],
    ]);
    for (const [kind, count] of Object.entries(after)) expect(count, kind).toBeLessThanOrEqual(before[kind] ?? 0);
  },
  10 * minutes,
);

/** What keeps this process busy, by kind. */
function resources(): Record<string, number> {
  return countBy(process.getActiveResourcesInfo(), (kind) => kind);
}

const text = (counts: object): string => JSON.stringify(counts);
