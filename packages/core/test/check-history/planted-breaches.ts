/** For each promise what breaks it, planted in the sound history. */

import { busyBreaches } from "./busy-breaches.js";
import { memoryBreaches } from "./memory-breaches.js";
import { start } from "./parts.js";
import type { Entry, Planting } from "./planting.js";
import {
  answerTo,
  at,
  change,
  deltaOf,
  frameOf,
  isType,
  last,
  log,
  moveTo,
  place,
  refuse,
  renumber,
  repeat,
  run,
  take,
  thread,
} from "./planting.js";
import { questionBreaches } from "./question-breaches.js";
import type { Draft } from "./sound-history.js";
import type { History } from "./types.js";

export const breaches: readonly (readonly [rule: string, what: string, plant: Planting])[] = [
  ["every call is answered", "a waiter is forgotten", (h) => void take(h, answerTo(3))],
  [
    "every call is answered",
    "a waiter hears only when something else happens",
    (h) => moveTo(h, answerTo(3), isType("at_rest")),
  ],
  ["only errors that are promised", "an untyped error", (h) => refuse(h, 10, "TypeError: boom")],
  ["only errors that are promised", "a full disk that nobody filled", (h) => refuse(h, 10, "STORAGE_FULL")],
  ["a refused call changes nothing", "its run exists", (h) => refuse(h, 2, "QUEUE_FULL")],
  ["what was acknowledged is there", "the run is not found", (h) => refuse(h, 9, "RUN_NOT_FOUND")],
  ["a deleted thread is gone", "it is there", ({ final }) => void final.threads.push({ ...thread(final), id: "gone" })],
  ["a thread is busy only with a run that is active", "with a settled one", busyWithSettled],
  [
    "exactly one terminal event, the last",
    "settled twice",
    ({ final }) => {
      log(final).push({ ...last(final), seq: 9 });
    },
  ],
  [
    "exactly one terminal event, the last",
    "an event behind it",
    ({ final }) => {
      log(final).push({ ...last(final), seq: 9, type: "note" });
    },
  ],
  ["exactly one terminal event, the last", "none", ({ final }) => void log(final).pop()],
  ["numbers are dense", "a gap", ({ final }) => void log(final).splice(5, 1)],
  ["numbers are dense", "a number twice", ({ final }) => void log(final).splice(5, 0, at(log(final), 5))],
  [
    "one active run per thread",
    "two overlap",
    ({ final }) => {
      const moved = log(final).splice(3, 1);
      renumber(log(final).splice(5, 0, ...moved) && log(final));
    },
  ],
  [
    "an idle thread is free",
    "it is held for ever",
    ({ final }) => {
      thread(final).activeRunId = "r2";
    },
  ],
  [
    "events are stored once",
    "one twice",
    ({ final }) => {
      log(final).splice(2, 0, at(log(final), 1));
      renumber(log(final));
    },
  ],
  [
    "events are stored once",
    "an acknowledged one is lost",
    ({ final }) => {
      log(final).splice(2, 1);
      renumber(log(final));
    },
  ],
  ["a fenced attempt writes nothing", "a write that was sent late is taken", staleWrite],
  [
    "a fenced attempt writes nothing",
    "a late event is stored",
    ({ final }) => {
      log(final).splice(7, 0, { ...at(log(final), 1), runId: "r2", attempt: 1, token: null });
      renumber(log(final));
    },
  ],
  [
    "a fenced attempt writes nothing",
    "a late checkpoint is stored",
    ({ final }) => {
      const { checkpoints } = thread(final);
      checkpoints.push({ ...at(checkpoints, 2), id: "c4", kind: "mid", attempt: 1 });
    },
  ],
  [
    "an attempt's events keep their order",
    "two are exchanged",
    ({ final }) => {
      [at(log(final), 1).token, at(log(final), 2).token] = [at(log(final), 2).token, at(log(final), 1).token];
    },
  ],
  ["one run per idempotency key", "a second run", (h) => change(h, answerTo(14), started("r9"))],
  ["a repeated key is answered before the thread is looked at", "busy", (h) => refuse(h, 14, "THREAD_BUSY", "r2")],
  ["a thread's reader sees every event once, in order", "one is left out", (h) => void take(h, frameOf(4, 3))],
  ["a thread's reader sees every event once, in order", "one comes twice", (h) => repeat(h, frameOf(4, 3))],
  ["a run's reader sees all its events, once, in order", "one is left out", (h) => void take(h, frameOf(9, 2))],
  ["a run's stream ends with the run", "before its end", (h) => void take(h, frameOf(9, 4))],
  ["a thread's stream ends with the thread", "it goes on", (h) => change(h, answerTo(13), ended("stopped"))],
  ["a thread's reader keeps up", "the newest never comes", (h) => void take(h, frameOf(4, 8))],
  [
    "a number means one event",
    "it says something else to a reader",
    (h) => {
      change(h, frameOf(9, 2), (entry) => {
        if ("frame" in entry && entry.frame.kind === "event") entry.frame.token = "1:e9@1";
      });
    },
  ],
  [
    "frames come in the order in which they were sent",
    "a delta before the event",
    (h) => moveTo(h, frameOf(4, 2), frameOf(4, 3)),
  ],
  ["no delta is lost without a mark", "the first one is", (h) => void take(h, deltaOf(4, 1))],
  [
    "deltas follow each other",
    "one is left out",
    (h) => {
      change(h, deltaOf(4, 2), (entry) => {
        if ("frame" in entry && entry.frame.kind === "delta") entry.frame.number = 3;
      });
    },
  ],
  ["the storage's records are sound", "they are not", ({ final }) => void final.faults.push("the records: broken")],
  [
    "an accepted run settles",
    "it works for ever",
    ({ final }) => {
      run(final, "r1").status = "running";
    },
  ],
  ["an accepted run settles", "it is lost", ({ final }) => void final.runs.shift()],
  [
    "an attempt is given out once",
    "two workers get it",
    (h) => {
      repeat(h, (entry) => entry.type === "attempt_started" && entry.runId === "r1");
    },
  ],
  [
    "everyone hears the same outcome",
    "a waiter hears another",
    (h) => {
      change(h, answerTo(3), (entry) => {
        if (entry.type !== "answer" || entry.answer.type !== "ok" || entry.answer.value.kind !== "outcome") return;
        entry.answer.value.outcome = { status: "failed", token: null, reason: "AGENT_ERROR", by: null };
      });
    },
  ],
  [
    "a success is what the last attempt returned",
    "of another attempt",
    ({ final }) => {
      run(final, "r1").outcome = { status: "succeeded", token: "1:f@2", reason: null, by: null };
    },
  ],
  [
    "a success is what the last attempt returned",
    "of one that never ended",
    (h) => {
      take(h, (entry) => entry.type === "attempt_ended" && entry.runId === "r1");
    },
  ],
  [
    "a canceled run does not succeed",
    "it does",
    ({ final }) => {
      run(final, "r3").status = "succeeded";
    },
  ],
  [
    "an attempt that lost its run is told",
    "it works on",
    (h) => {
      take(h, (entry) => entry.type === "attempt_ended" && entry.runId === "r3");
    },
  ],
  ["a cancel reaches the attempt at once", "too late", (h) => moveTo(h, isType("aborted"), answerTo(7))],
  [
    "a run is tried as often as allowed",
    "once more",
    (h) => {
      for (const entry of h.entries) {
        if (entry.type !== "call" || entry.command.kind !== "start") continue;
        for (const one of entry.command.starts) one.maxFailures = 1;
      }
    },
  ],
  [
    "nothing crashes where nothing goes wrong",
    "a lease is lost",
    ({ final }) => {
      run(final, "r1").crashes = 1;
    },
  ],
  [
    "first come, first served",
    "the second begins before the first",
    ({ final }) => {
      const events = log(final);
      events.push(...events.splice(0, 4));
      renumber(events);
    },
  ],
  [
    "no run starts before its time",
    "before its delay is over",
    (h) => {
      for (const entry of h.entries)
        if (entry.type === "call" && entry.command.kind === "start") at(entry.command.starts, 0).delay = 60_000;
    },
  ],
  [
    "no run starts before its time",
    "before its backoff is over",
    ({ final }) => {
      at(log(final), 5).availableAt = 60_000;
    },
  ],
  [
    "a cancel that waits ends with the run",
    "it writes on",
    (h) => {
      const name = { time: 0, runId: "r3", attempt: 1, token: "3:e1@1" };
      const place = h.entries.findIndex(answerTo(8)) + 1;
      h.entries.splice(
        place,
        0,
        { ...name, type: "sent", what: "event", key: null },
        { ...name, type: "acknowledged" },
      );
    },
  ],
  ["no update is lost or doubled", "a token twice", ({ final }) => void thread(final).values.log.push("1:f@1")],
  [
    "no update is lost or doubled",
    "a token that nobody wrote",
    ({ final }) => void thread(final).values.log.push("9:f@1"),
  ],
  ["no update is lost or doubled", "a wrong count", ({ final }) => void thread(final).values.count++],
  [
    "a thread has one history",
    "somebody saw another",
    (h) => {
      change(h, answerTo(10), (entry) => {
        if (entry.type === "answer" && entry.answer.type === "ok" && entry.answer.value.kind === "values")
          entry.answer.value.values.log.reverse();
      });
    },
  ],
  [
    "an attempt writes on top of what it saw",
    "another wrote between",
    (h) => {
      for (const entry of h.entries)
        if (entry.type === "attempt_started" && entry.runId === "r2") entry.values = { log: ["1:m1@1"], count: 1 };
    },
  ],
  [
    "values are the replay of what was written",
    "an acknowledged checkpoint is lost",
    ({ final }) => {
      thread(final).values = { log: ["1:f@1", "2:f@2"], count: 2 };
    },
  ],
  [
    "values are the replay of what was written",
    "what a failed run returned is there",
    ({ final }) => {
      run(final, "r1").status = "failed";
    },
  ],
  [
    "each checkpoint is its parent and what its run wrote",
    "it forgot its parent",
    ({ final }) => {
      at(thread(final).checkpoints, 1).values = { log: ["1:f@1"], count: 1 };
    },
  ],
  [
    "each checkpoint is its parent and what its run wrote",
    "of another run",
    ({ final }) => {
      at(thread(final).checkpoints, 1).runId = "r2";
    },
  ],
  ...busyBreaches,
  ...questionBreaches,
  ...memoryBreaches,
];

