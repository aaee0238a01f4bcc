/** What readers are promised: every event once, in order, whenever they come, and deltas between the right events. */

import type { SeenFrame } from "../history.js";
import type { AttemptFacts } from "./attempt-facts.js";
import { shown } from "./call-rules.js";
import { isEnd, placeOf } from "./event-rules.js";
import type { CallFacts, Facts, Rule } from "./facts.js";
import { answered, mayBeDeleted } from "./facts.js";

type SeenEvent = Extract<SeenFrame, { kind: "event" }>;
type SeenDelta = Extract<SeenFrame, { kind: "delta" }>;

export const readerRules = {
  *"a thread's reader sees every event once, in order"(facts: Facts) {
    for (const call of facts.calls) {
      if (call.command.kind !== "read_thread") continue;
      const { threadId, after } = call.command;
      let cursor = after ?? snapshotOf(call)?.seq;
      for (const { seq } of eventsOf(call)) {
        const isNext = cursor === undefined || seq === cursor + 1;
        const mayGap = mayBeDeleted(facts, threadId) && seq > (cursor ?? 0);
        if (!isNext && !mayGap) yield `${shown(call)} got #${seq} behind #${cursor}`;
        cursor = seq;
      }
    }
  },

  *"a run's reader sees all its events, once, in order"({ calls, runs }: Facts) {
    for (const call of calls) {
      if (call.command.kind !== "read_run") continue;
      const run = runs.get(call.command.runId);
      const seen = eventsOf(call);
      const strange = seen.find(({ runId }) => runId !== run?.id);
      if (strange !== undefined) yield `${shown(call)} got #${strange.seq} of ${strange.runId}`;
      if (seen.some(({ seq }, index) => seq <= (seen[index - 1]?.seq ?? 0)))
        yield `${shown(call)} got numbers that do not rise`;
      if (run === undefined || run.mayBeGoneFrom < Number.POSITIVE_INFINITY) continue;
      const wrong = seen.findIndex(({ seq }, index) => seq !== run.events[index]?.seq);
      if (wrong >= 0) yield `${shown(call)} got #${seen[wrong]?.seq} where the run has #${run.events[wrong]?.seq}`;
    }
  },

  *"a run's stream ends with the run"({ calls, runs }: Facts) {
    for (const call of calls) {
      if (call.command.kind !== "read_run") continue;
      const end = answered(call.answer, "stream_ended");
      const run = runs.get(call.command.runId);
      if (end?.why === "stopped" && run?.final !== undefined)
        yield `${shown(call)} still waited when the run had long ended`;
      if (end?.why !== "ended" || (run?.mayBeGoneFrom ?? 0) < Number.POSITIVE_INFINITY) continue;
      const last = eventsOf(call).at(-1);
      if (last === undefined || !isEnd(last)) yield `${shown(call)} ended with ${last?.type ?? "nothing"}`;
    }
  },

  *"a thread's stream ends with the thread"({ calls, finalThreads }: Facts) {
    for (const call of calls) {
      if (call.command.kind !== "read_thread" || answered(call.answer, "stream_ended")?.why !== "stopped") continue;
      const { threadId } = call.command;
      const isGone = calls.some(
        ({ command, answer, from }) =>
          command.kind === "delete_thread" &&
          command.threadId === threadId &&
          answer?.type === "ok" &&
          from > call.from,
      );
      if (isGone && !finalThreads.has(threadId))
        yield `${shown(call)} still waited when the thread had long been deleted`;
    }
  },

  *"a thread's reader keeps up"(facts: Facts) {
    for (const call of facts.calls) {
      if (call.command.kind !== "read_thread" || answered(call.answer, "stream_ended") === undefined) continue;
      const { threadId, after } = call.command;
      const why = answered(call.answer, "stream_ended")?.why;
      const thread = facts.finalThreads.get(threadId);
      if (mayBeDeleted(facts, threadId) || thread === undefined) continue;
      if (why === "ended") yield `${shown(call)} ended, but the thread was never deleted`;
      const last = eventsOf(call).at(-1)?.seq ?? after ?? snapshotOf(call)?.seq ?? 0;
      if (why === "stopped" && last < thread.lastSeq)
        yield `${shown(call)} stopped at #${last}; the thread has #${thread.lastSeq}`;
    }
  },

  *"a number means one event"(facts: Facts) {
    const known = new Map<
      string,
      { runId: string; type: string; attempt: number; token: string | null; from: string }
    >();
    for (const { stream, event, from } of observations(facts)) {
      const name = `${stream} #${event.seq}`;
      const before = known.get(name);
      if (before === undefined) known.set(name, { ...event, from });
      else if (!isSameEvent(before, event)) {
        yield `${name} is ${before.type} of ${before.runId} (${before.token}) for ${before.from}, and ${event.type} of ${event.runId} (${event.token}) for ${from}`;
      }
    }
  },

  *"frames come in the order in which they were sent"(facts: Facts) {
    const attempts = new Map(facts.attempts.map((attempt) => [`${attempt.runId} ${attempt.attempt}`, attempt]));
    for (const call of facts.calls) {
      const places = new Map<string, number>();
      for (const { frame } of call.frames) {
        if (frame.kind !== "event" && frame.kind !== "delta") continue;
        const name = `${frame.runId} ${frame.attempt}`;
        const place = orderOf(frame, attempts.get(name));
        if (place === undefined) continue;
        const before = places.get(name) ?? -2;
        const what = frame.kind === "event" ? `event ${frame.token ?? frame.type}` : `delta ${frame.token}`;
        if (place <= before)
          yield `${shown(call)} got ${what} behind what attempt ${frame.attempt} of ${frame.runId} sent after it`;
        places.set(name, Math.max(place, before));
      }
    }
  },

  *"no delta is lost without a mark"(facts: Facts) {
    for (const call of facts.calls) {
      if (call.frames.some(({ frame }) => frame.kind === "dropped")) continue;
      for (const attempt of facts.attempts) if (watchedWhole(call, attempt)) yield* missingDeltas(call, attempt);
    }
  },

  /** Who listens hears every delta, in order, or is told how many were dropped. */
  *"deltas follow each other"({ calls }: Facts) {
    for (const call of calls) {
      const last = new Map<string, number>();
      for (const { frame } of call.frames) {
        if (frame.kind === "dropped") last.clear();
        if (frame.kind !== "delta") continue;
        const name = `attempt ${frame.attempt} of ${frame.runId}`;
        const before = last.get(name);
        if (before !== undefined && frame.number !== before + 1)
          yield `${shown(call)} got delta ${frame.number} of ${name} behind ${before}`;
        last.set(name, frame.number);
      }
    }
  },
} satisfies Record<string, Rule>;

