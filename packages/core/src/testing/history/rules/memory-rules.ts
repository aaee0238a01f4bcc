/** What is promised of what a lineage remembers: steps that were done and sleeps that are over, whatever crashes. */

import type { AttemptFacts } from "./attempt-facts.js";
import type { Facts, Rule, RunFacts } from "./facts.js";
import { begunAt, mayBeRolledBack } from "./facts.js";

export const memoryRules = {
  *"a step that was done is not done again"(facts: Facts) {
    for (const attempts of lineagesInOrder(facts)) {
      const done = new Map<string, AttemptFacts>();
      for (const { attempt } of attempts) {
        for (const { phase, key } of attempt.steps) {
          const earlier = done.get(key);
          if (phase === "began" && earlier !== undefined && earlier !== attempt)
            yield `${shown(attempt)} does step ${key} again, which ${shown(earlier)} had done`;
          if (phase === "stored") done.set(key, attempt);
        }
      }
    }
  },

  /** A question or a long sleep ends an attempt, but not before the result of such a step is stored. */
  *"a step that is in flight is stored before its attempt ends"(facts: Facts) {
    for (const attempts of lineagesInOrder(facts)) {
      const done = new Map<string, AttemptFacts>();
      for (const { attempt, run } of attempts) {
        const again = attempt.steps.find(({ phase, key }) => phase === "began" && done.has(key));
        const earlier = done.get(again?.key ?? "");
        if (again !== undefined && earlier !== undefined)
          yield `${shown(attempt)} does step ${again.key} again, which was in flight when ${shown(earlier)} ended itself`;
        if (!hasWritten(run, attempt, "run_suspended", "run_interrupted")) continue;
        for (const { phase, key } of attempt.steps) if (phase === "worked") done.set(key, attempt);
      }
    }
  },

  *"the result of a step is what was stored"(facts: Facts) {
    for (const runs of facts.lineages.values()) {
      if (isPartlyUndone(runs)) continue;
      const steps = runs.flatMap(({ attempts }) => attempts.flatMap((attempt) => attempt.steps));
      for (const { key, token } of steps.filter(({ phase }) => phase === "stored")) {
        if (!steps.some((step) => step.phase === "worked" && step.key === key && step.token === token))
          yield `lineage ${runs[0]?.lineageId} has ${token} as the result of ${key}, which nobody worked out`;
        const other = steps.find((step) => step.phase === "stored" && step.key === key && step.token !== token);
        if (other !== undefined)
          yield `lineage ${runs[0]?.lineageId} has two results of ${key}: ${token}, ${other.token}`;
      }
    }
  },

  *"a sleep is not over before its time"(facts: Facts) {
    if (facts.clockJumped) return;
    for (const runs of facts.lineages.values()) {
      if (isPartlyUndone(runs)) continue;
      const sleeps = runs.flatMap(({ attempts }) => attempts.flatMap((attempt) => attempt.sleeps));
      for (const over of sleeps.filter(({ phase }) => phase === "over")) {
        // Which of its beginnings was stored nobody outside knows.
        const begun = sleeps.filter(
          ({ phase, key, time }) => phase === "began" && key === over.key && time <= over.time,
        );
        const until = Math.min(...begun.map(({ time, ms }) => time + ms));
        if (over.time + tolerance < until)
          yield `sleep ${over.key} of lineage ${runs[0]?.lineageId} was over ${until - over.time} ms early`;
      }
    }
  },

  *"a sleep that is over stays over"(facts: Facts) {
    if (facts.clockJumped) return;
    for (const attempts of lineagesInOrder(facts)) {
      const over = new Map<string, AttemptFacts>();
      for (const { attempt, run } of attempts) {
        const last = attempt.sleeps.at(-1);
        const earlier = over.get(last?.key ?? "");
        if (last?.phase === "began" && earlier !== undefined && hasWritten(run, attempt, "run_suspended"))
          yield `${shown(attempt)} sleeps ${last.key} again, which was over for ${shown(earlier)}`;
        for (const { phase, key } of attempt.sleeps) if (phase === "over") over.set(key, attempt);
      }
    }
  },
} satisfies Record<string, Rule>;

/** ms: the clocks of a machine are read one after the other. */
const tolerance = 50;

interface OfLineage {
  readonly attempt: AttemptFacts;
  readonly run: RunFacts;
}

/** All attempts of each lineage, in the order in which they were given out. */
function* lineagesInOrder({ lineages }: Facts): Generator<readonly OfLineage[]> {
  for (const runs of lineages.values()) {
    if (isPartlyUndone(runs)) continue;
    const inOrder = [...runs].sort((a, b) => begunAt(a) - begunAt(b));
    yield inOrder.flatMap((run) => byNumber(run).map((attempt) => ({ run, attempt })));
  }
}

/** A rollback takes back what its run made the lineage remember. */
function isPartlyUndone(runs: readonly RunFacts[]): boolean {
  return runs.slice(1).some(mayBeRolledBack);
}

function byNumber({ attempts }: RunFacts): AttemptFacts[] {
  return [...attempts].sort((a, b) => a.attempt - b.attempt);
}

function hasWritten({ events }: RunFacts, { attempt }: AttemptFacts, ...types: readonly string[]): boolean {
  return events.some((event) => event.attempt === attempt && types.includes(event.type));
}

function shown({ attempt, runId }: AttemptFacts): string {
  return `attempt ${attempt} of ${runId}`;
}
