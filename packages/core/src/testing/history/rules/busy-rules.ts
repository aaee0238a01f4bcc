/** What is promised where a thread is busy: who gives way to whom, who is told why, and what a rollback takes back. */

import { shown } from "./call-rules.js";
import { isEnd } from "./event-rules.js";
import type { CallFacts, Facts, Rule, RunFacts } from "./facts.js";
import { answered, delayOf, isRolledBack, mayBeDeleted, nameOf, strategyOf, writerOf } from "./facts.js";
import type { Seen } from "./seen-values.js";
import { allSeen } from "./seen-values.js";

export const busyRules = {
  /** Whatever had not ended when it came ends as canceled; what was active is rolled back where that was asked for. */
  *"a run that supersedes others comes in their place"(facts: Facts) {
    // Only the storage's clock tells what came before what.
    if (facts.clockJumped) return;
    for (const next of facts.runs.values()) {
      const strategy = strategyOf(facts, next);
      if (strategy !== "interrupt" && strategy !== "rollback") continue;
      if (next.threadId === null || mayBeDeleted(facts, next.threadId) || !comesAtOnce(facts, next)) continue;
      for (const run of facts.runs.values()) if (isInTheWay(facts, run, next)) yield* survival(run, next, strategy);
    }
  },

  *"a canceled run tells who canceled it"(facts: Facts) {
    for (const run of facts.runs.values()) {
      if (run.outcome?.status !== "canceled") continue;
      const { reason, by } = run.outcome;
      const other = facts.runs.get(by ?? "");
      const strategy = strategyOf(facts, other);
      if (other !== undefined && other.threadId !== run.threadId)
        yield `run ${run.id} was canceled (${reason}) by ${by}, which is of another thread`;
      if (by !== null && strategy !== undefined && !supersedes(strategy, reason))
        yield `run ${run.id} was canceled (${reason}) by ${by}, which was started with ${strategy}`;
      if (by === null && (reason === "user" || reason === "rolled_back") && !wasAskedFor(facts, run, reason))
        yield `run ${run.id} was canceled (${reason}), and nobody asked for that`;
      if (by === null && reason === "superseded" && strategyOf(facts, run) !== "steer")
        yield `run ${run.id} was superseded, and by nobody`;
    }
  },

  /** In time until the run is settled, whatever it was told before. */
  *"a rollback that was asked for takes place"({ calls, runs }: Facts) {
    for (const call of calls) {
      if (call.command.kind !== "cancel" || !call.command.rollback) continue;
      const outcome = answered(call.answer, "canceled")?.outcome;
      const run = runs.get(call.command.runId);
      if (outcome === undefined || outcome === "late" || run?.outcome === undefined) continue;
      if (run.threadId !== null && mayBeDeleted({ calls }, run.threadId)) continue;
      if (!isRolledBack(run)) yield `${shown(call)} is ${outcome}, but the run is not rolled back`;
    }
  },

  /** The thread is as it was before the run: nobody goes on from what the run wrote. */
  *"what was rolled back is gone"(facts: Facts) {
    const rolledBack = [...facts.runs.values()].filter((run) => isRolledBack(run) && !hasTwin(facts, run));
    for (const seen of allSeen(facts))
      for (const run of rolledBack) if (run.threadId === seen.threadId) yield* leftOvers(run, seen);
    for (const { id, checkpoints } of facts.finalThreads.values()) {
      const left = checkpoints.find(({ runId }) => rolledBack.some((run) => run.id === runId && run.threadId === id));
      if (left !== undefined)
        yield `thread ${id} has checkpoint ${left.id} of run ${left.runId}, which was rolled back`;
    }
  },

  *"the end of a rolled-back run says from where on it counts for nothing"({ runs }: Facts) {
    for (const run of runs.values()) {
      const end = run.events.find(isEnd);
      if (end === undefined || run.final === undefined || run.mayBeGoneFrom < Number.POSITIVE_INFINITY) continue;
      const expected = isRolledBack(run) ? run.events[0]?.seq : null;
      if (end.rolledBackFrom !== expected)
        yield `run ${run.id} begins at #${run.events[0]?.seq} and is ${run.outcome?.reason ?? run.outcome?.status}; its end says ${end.rolledBackFrom}`;
    }
  },
} satisfies Record<string, Rule>;

/** Its strategy was applied when it was accepted. */
function comesAtOnce(facts: Facts, run: RunFacts): boolean {
  return delayOf(facts, run) === 0;
}

/** It was there when the other was accepted, and ended later. */
function isInTheWay(facts: Facts, run: RunFacts, next: RunFacts): boolean {
  if (run === next || run.threadId !== next.threadId || run.final === undefined || next.final === undefined)
    return false;
  const cameBefore = comesAtOnce(facts, run)
    ? run.final.createdAt < next.final.createdAt
    : hadBegun(run, next.final.createdAt);
  return cameBefore && (run.events.find(isEnd)?.createdAt ?? 0) > next.final.createdAt;
}

function hadBegun({ events }: RunFacts, time: number): boolean {
  const began = events.find(({ type }) => type === "run_started");
  return began !== undefined && began.createdAt < time;
}

function* survival(run: RunFacts, next: RunFacts, strategy: "interrupt" | "rollback"): Generator<string> {
  const status = run.final?.status;
  if (status !== "canceled") yield `run ${next.id} came to supersede run ${run.id}, which is ${status}`;
  const wasActive = hadBegun(run, next.final?.createdAt ?? 0);
  if (strategy === "rollback" && wasActive && !isRolledBack(run))
    yield `run ${next.id} came to roll back run ${run.id}, which is not`;
}

function* leftOvers(run: RunFacts, { values, by, from, runId }: Seen): Generator<string> {
  const first = values.log.findIndex((token) => writerOf(token) === nameOf(run));
  if (first < 0) return;
  const where = `${by} saw ${values.log[first]} of run ${run.id}`;
  const after = values.log.slice(first).find((token) => writerOf(token) !== nameOf(run));
  if (after !== undefined) yield `${where}, which was rolled back, and ${after} on top of it`;
  else if (runId !== undefined && runId !== run.id) yield `${where}, which was rolled back`;
  else if (runId === undefined && from > run.knownFrom) yield `${where}, which had been rolled back before`;
}

function supersedes(strategy: string, reason: string | null): boolean {
  if (reason === "rolled_back") return strategy === "rollback";
  return reason !== "superseded" || strategy === "interrupt" || strategy === "rollback";
}

/** Of itself, or of the run that had taken it. */
function wasAskedFor({ calls }: Facts, run: RunFacts, reason: "user" | "rolled_back"): boolean {
  const ids = [run.id, run.final?.takenBy];
  // What is gone does not say who had taken it.
  if (run.final === undefined) return true;
  const isMeant = ({ command, answer }: CallFacts): boolean =>
    command.kind === "cancel" &&
    ids.includes(command.runId) &&
    command.rollback === (reason === "rolled_back") &&
    answer?.type !== "refused";
  return calls.some(isMeant);
}

/** Another run of the same start: after its thread was deleted a key starts anew. */
function hasTwin({ runs }: Facts, run: RunFacts): boolean {
  return [...runs.values()].some((other) => other !== run && nameOf(other) === nameOf(run));
}
