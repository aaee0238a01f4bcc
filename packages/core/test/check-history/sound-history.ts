/** A small history in which every promise is kept and every rule has something to look at. */

import { askingEntries, askingLogs, askingRuns, lineages } from "./asking-lineages.js";
import { busyEntries, busyLog, busyRuns, busyThread } from "./busy-thread.js";
import { event, start } from "./parts.js";
import { rememberingEntries, rememberingLog, rememberingRun } from "./remembering-run.js";
import type { Command, FinalEvent, History, HistoryEntry, SeenFrame } from "./types.js";

/** To plant something in it, anything may be changed. */
export type Draft<Of> = Of extends readonly (infer Item)[]
  ? Draft<Item>[]
  : Of extends object
    ? { -readonly [Key in keyof Of]: Draft<Of[Key]> }
    : Of;

const [w1, w2] = ["worker1", "worker2"];
const t1Log = ["1:m1@1", "1:f@1", "2:f@2"];

export function soundHistory(): Draft<History> {
  const history: History = { entries: entries(), final: final() };
  return structuredClone(history) as Draft<History>;
}

function entries(): HistoryEntry[] {
  const all: HistoryEntry[] = [];
  const note = (entry: Omit<HistoryEntry, "time"> & object): void =>
    void all.push({ time: all.length, ...entry } as HistoryEntry);
  const call = (number: number, command: Command, worker = w1): void =>
    note({ type: "call", call: number, client: "c", worker, command } as never);
  const reply = (number: number, answer: object): void => note({ type: "answer", call: number, answer } as never);
  const answer = (number: number, value: object): void => reply(number, { type: "ok", value });
  const frame = (number: number, seen: SeenFrame): void => note({ type: "frame", call: number, frame: seen } as never);
  const event = (number: number, seq: number): void =>
    frame(number, { kind: "event", ...(threadEvents.find((one) => one.seq === seq) as FinalEvent) });
  const attempt = (runId: string, number: number, entry: object): void =>
    note({ runId, attempt: number, ...entry } as never);
  const sent = (runId: string, what: string, token: string): void =>
    attempt(runId, 1, { type: "sent", what, token, key: null });
  const begin = (runId: string, number: number, worker: string, n: number, threadId: string | null, log: string[]) =>
    attempt(runId, number, {
      type: "attempt_started",
      worker,
      n,
      threadId,
      resumed: /^[qu][23]$/.test(runId),
      values: { log, count: log.length },
    });

  for (const worker of [w1, w2]) note({ type: "worker_started", worker } as never);
  call(1, { kind: "create_thread", threadId: "t1", orGet: false, token: null });
  answer(1, { kind: "done" });
  call(4, { kind: "read_thread", threadId: "t1", after: 0, frames: null });
  call(2, { kind: "start", starts: [start(1, { threadId: "t1" })] });
  answer(2, { kind: "started", runIds: ["r1"] });
  call(3, { kind: "wait", runId: "r1" });
  call(5, { kind: "start", starts: [start(2, { threadId: "t1", key: "k2", maxFailures: 2 })] });
  answer(5, { kind: "started", runIds: ["r2"] });

  event(4, 1);
  begin("r1", 1, w1, 1, "t1", []);
  sent("r1", "event", "1:e1@1");
  attempt("r1", 1, { type: "acknowledged", token: "1:e1@1" });
  event(4, 2);
  for (const number of [1, 2]) {
    const token = `1:d${number + 1}@1`;
    sent("r1", "delta", token);
    frame(4, { kind: "delta", runId: "r1", attempt: 1, number, token });
  }
  sent("r1", "checkpoint", "1:m1@1");
  attempt("r1", 1, { type: "acknowledged", token: "1:m1@1" });
  sent("r1", "event", "1:e4@1");
  attempt("r1", 1, { type: "acknowledged", token: "1:e4@1" });
  event(4, 3);
  attempt("r1", 1, { type: "attempt_ended", how: "returned", token: "1:f@1" });
  event(4, 4);
  answer(3, { kind: "outcome", outcome: { status: "succeeded", token: "1:f@1", reason: null, by: null } });

  begin("r2", 1, w2, 2, "t1", t1Log.slice(0, 2));
  attempt("r2", 1, { type: "attempt_ended", how: "threw", token: null });
  begin("r2", 2, w1, 2, "t1", t1Log.slice(0, 2));
  attempt("r2", 2, { type: "attempt_ended", how: "returned", token: "2:f@2" });
  for (const seq of [5, 6, 7, 8]) event(4, seq);
  call(14, { kind: "start", starts: [start(2, { threadId: "t1", key: "k2", maxFailures: 2 })] });
  answer(14, { kind: "started", runIds: ["r2"] });

  call(6, { kind: "start", starts: [start(3, {})] });
  answer(6, { kind: "started", runIds: ["r3"] });
  begin("r3", 1, w1, 3, null, []);
  call(7, { kind: "cancel", runId: "r3", wait: false, rollback: false });
  attempt("r3", 1, { type: "aborted", code: "RUN_CANCELED" });
  answer(7, { kind: "canceled", outcome: "requested" });
  attempt("r3", 1, { type: "attempt_ended", how: "threw", token: null });
  call(8, { kind: "cancel", runId: "r3", wait: true, rollback: false });
  answer(8, { kind: "canceled", outcome: "late" });

  call(9, { kind: "read_run", runId: "r1", after: 0, frames: null });
  for (const seq of [1, 2, 3, 4]) event(9, seq);
  answer(9, { kind: "stream_ended", why: "ended" });
  call(10, { kind: "values", threadId: "t1" });
  answer(10, { kind: "values", values: { log: t1Log, count: 3 } });
  call(11, { kind: "create_thread", threadId: "gone", orGet: false, token: null });
  answer(11, { kind: "done" });
  call(13, { kind: "read_thread", threadId: "gone", after: 0, frames: null });
  call(12, { kind: "delete_thread", threadId: "gone" });
  answer(12, { kind: "done" });
  answer(13, { kind: "stream_ended", why: "ended" });

  busyEntries({ call, answer, reply, attempt, sent, begin });
  rememberingEntries({ call, answer, reply, attempt, sent, begin });
  askingEntries({ call, answer, reply, attempt, sent, begin });
  note({ type: "faults_over" } as never);
  note({ type: "at_rest" } as never);
  call(15, { kind: "fill_slots", slots: 2 });
  answer(15, { kind: "done" });
  answer(4, { kind: "stream_ended", why: "stopped" });
  return all;
}

