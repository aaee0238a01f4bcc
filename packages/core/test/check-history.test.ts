/** The judge of histories: it lets a sound one pass, and every breach of a promise that is planted in it is found. */

import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkHistory, HistoryFile, historyRules, mergeEntries, readEntries } from "@heddle/core/testing";
import { expect, onTestFinished, test } from "vitest";
import { breaches } from "./check-history/planted-breaches.js";
import { soundHistory } from "./check-history/sound-history.js";

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
