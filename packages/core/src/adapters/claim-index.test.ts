import fc from "fast-check";
import { expect, test } from "vitest";
import { byUrgency, isClaimable } from "../model/unit-of-work.js";
import { runRecord } from "../testing/shelf.js";
import { ClaimIndex } from "./claim-index.js";

const agents = ["a", "b", "c"];

test("answers as a search of all runs would, however the clock moves", () => {
  const run = fc
    .record({
      number: fc.nat(99),
      agent: fc.constantFrom(...agents),
      priority: fc.integer({ min: -1, max: 1 }),
      availableAt: fc.nat(10),
    })
    .map(({ number, ...given }) => runRecord({ id: `run${number}`, ...given }));
  const question = fc.record({ agents: fc.subarray(agents), now: fc.nat(12), limit: fc.nat(4) });
  fc.assert(
    fc.property(fc.uniqueArray(run, { selector: ({ id }) => id }), fc.array(question), (runs, questions) => {
      const index = new ClaimIndex();
      const stored = new Set(runs);
      for (const each of runs) index.insert(each);
      for (const query of questions) {
        const due = [...stored].filter((candidate) => isClaimable(candidate, query)).sort(byUrgency);
        expect(index.first(query)).toEqual(due.slice(0, query.limit));
        expect(index.nextAt(query.agents, query.now)).toBe(nextOf(stored, query.agents, query.now));
        const [claimed] = due;
        if (claimed !== undefined) index.remove(claimed);
        if (claimed !== undefined) stored.delete(claimed);
      }
    }),
  );
});

function nextOf(runs: Iterable<ReturnType<typeof runRecord>>, wanted: readonly string[], now: number): number | null {
  const times = [...runs].filter((run) => wanted.includes(run.agent) && run.availableAt > now);
  return times.length === 0 ? null : Math.min(...times.map((run) => run.availableAt));
}
