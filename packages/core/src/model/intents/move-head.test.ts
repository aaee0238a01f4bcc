import { expect, test } from "vitest";
import { setKey } from "../../testing/intents.js";
import { applyTo, noon, refusalOf, type Shelf, threadRecord } from "../../testing/shelf.js";
import type { CheckpointHead } from "../checkpoint.js";
import type { MoveHead } from "./intent.js";

const checkpoint = (id: string): CheckpointHead => ({
  id,
  threadId: "thr",
  runId: null,
  parentId: null,
  kind: "final",
  attempt: 1,
  seq: 0,
  encoding: "snapshot",
  valuesBytes: 1,
  createdAt: noon,
  bodyBytes: 1,
});
const thread = threadRecord({ headCheckpointId: "c2" });
const shelf: Shelf = { threads: [thread], checkpoints: [checkpoint("c1"), checkpoint("c2")] };
const to = { id: "c1", isShared: false };

function move(given: Partial<MoveHead>, on: Shelf = shelf) {
  const { value, changes } = applyTo<"move_head">(on, { kind: "move_head", threadId: "thr", ...given });
  const told = changes.events.map(({ payload }) => JSON.parse(payload ?? "null") as unknown);
  return { head: value.thread.headCheckpointId, written: changes.checkpoints, told };
}

test("a jump does not say which keys changed: nobody knows", () => {
  expect(move({ to })).toEqual({ head: "c1", written: [], told: [{ checkpointId: "c1" }] });
});

test("an edit says which, unless it goes on from elsewhere", () => {
  const edit = setKey("k", 1);
  const here = move({ checkpoint: edit });
  expect(here).toMatchObject({ head: edit.id, told: [{ checkpointId: edit.id, changedKeys: ["k"] }] });
  expect(here.written).toMatchObject([{ id: edit.id, kind: "update", parentId: "c2", createdAt: noon }]);
  const there = move({ to, checkpoint: edit });
  expect(there).toMatchObject({ head: edit.id, written: [{ parentId: "c1" }] });
  expect(there.told).toEqual([{ checkpointId: edit.id }]);
});

test("no edit is older than its thread, whatever the clock says", () => {
  const late = { ...shelf, threads: [{ ...thread, createdAt: noon + 5 }] };
  expect(move({ checkpoint: setKey("k", 1) }, late).written).toMatchObject([{ createdAt: noon + 5 }]);
});

test.each([
  ["no checkpoint at all", "unknown", shelf],
  ["another thread's", "c1", { ...shelf, checkpoints: [{ ...checkpoint("c1"), threadId: "other" }] }],
  ["a deleted thread's of the same id", "c1", { ...shelf, threads: [{ ...thread, createdAt: noon + 1 }] }],
])("a head does not move to %s", (_what, id, on) => {
  const { error, changes } = refusalOf(on, { kind: "move_head", threadId: "thr", to: { id, isShared: false } });
  expect(error).toMatchObject({ code: "CHECKPOINT_NOT_FOUND", details: { checkpointId: id } });
  expect([changes.threads, changes.events]).toEqual([[], []]);
});