function eventsOf({ frames }: CallFacts): SeenEvent[] {
  return frames.flatMap(({ frame }) => (frame.kind === "event" ? [frame] : []));
}

function snapshotOf({ frames }: CallFacts): Extract<SeenFrame, { kind: "snapshot" }> | undefined {
  const first = frames[0]?.frame;
  return first?.kind === "snapshot" ? first : undefined;
}

interface Observation {
  readonly stream: string;
  readonly event: Pick<SeenEvent, "seq" | "runId" | "type" | "attempt" | "token">;
  readonly from: string;
}

function* observations({ history, calls, runs }: Facts): Generator<Observation> {
  for (const { threadId, runId, events } of history.final.logs) {
    const stream = threadId === null ? `run ${runId}` : `thread ${threadId}`;
    for (const event of events) yield { stream, event, from: "the storage" };
  }
  for (const call of calls) {
    const stream = streamOf(call, runs);
    if (stream !== undefined) for (const event of eventsOf(call)) yield { stream, event, from: `call ${call.number}` };
  }
}

function streamOf({ command }: CallFacts, runs: Facts["runs"]): string | undefined {
  if (command.kind === "read_thread") return `thread ${command.threadId}`;
  if (command.kind !== "read_run") return undefined;
  const threadId = runs.get(command.runId)?.threadId;
  return threadId == null ? `run ${command.runId}` : `thread ${threadId}`;
}

/** A deleted run's events keep number and type, without what they said. */
function isSameEvent(a: Omit<Observation["event"], "seq">, b: Observation["event"]): boolean {
  const saysTheSame = a.token === null || b.token === null || a.token === b.token;
  return a.runId === b.runId && a.type === b.type && a.attempt === b.attempt && saysTheSame;
}

/** An attempt's frames in the order of their sending: first its start, last its success. */
function orderOf(frame: SeenEvent | SeenDelta, attempt: AttemptFacts | undefined): number | undefined {
  if (frame.kind === "event" && frame.type === "run_started") return -1;
  if (frame.kind === "event" && frame.type === "run_succeeded") return Number.MAX_SAFE_INTEGER;
  if (attempt === undefined || frame.token === null || frame.token === "") return undefined;
  const place = placeOf(attempt, frame.token);
  return place < 0 ? undefined : place;
}

/** The reader was there from before the attempt's first word until its success, in the same process. */
function watchedWhole(call: CallFacts, { runId, attempt, worker, from }: AttemptFacts): boolean {
  if (call.worker !== worker) return false;
  const own = call.frames.filter(
    ({ frame }) => frame.kind === "event" && frame.runId === runId && frame.attempt === attempt,
  );
  const isOf = (type: string) => own.find(({ frame }) => frame.kind === "event" && frame.type === type);
  const started = isOf("run_started");
  return started !== undefined && started.at < from && isOf("run_succeeded") !== undefined;
}

function* missingDeltas(call: CallFacts, { runId, attempt, writes }: AttemptFacts): Generator<string> {
  const seen = new Set(call.frames.flatMap(({ frame }) => (frame.kind === "delta" ? [frame.token] : [])));
  const missing = writes.find(({ what, token }) => what === "delta" && !seen.has(token));
  if (missing !== undefined) yield `${shown(call)} never got delta ${missing.token} of attempt ${attempt} of ${runId}`;
}
