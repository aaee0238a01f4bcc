/** What is promised of steered messages: each is taken by one run and ends with it, or is a run of its own. */

import type { AttemptFacts } from "./attempt-facts.js";
import { isEnd } from "./event-rules.js";
import type { Facts, Rule, RunFacts } from "./facts.js";
import { delayOf } from "./facts.js";

export const steeringRules = {
  *"a message ends as the run that took it"({ runs }: Facts) {
    for (const { id, final, attempts, threadId } of runs.values()) {
      const taker = final?.takenBy == null ? undefined : runs.get(final.takenBy);
      if (final?.takenBy == null || final.outcome === null) continue;
      if (attempts.length > 0) yield `run ${id} was taken by ${final.takenBy} and ran itself`;
      if (taker?.final?.outcome == null) continue;
      if (taker.threadId !== threadId) yield `run ${id} was taken by ${taker.id}, which is of another thread`;
      const [own, its] = [final.outcome, taker.final.outcome].map((outcome) => JSON.stringify(outcome));
      if (own !== its) yield `run ${id} was taken by ${taker.id}, which ended as ${its}, and ended as ${own}`;
    }
  },

  /** By the attempt that settled the run, and by nobody else. */
  *"a message is consumed once"(facts: Facts) {
    for (const run of facts.runs.values()) {
      const last = settledBy(run);
      if (last === undefined) continue;
      for (const id of takenIn(last)) {
        const message = facts.runs.get(id)?.final;
        if (message === undefined || endedAlone(message.outcome) || isOfLineage(facts, message.takenBy, run)) continue;
        yield `run ${run.id} took ${id} and is ${run.final?.status}; ${id} is ${message.status}, taken by ${message.takenBy}`;
      }
    }
    for (const { id, final } of facts.runs.values()) {
      const taker = facts.runs.get(final?.takenBy ?? "");
      if (taker?.final === undefined || final === undefined) continue;
      const last = taker.attempts.find(({ attempt }) => attempt === taker.final?.attempt);
      if (last === undefined || !takenIn(last).includes(id))
        yield `run ${id} is said to be taken by ${taker.id}, whose last attempt did not take it`;
    }
  },

  /** An attempt that did not end its run has consumed nothing. */
  *"a later attempt gets what an earlier one took"({ runs }: Facts) {
    for (const run of runs.values()) {
      const last = settledBy(run);
      if (!last?.takes.some(({ all }) => all)) continue;
      const again = takenIn(last);
      const earlier = run.attempts.filter(({ attempt }) => attempt < last.attempt).flatMap(takenIn);
      for (const id of new Set(earlier)) {
        const outcome = runs.get(id)?.final?.outcome;
        if (again.includes(id) || outcome === undefined || endedAlone(outcome)) continue;
        yield `attempt ${last.attempt} of ${run.id} took all messages, but not ${id}, which an earlier one had taken`;
      }
    }
  },

  /** In the order in which they came, before whoever queued. */
  *"messages come in their order"(facts: Facts) {
    const { attempts, runs } = facts;
    for (const attempt of attempts) {
      const taken = takenIn(attempt);
      if (new Set(taken).size < taken.length)
        yield `attempt ${attempt.attempt} of ${attempt.runId} took a message twice: ${taken.join(", ")}`;
      for (const [index, id] of taken.entries()) {
        const [first, second] = [runs.get(id), runs.get(taken[index + 1] ?? "")];
        if (first === undefined || second === undefined) continue;
        if ((second.acceptedAt ?? Number.POSITIVE_INFINITY) < first.askedAt && comeAtOnce(facts, first, second))
          yield `attempt ${attempt.attempt} of ${attempt.runId} took ${first.id} before ${second.id}, which had come before`;
      }
    }
  },
} satisfies Record<string, Rule>;

function takenIn({ takes }: AttemptFacts): string[] {
  return takes.flatMap(({ runIds }) => runIds);
}

/** The attempt whose own last word ended the run; where others ended it nothing was consumed. */
function settledBy({ final, attempts, events }: RunFacts): AttemptFacts | undefined {
  const isOwn =
    final?.status === "succeeded" || final?.status === "interrupted" || final?.outcome?.reason === "AGENT_ERROR";
  if (!isOwn || !events.some(isEnd)) return undefined;
  return attempts.find(({ attempt }) => attempt === final?.attempt);
}

function isOfLineage({ runs }: Facts, takenBy: string | null, { lineageId }: RunFacts): boolean {
  return takenBy === lineageId || runs.get(takenBy ?? "")?.lineageId === lineageId;
}

function comeAtOnce(facts: Facts, ...runs: readonly RunFacts[]): boolean {
  return runs.every((run) => delayOf(facts, run) === 0);
}

/** Canceled or overdue while it waited: whoever took it did not bring it back. */
function endedAlone(outcome: { readonly status: string; readonly reason: string | null } | null): boolean {
  return outcome?.status === "canceled" || outcome?.reason === "DEADLINE_EXCEEDED";
}