function started(runId: string): (entry: Entry) => void {
  return (entry) => {
    if (entry.type === "answer") entry.answer = { type: "ok", value: { kind: "started", runIds: [runId] } };
  };
}

function ended(why: "stopped"): (entry: Entry) => void {
  return (entry) => {
    if (entry.type === "answer") entry.answer = { type: "ok", value: { kind: "stream_ended", why } };
  };
}

function busyWithSettled(history: Draft<History>): void {
  const index = place(history, isType("faults_over"));
  history.entries.splice(
    index,
    0,
    {
      time: 0,
      type: "call",
      call: 20,
      client: "c",
      worker: "worker1",
      command: { kind: "start", starts: [start(4, { threadId: "t1", whenBusy: "reject" })] },
    },
    { time: 0, type: "answer", call: 20, answer: { type: "refused", code: "THREAD_BUSY", activeRunId: "r1" } },
  );
}

function staleWrite(history: Draft<History>): void {
  const name = { time: 0, runId: "r2", attempt: 1, token: "2:d1@1" };
  const second = place(history, (entry) => entry.type === "attempt_started" && entry.attempt === 2) + 1;
  history.entries.splice(
    second,
    0,
    { ...name, type: "sent", what: "event", key: null },
    { ...name, type: "acknowledged" },
  );
}
