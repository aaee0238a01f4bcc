/** Bugs in what a lineage remembers: steps and sleeps. */

import { AttemptPause } from "../../dist/engine/attempt-pause.js";
import type { Changes, MemoKind, MemoRecord } from "../../dist/storage.js";
import type { PlantedBug } from "./planted-bug.js";
import { patch } from "./planted-bug.js";
import type { Plants } from "./planted-database.js";
import { plantedDatabase } from "./planted-database.js";

const bug = (name: string, plants: Plants): PlantedBug => ({ name, database: plantedDatabase(plants) });

/** Memos of one kind are written otherwise, or not at all. */
const written = (kind: MemoKind, change: (memo: MemoRecord) => MemoRecord | undefined): Plants => ({
  writes: (changes) => ({
    ...changes,
    memos: changes.memos.flatMap((memo) => (memo.kind === kind ? (change(memo) ?? []) : memo)),
  }),
});

export const memoryBugs: readonly PlantedBug[] = [
  bug(
    "the results of steps are not kept",
    written("step", () => undefined),
  ),
  bug(
    "the result of a step is kept as another",
    written("step", (memo) => ({ ...memo, body: memo.body?.replace("@1", "@9") ?? null })),
  ),
  bug("a run that goes on from an answer knows nothing of its lineage", {
    ports: ({ lineages, runs }) => ({
      lineages: {
        ...lineages,
        async memos(lineageId, limit) {
          const first = await runs.get(lineageId);
          return first?.status === "interrupted" ? [] : lineages.memos(lineageId, limit);
        },
      },
    }),
  }),
  bug(
    "a sleep begins anew with each attempt",
    written("sleep", () => undefined),
  ),
  bug(
    "a sleep is kept as if it were over",
    written("sleep", (memo) => ({ ...memo, body: "0" })),
  ),
  bug("a run that sleeps goes on too early", { writes: wakeEarly }),
  {
    name: "an attempt does not wait for its steps when it ends itself",
    install() {
      const undo = [
        patch(AttemptPause.prototype, "stepBegins", () => () => {}),
        patch(AttemptPause.prototype, "stepEnds", () => () => {}),
      ];
      return () => {
        for (const one of undo) one();
      };
    },
  },
];

/** After its first attempt, as it would never come to sleep otherwise. */
function wakeEarly(changes: Changes): Changes {
  const suspended = changes.events.filter(({ type, attempt }) => type === "run_suspended" && attempt === 1);
  const ids = suspended.map(({ runId }) => runId);
  return {
    ...changes,
    runs: changes.runs.map(({ before, after }) => ({
      before,
      after: ids.includes(after.id) ? { ...after, availableAt: after.availableAt - 2_000 } : after,
    })),
  };
}
