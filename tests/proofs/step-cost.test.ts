/** What a step costs does not depend on how many are done. Counted, not timed; the ratio of times is printed. */

import { join } from "node:path";
import { createEngine, defineAgent } from "@heddle/core";
import type { Storage } from "@heddle/core/storage";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { expect, test } from "vitest";
import { minutes, sized } from "./support/size.js";
import { median, printTable } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";

const steps = sized({ quick: 1_000, full: 10_000 });

test(
  `a run of ${steps} steps`,
  async () => {
    const storage = sqliteStorage({ path: join(tempDir(), "runs.db"), synchronous: "normal" });
    const counts = count(storage);
    const times: number[] = [];
    let replayed = 0;
    const agent = defineAgent({
      name: "stepper",
      retry: { maxFailures: 2, delay: 0 },
      run: async ({ step, attempt }) => {
        const before = { ...counts };
        for (let number = 0; number < steps; number++) {
          const startedAt = performance.now();
          await step(`step-${number}`, () => number);
          if (attempt === 1) times.push(performance.now() - startedAt);
        }
        if (attempt === 1) {
          expect(counts.commits - before.commits).toBe(steps);
          expect(counts.reads - before.reads).toBe(0);
          throw new Error("once more");
        }
        replayed = counts.reads - before.reads;
        expect(counts.commits - before.commits).toBe(0);
      },
    });
    await using engine = createEngine({ storage, agents: [agent] });
    await engine.start();
    const run = await engine.runs.start(agent, null);
    expect(await run.settled()).toMatchObject({ status: "succeeded" });
    // What the first read did not bring is looked up, one read each.
    expect(replayed).toBeLessThanOrEqual(steps);
    const tenth = Math.floor(steps / 10);
    const [first, last] = [median(times.slice(0, tenth)), median(times.slice(-tenth))];
    printTable("steps", [
      ["steps", steps],
      ["commits per step", 1],
      ["reads per step", 0],
      ["reads in the attempt that found all done", replayed],
      ["time of the last tenth / of the first, medians", last / first],
    ]);
  },
  10 * minutes,
);

/** Counts commits, and reads of what lineages remember. */
function count(storage: Storage): { commits: number; reads: number } {
  const counts = { commits: 0, reads: 0 };
  const { commit, lineages } = storage;
  storage.commit = (intents) => {
    counts.commits++;
    return commit.call(storage, intents);
  };
  const { memo, memos } = lineages;
  Object.assign(lineages, {
    memo: (ref: Parameters<typeof memo>[0]) => {
      counts.reads++;
      return memo.call(lineages, ref);
    },
    memos: (...given: Parameters<typeof memos>) => {
      counts.reads++;
      return memos.apply(lineages, given);
    },
  });
  return counts;
}
