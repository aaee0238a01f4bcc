/**
 * What is promised of values. Each write adds its token to the log that a thread's values are, so one state of a thread
 * is always the beginning of a later one, and what a thread ends with is exactly what its runs wrote, in their order.
 */

import type { FinalThread, SeenValues } from "../history.js";
import type { AttemptFacts } from "./attempt-facts.js";
import type { Facts, Rule, RunFacts } from "./facts.js";
import { isRolledBack, mayBeDeleted, nameOf, writerOf } from "./facts.js";
import { allSeen, withoutRolledBack } from "./seen-values.js";

export const valueRules = {
  *"no update is lost or doubled"(facts: Facts) {
    const known = writtenTokens(facts);
    for (const { threadId, values, by } of allSeen(facts)) {
      const where = `${by} saw ${shownValues(values)} in thread ${threadId}`;
      if (values.count !== values.log.length) yield `${where}: the count is ${values.count}`;
      if (new Set(values.log).size < values.log.length) yield `${where}: a token is there twice`;
      const strange = values.log.find((token) => !known.has(token));
      if (strange !== undefined) yield `${where}: nobody wrote ${strange}`;
    }
  },

  /** Seen earlier or later, one state of a thread is the beginning of the other, but for what was rolled back. */
  *"a thread has one history"(facts: Facts) {
    const longest = new Map<string, { values: SeenValues; by: string }>();
    const kept = withoutRolledBack(facts);
    const copies = new Set(facts.calls.flatMap(({ command }) => (command.kind === "copy_thread" ? [command.to] : [])));
    for (const { threadId, values: whole, by } of allSeen(facts)) {
      const values = kept(threadId, whole);
      // Deleted, and copied from the same thread again, it begins with the same tokens and goes on with others.
      if (copies.has(threadId) && mayBeDeleted(facts, threadId)) continue;
      // A thread that was created again has a history of its own, which begins with another token.
      const name = mayBeDeleted(facts, threadId) ? `${threadId} from ${values.log[0] ?? "nothing"}` : threadId;
      const before = longest.get(name);
      if (before !== undefined && !begins(before.values, values) && !begins(values, before.values)) {
        yield `${by} saw ${shownValues(values)} in thread ${threadId}, ${before.by} saw ${shownValues(before.values)}`;
      }
      if (before === undefined || values.log.length > before.values.log.length) longest.set(name, { values, by });
    }
    for (const { id, values } of facts.finalThreads.values()) {
      const before = longest.get(id);
      if (before !== undefined && !mayBeDeleted(facts, id) && !begins(before.values, kept(id, values))) {
        yield `thread ${id} ends with ${shownValues(values)}, but ${before.by} saw ${shownValues(before.values)}`;
      }
    }
  },

  /** Between what an attempt saw and what it wrote no other run wrote. */
  *"an attempt writes on top of what it saw"(facts: Facts) {
    for (const attempt of facts.attempts) {
      const thread = attempt.threadId === null ? undefined : facts.finalThreads.get(attempt.threadId);
      if (thread === undefined || mayBeDeleted(facts, thread.id)) continue;
      const own = thread.values.log.findIndex((token) => isOf(attempt, token));
      if (own >= 0 && own !== attempt.seen.log.length) {
        yield `attempt ${attempt.attempt} of ${attempt.runId} saw ${shownValues(attempt.seen)} and wrote ${thread.values.log[own]} at place ${own} of ${shownValues(thread.values)}`;
      }
    }
  },

  *"values are the replay of what was written"(facts: Facts) {
    for (const run of facts.runs.values()) {
      const thread = run.threadId === null ? undefined : facts.finalThreads.get(run.threadId);
      if (thread === undefined || run.final === undefined || run.mayBeGoneFrom < Number.POSITIVE_INFINITY) continue;
      if (isRolledBack(run)) continue;
      yield* replayOf(run, new Set(thread.values.log));
    }
  },

  *"each checkpoint is its parent and what its run wrote"(facts: Facts) {
    for (const thread of facts.finalThreads.values()) yield* checkpointsOf(thread, facts);
  },
} satisfies Record<string, Rule>;

function writtenTokens({ attempts, calls }: Facts): Set<string> {
  const tokens = new Set<string>();
  for (const { writes, returned } of attempts) {
    for (const { what, token } of writes) if (what === "checkpoint") tokens.add(token);
    if (returned !== null) tokens.add(returned);
  }
  for (const { command, answer } of calls) {
    if (command.kind === "create_thread" && command.token !== null && answer?.type !== "refused")
      tokens.add(command.token);
  }
  return tokens;
}

function begins(a: SeenValues, b: SeenValues): boolean {
  return a.log.every((token, index) => b.log[index] === token);
}

function isOf({ n, attempt, runId, resumed }: AttemptFacts, token: string): boolean {
  const [start = ""] = token.split(":");
  return Number(start) === n && token.endsWith(resumed ? `@${attempt}~${runId}` : `@${attempt}`);
}

/** What was acknowledged is there, and what a run returned is there exactly if it succeeded. */
function* replayOf({ id, final, attempts }: RunFacts, log: ReadonlySet<string>): Generator<string> {
  for (const { writes, returned, attempt } of attempts) {
    for (const { what, token, acknowledgedAt } of writes) {
      if (what === "checkpoint" && acknowledgedAt !== undefined && !log.has(token))
        yield `checkpoint ${token} of run ${id} was acknowledged and is lost`;
    }
    if (returned === null) continue;
    const counts = final?.status === "succeeded" && final.attempt === attempt;
    if (counts && !log.has(returned)) yield `run ${id} succeeded and its ${returned} is lost`;
    if (!counts && log.has(returned))
      yield `run ${id} is ${final?.status}, but its thread has ${returned}, which attempt ${attempt} returned`;
  }
}

function* checkpointsOf({ id, checkpoints, values }: FinalThread, { finalRuns, runs }: Facts): Generator<string> {
  let before: SeenValues = { log: [], count: 0 };
  for (const checkpoint of checkpoints) {
    const added = checkpoint.values.log.slice(before.log.length);
    const where = `checkpoint ${checkpoint.id} of thread ${id}`;
    if (!begins(before, checkpoint.values))
      yield `${where} has ${shownValues(checkpoint.values)} on top of ${shownValues(before)}`;
    else if (added.length > 1) yield `${where} adds ${added.join(", ")} at once`;
    for (const token of added) {
      const run = runs.get(checkpoint.runId ?? "");
      if (checkpoint.runId !== null && (run === undefined || writerOf(token) !== nameOf(run)))
        yield `${where} of run ${checkpoint.runId} adds ${token}`;
      const status = finalRuns.get(checkpoint.runId ?? "")?.status;
      if (checkpoint.kind === "final" && status !== undefined && status !== "succeeded")
        yield `${where} is the end of a run that is ${status}, and adds ${token}`;
    }
    before = checkpoint.values;
  }
  const head = checkpoints.at(-1);
  if (head !== undefined && shownValues(head.values) !== shownValues(values))
    yield `thread ${id} has ${shownValues(values)}, its head ${shownValues(head.values)}`;
}

function shownValues({ log }: SeenValues): string {
  return `[${log.join(" ")}]`;
}
