import { expect, test } from "vitest";
import { acceptRun } from "../../testing/intents.js";
import { noon, readerOf, runRecord, threadRecord } from "../../testing/shelf.js";
import { UnitOfWork } from "../unit-of-work.js";
import { applyIntents, splitBatch } from "./apply-intents.js";
import type { Intent } from "./intent.js";

const busy = {
  threads: [threadRecord({ activeRunId: "active" })],
  runs: [runRecord({ id: "active", threadId: "thr", active: true })],
};

test("each intent gets its answer and its own effects, in order", () => {
  const work = new UnitOfWork(readerOf(busy), noon);
  const answers = applyIntents(work, [acceptRun(), acceptRun({ threadId: "thr" }), acceptRun()]);
  expect(answers.map((answer) => (answer.ok ? answer.effects.length : answer.error.code))).toEqual([
    2,
    "THREAD_BUSY",
    2,
  ]);
  expect(work.changes().runs.length).toBe(2);
});

test("what is no refusal is a fault of the whole", () => {
  const work = new UnitOfWork(readerOf({ runs: [runRecord({ id: "a", policy: "no JSON" })] }), noon);
  const poison = { kind: "accept_run", run: null } as unknown as Intent;
  expect(() => applyIntents(work, [acceptRun(), poison])).toThrow(TypeError);
});

test("intents that remove rows go alone; the others stay together, in order", () => {
  const [a, b, c, d] = [acceptRun(), acceptRun(), acceptRun(), acceptRun()];
  const removals: Intent[] = [
    { kind: "delete_thread", id: "thr", keepTombstone: 1 },
    { kind: "delete_run", runId: "run", threadId: null },
    { kind: "collect_checkpoints", threadId: "thr" },
    { kind: "prune_checkpoints", threadId: "thr", ids: [], snapshots: [] },
  ];
  const [deleteThread, deleteRun, collect, prune] = removals as [Intent, Intent, Intent, Intent];
  const batches = splitBatch([a, b, deleteThread, c, deleteRun, collect, prune, d]);
  expect(batches).toEqual([[a, b], [deleteThread], [c], [deleteRun], [collect], [prune], [d]]);
  expect(splitBatch([])).toEqual([]);
});
