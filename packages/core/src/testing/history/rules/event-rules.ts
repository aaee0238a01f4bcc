/** What is promised of the logs: dense numbers, one run at a time, one end of each, and nothing lost or doubled. */

import type { FinalEvent } from "../history.js";
import type { AttemptFacts, WriteFacts } from "./attempt-facts.js";
import type { Facts, Rule, RunFacts } from "./facts.js";
import { mayBeDeleted, mayBeRolledBack } from "./facts.js";

/** Terminal event by status. */
export const ends: Readonly<Record<string, string>> = {
  succeeded: "run_succeeded",
  failed: "run_failed",
  canceled: "run_canceled",
  interrupted: "run_interrupted",
};
const terminal = Object.values(ends);

export function isEnd({ type }: { readonly type: string }): boolean {
  return terminal.includes(type);
}

export const eventRules = {
  *"exactly one terminal event, the last"({ runs }: Facts) {
    for (const { id, final, events } of runs.values()) {
      const found = events.filter(isEnd);
      if (found.length > 1)
        yield `run ${id} ended ${found.length} times: ${found.map(({ seq, type }) => `${type} #${seq}`).join(", ")}`;
      if (found[0] !== undefined && found[0] !== events.at(-1))
        yield `run ${id} wrote ${events.at(-1)?.type} behind its ${found[0].type}`;
      const expected = final === undefined ? undefined : ends[final.status];
      if (expected !== undefined && found[0]?.type !== expected)
        yield `run ${id} is ${final?.status} and its log ends with ${found[0]?.type ?? "nothing"}`;
    }
  },

  *"numbers are dense"(facts: Facts) {
    for (const { threadId, runId, events } of facts.history.final.logs) {
      const mayBeginLater = threadId !== null && mayBeDeleted(facts, threadId);
      const first = mayBeginLater ? (events[0]?.seq ?? 1) : 1;
      const wrong = events.findIndex(({ seq }, index) => seq !== first + index);
      if (wrong >= 0)
        yield `the log of ${threadId ?? runId} has #${events[wrong]?.seq} where #${first + wrong} belongs`;
    }
    for (const { id, lastSeq } of facts.finalThreads.values()) {
      const last = facts.threadLogs.get(id)?.at(-1)?.seq ?? 0;
      if (last !== lastSeq && (last > 0 || !mayBeDeleted(facts, id)))
        yield `thread ${id} says that its newest event is #${lastSeq}; it is #${last}`;
    }
  },

  *"one active run per thread"({ threadLogs }: Facts) {
    for (const [threadId, events] of threadLogs) {
      let holder: string | undefined;
      for (const event of events) {
        if (event.type === "run_started") {
          if (holder !== undefined && holder !== event.runId)
            yield `in thread ${threadId} ${event.runId} began at #${event.seq}, while ${holder} had not ended`;
          holder = event.runId;
        } else if (isEnd(event) && event.runId === holder) holder = undefined;
      }
    }
  },

  *"an idle thread is free"({ finalThreads }: Facts) {
    for (const { id, activeRunId } of finalThreads.values())
      if (activeRunId !== null) yield `thread ${id} is held by ${activeRunId} for ever`;
  },

  /** A key once in its lineage; in what was rolled back it does not count. */
  *"events are stored once"({ lineages }: Facts) {
    for (const runs of lineages.values()) {
      const isWhole = runs.every(({ mayBeGoneFrom }) => mayBeGoneFrom === Number.POSITIVE_INFINITY);
      const sent = runs.flatMap(({ attempts }) => attempts.flatMap(({ writes }) => writes)).filter(isEvent);
      const events = runs.flatMap((run) => run.events);
      yield* strangeEvents(runs, sent);
      if (!runs.slice(1).some(mayBeRolledBack)) yield* doubledEvents(events, sent);
      if (isWhole) yield* lostEvents(events, sent);
    }
  },

  /** Once a later attempt has begun nothing of an earlier one is taken, however it was sent. */
  *"a fenced attempt writes nothing"({ runs, finalThreads }: Facts) {
    for (const { id, events, attempts } of runs.values()) {
      yield* fallsBack(`run ${id}`, events, ({ type, seq }) => `${type} #${seq}`);
      for (const { attempt, writes } of attempts) {
        const fencedAt = Math.min(...attempts.filter((other) => other.attempt > attempt).map(({ from }) => from));
        const stale = writes.find(({ at, acknowledgedAt }) => at > fencedAt && acknowledgedAt !== undefined);
        if (stale !== undefined) yield `${stale.token} of run ${id} was sent when a later attempt had begun, and taken`;
      }
    }
    for (const { id, checkpoints } of finalThreads.values()) {
      for (const runId of new Set(checkpoints.map((checkpoint) => checkpoint.runId))) {
        const own = checkpoints.filter((checkpoint) => checkpoint.runId === runId);
        if (runId !== null) yield* fallsBack(`thread ${id}`, own, (checkpoint) => `checkpoint ${checkpoint.id}`);
      }
    }
  },

  *"an attempt's events keep their order"({ attempts, runs }: Facts) {
    for (const attempt of attempts) {
      const stored = runs.get(attempt.runId)?.events ?? [];
      const places = stored.map(({ token }) => placeOf(attempt, token)).filter((place) => place >= 0);
      if (places.some((place, index) => place < (places[index - 1] ?? -1))) {
        yield `events of attempt ${attempt.attempt} of ${attempt.runId} are stored in another order than they were sent in`;
      }
    }
  },
} satisfies Record<string, Rule>;

