/** Bugs in what is told, hinted and read: wake-ups lost, hints lost, pages that overlap or leave out. */

import type { Effect, IntentResult } from "../../dist/storage.js";
import { isSettled } from "../../dist/storage.js";
import type { PlantedBug } from "./planted-bug.js";
import type { Commit, Plants } from "./planted-database.js";
import { plantedDatabase } from "./planted-database.js";

const bug = (name: string, plants: Plants): PlantedBug => ({ name, database: plantedDatabase(plants) });

/** The answer of a commit without some of its effects. */
function untold(isTold: (effect: Effect) => boolean): NonNullable<Plants["commits"]> {
  return async (intent, commit: Commit): Promise<IntentResult> => {
    const result = await commit(intent);
    return result.ok ? { ...result, effects: result.effects.filter(isTold) } : result;
  };
}

export const portBugs: readonly PlantedBug[] = [
  bug("nobody is woken for what became claimable", {
    commits: untold(({ type }) => type !== "claimable"),
    ports: ({ work }) => ({
      work: { ...work, due: async (query) => ({ ...(await work.due(query)), claimable: false }) },
    }),
  }),
  bug("who waits for a run is not told of its end", {
    commits: untold((effect) => effect.type !== "run" || !isSettled(effect.run.status)),
  }),
  bug("readers are not told of terminal events", {
    commits: untold(
      (effect) => effect.type !== "event" || !/^run_(succeeded|failed|canceled)$/.test(effect.event.type),
    ),
  }),
  bug("readers are not told of a thread's deletion", { commits: untold(({ type }) => type !== "thread_deleted") }),
  bug("other processes get no hints", { ports: ({ work }) => ({ work: { ...work, watch: () => () => {} } }) }),
  bug("a reader that joins skips an event", {
    ports: ({ events }) => ({
      events: {
        async read(query) {
          const page = await events.read(query);
          return page.length > 2 ? page.slice(1) : page;
        },
      },
    }),
  }),
  bug("a page begins with the event at the cursor", {
    ports: ({ events }) => ({
      events: { read: (query) => events.read({ ...query, after: Math.max(query.after - 1, 0) }) },
    }),
  }),
  bug("heartbeats are not written", {
    async commits(intent, commit, storage) {
      if (intent.kind !== "extend_leases") return commit(intent);
      const value = await Promise.all(
        intent.attempts.map(async ({ runId, attempt }) => ({ runId, attempt, run: await storage.runs.get(runId) })),
      );
      return { ok: true, value, effects: [] };
    },
  }),
  bug("living workers are taken for dead", {
    ports: ({ work }) => ({ work: { ...work, findDead: async (workers) => workers } }),
  }),
];