const threadEvents: readonly FinalEvent[] = [
  event(1, "r1", "run_started"),
  event(2, "r1", "note", { token: "1:e1@1" }),
  event(3, "r1", "note", { token: "1:e4@1" }),
  event(4, "r1", "run_succeeded"),
  event(5, "r2", "run_started"),
  event(6, "r2", "run_retrying", { why: "retry", availableAt: 1_006 }),
  event(7, "r2", "run_started", { attempt: 2 }),
  event(8, "r2", "run_succeeded", { attempt: 2 }),
];

function final(): History["final"] {
  const run = { failures: 0, crashes: 0, availableAt: 1_000, createdAt: 1_000, attempt: 1, takenBy: null };
  const succeeded = (token: string) => ({ status: "succeeded", token, reason: null, by: null });
  const checkpoint = (id: string, runId: string, kind: string, attempt: number, length: number) => {
    return { id, runId, kind, attempt, values: { log: t1Log.slice(0, length), count: length } };
  };
  return {
    runs: [
      { ...run, id: "r1", n: 1, lineageId: "r1", threadId: "t1", status: "succeeded", outcome: succeeded("1:f@1") },
      {
        ...run,
        id: "r2",
        n: 2,
        lineageId: "r2",
        threadId: "t1",
        status: "succeeded",
        attempt: 2,
        failures: 1,
        outcome: succeeded("2:f@2"),
      },
      {
        ...run,
        id: "r3",
        n: 3,
        lineageId: "r3",
        threadId: null,
        status: "canceled",
        outcome: { status: "canceled", token: null, reason: "user", by: null },
      },
      ...busyRuns,
      ...askingRuns,
      rememberingRun,
    ],
    threads: [
      {
        id: "t1",
        activeRunId: null,
        lastSeq: 8,
        values: { log: t1Log, count: 3 },
        checkpoints: [
          checkpoint("c1", "r1", "mid", 1, 1),
          checkpoint("c2", "r1", "final", 1, 2),
          checkpoint("c3", "r2", "final", 2, 3),
        ],
      },
      busyThread,
    ],
    logs: [
      { threadId: "t1", runId: null, events: threadEvents },
      busyLog,
      ...askingLogs,
      rememberingLog,
      { threadId: null, runId: "r3", events: [event(1, "r3", "run_started"), event(2, "r3", "run_canceled")] },
    ],
    lineages,
    faults: [],
  };
}
