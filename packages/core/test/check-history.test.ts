/** The judge of histories: it lets a sound one pass, and every breach of a promise that is planted in it is found. */

import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  checkHistory,
  type HistoryEntry,
  HistoryFile,
  historyRules,
  mergeEntries,
  readEntries,
} from "@heddle/core/testing";
import { expect, onTestFinished, test } from "vitest";
import { start } from "./check-history/parts.js";
import { breaches } from "./check-history/planted-breaches.js";
import { type Draft, soundHistory } from "./check-history/sound-history.js";

test("a sound history is found sound", () => {
  expect(checkHistory(soundHistory())).toEqual([]);
});

test.each(breaches)("%s: %s", (rule, _, plant) => {
  const history = soundHistory();
  plant(history);
  expect(checkHistory(history).map((violation) => violation.rule)).toContain(rule);
});

test("every promise has a planted breach", () => {
  const planted = new Set(breaches.map(([rule]) => rule));
  expect(Object.keys(historyRules).filter((rule) => !planted.has(rule))).toEqual([]);
});

test("a disk that was filled may be full", () => {
  const history = soundHistory();
  const answer = history.entries.findIndex((entry) => entry.type === "answer" && entry.call === 10);
  const refused = { type: "refused", code: "STORAGE_FULL", activeRunId: null } as const;
  history.entries[answer] = { time: 0, type: "answer", call: 10, answer: refused };
  history.entries.unshift({ time: 0, type: "fault", kind: "disk_full", worker: "", port: "", ms: 0 });
  expect(checkHistory(history)).toEqual([]);
});

test("who resumed a run may be lost with the answer, and the run it goes on from be gone: nothing is said of that lineage", () => {
  const history = soundHistory();
  const call = { time: 0, type: "call", client: "c9", worker: "client0" } as const;
  const lost = { time: 0, type: "answer", answer: { type: "lost" } } as const;
  const attempt = { time: 0, runId: "x2", attempt: 1 } as const;
  const entries: Draft<HistoryEntry>[] = [
    { ...call, call: 900, command: { kind: "start", starts: [start(91, { ephemeral: true })] } },
    { ...lost, call: 900 },
    { ...call, call: 901, command: { kind: "answer", runId: "x1", answers: { p: "a9" } } },
    { ...lost, call: 901 },
    {
      ...attempt,
      type: "attempt_started",
      worker: "worker1",
      n: 91,
      threadId: null,
      resumed: true,
      values: { log: [], count: 0 },
    },
    { ...attempt, type: "step", phase: "stored", key: "u", token: "91:s-u@1" },
    { ...attempt, type: "attempt_ended", how: "threw", token: null },
  ];
  const place = history.entries.findIndex((entry) => entry.type === "call" && entry.call === 55);
  history.entries.splice(place, 0, ...entries);
  expect(checkHistory(history)).toEqual([]);
});

test("who resumed a run may be lost, and both runs be gone: the key of the first one started no second", () => {
  const history = soundHistory();
  const call = { time: 0, type: "call", client: "c9", worker: "client0" } as const;
  const answer = { time: 0, type: "answer" } as const;
  const attempt = { time: 0, attempt: 1 } as const;
  const begin = { ...attempt, type: "attempt_started", worker: "worker1", n: 92, threadId: null } as const;
  const end = { ...attempt, type: "attempt_ended", how: "threw", token: null } as const;
  const entries: Draft<HistoryEntry>[] = [
    { ...call, call: 900, command: { kind: "start", starts: [start(92, { key: "k92", ephemeral: true })] } },
    { ...answer, call: 900, answer: { type: "ok", value: { kind: "started", runIds: ["y1"] } } },
    { ...begin, runId: "y1", resumed: false, values: { log: [], count: 0 } },
    { ...attempt, runId: "y1", type: "asked", key: "p" },
    { ...end, runId: "y1" },
    { ...call, call: 901, command: { kind: "answer", runId: "y1", answers: { p: "a9" } } },
    { ...answer, call: 901, answer: { type: "lost" } },
    { ...begin, runId: "y2", resumed: true, values: { log: [], count: 0 } },
    { ...attempt, runId: "y2", type: "answered", key: "p", token: "a9" },
    { ...end, runId: "y2" },
  ];
  const place = history.entries.findIndex((entry) => entry.type === "call" && entry.call === 55);
  history.entries.splice(place, 0, ...entries);
  expect(checkHistory(history)).toEqual([]);
});

test.each([
  { aborted: true, breaches: [] },
  { aborted: false, breaches: [{ rule: "only errors that are promised" }] },
])("a write that the storage was away for is refused only by a closing engine: $aborted", ({ aborted, breaches }) => {
  const history = soundHistory();
  const attempt = { time: 0, runId: "z1", attempt: 1 } as const;
  const entries: Draft<HistoryEntry>[] = [
    {
      time: 0,
      type: "call",
      call: 900,
      client: "c9",
      worker: "client0",
      command: { kind: "start", starts: [start(93, { ephemeral: true })] },
    },
    { time: 0, type: "answer", call: 900, answer: { type: "ok", value: { kind: "started", runIds: ["z1"] } } },
    {
      ...attempt,
      type: "attempt_started",
      worker: "worker1",
      n: 93,
      threadId: null,
      resumed: false,
      values: { log: [], count: 0 },
    },
    { ...attempt, type: "sent", what: "event", token: "93:e1@1", key: null },
    ...(aborted ? [{ ...attempt, type: "aborted", code: "ENGINE_CLOSED" } as const] : []),
    { ...attempt, type: "not_written", token: "93:e1@1", code: "STORAGE_UNAVAILABLE" },
    { ...attempt, type: "attempt_ended", how: "threw", token: null },
  ];
  const place = history.entries.findIndex((entry) => entry.type === "call" && entry.call === 55);
  history.entries.splice(place, 0, ...entries);
  expect(checkHistory(history)).toMatchObject(breaches);
});

test("files of several processes become one history, in the order of time, with calls of their own numbers", () => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-history-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [first, second] = ["a", "b"].map((name) => new HistoryFile(join(folder, `${name}.jsonl`)));
  for (const file of [first, second, first, second]) {
    const call = file?.nextCall() ?? 0;
    file?.note({ type: "call", call, client: "c", worker: "w", command: { kind: "wait", runId: `${call}` } });
  }
  const calls = readEntries(folder).map((entry) => (entry.type === "call" ? entry.call : 0));
  expect(calls).toEqual([1, 3, 2, 4]);
  // A process that is killed while it writes.
  appendFileSync(join(folder, "b.jsonl"), '{"time":99999999999,"type":"faul');
  expect(readEntries(folder)).toHaveLength(4);
});

test("the death of a process answers its open calls, and no others", () => {
  const command = { kind: "wait", runId: "r" } as const;
  const call = { type: "call", client: "c", command } as const;
  const entries = mergeEntries([
    [
      { time: 1, ...call, call: 1, worker: "w1" },
      { time: 2, ...call, call: 2, worker: "w1" },
      { time: 3, type: "answer", call: 1, answer: { type: "ok", value: { kind: "done" } } },
    ],
    [{ time: 2, ...call, call: 1, worker: "w2" }],
    [{ time: 5, type: "worker_ended", worker: "w1", how: "crashed" }],
  ]);
  expect(
    entries
      .filter(({ type }) => type === "answer")
      .map((entry) => "answer" in entry && [entry.call, entry.answer.type]),
  ).toEqual([
    [1, "ok"],
    [2, "lost"],
  ]);
  expect(entries.at(-1)).toMatchObject({ time: 5, type: "answer" });
});