/** Where in its attempt's order a write stands; -1: it is of another. */
export function placeOf({ writes }: AttemptFacts, token: string | null): number {
  return writes.findIndex((write) => write.token === token);
}

/** What is written in its order, where the attempt's number becomes smaller. */
function* fallsBack<Written extends { readonly attempt: number }>(
  where: string,
  written: readonly Written[],
  shown: (one: Written) => string,
): Generator<string> {
  let newest = 0;
  for (const one of written) {
    if (one.attempt < newest)
      yield `${where} has ${shown(one)} of attempt ${one.attempt} behind what attempt ${newest} wrote`;
    newest = Math.max(newest, one.attempt);
  }
}

function isEvent({ what }: WriteFacts): boolean {
  return what === "event";
}

function* strangeEvents(runs: readonly RunFacts[], sent: readonly WriteFacts[]): Generator<string> {
  const known = new Set(sent.map(({ token }) => token));
  for (const { id, events } of runs)
    for (const { token } of events)
      if (token !== null && !known.has(token)) yield `run ${id} has event ${token}, which nobody sent`;
}

function* doubledEvents(events: readonly FinalEvent[], sent: readonly WriteFacts[]): Generator<string> {
  const names = new Map(sent.map(({ token, key }) => [token, key === null ? token : `key ${key}`]));
  const seen = new Map<string, FinalEvent>();
  for (const event of events) {
    const name = names.get(event.token ?? "");
    if (name === undefined) continue;
    const before = seen.get(name);
    if (before !== undefined)
      yield `run ${event.runId} has ${name} as #${event.seq}; run ${before.runId} has it as #${before.seq}`;
    seen.set(name, event);
  }
}

function* lostEvents(events: readonly FinalEvent[], sent: readonly WriteFacts[]): Generator<string> {
  const stored = new Set(events.map(({ token }) => token));
  const storedKeys = new Set(sent.filter(({ token }) => stored.has(token)).map(({ key }) => key));
  for (const { token, key, acknowledgedAt } of sent) {
    if (acknowledgedAt === undefined) continue;
    const isStored = key === null ? stored.has(token) : storedKeys.has(key);
    if (!isStored) yield `event ${token} was acknowledged and is not stored`;
  }
}
