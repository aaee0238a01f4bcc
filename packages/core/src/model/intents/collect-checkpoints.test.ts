import { describe, expect, test } from "vitest";
import { applyTo, noon, runningRecord, runRecord, type Shelf, threadRecord } from "../../testing/shelf.js";
import type { CheckpointHead } from "../checkpoint.js";
import type { PruneCheckpoints, WholeValues } from "./intent.js";

const checkpoint = (id: string, parentId: string | null): CheckpointHead =>
  ({
    id,
    parentId,
    threadId: "thr",
    createdAt: noon,
    valuesBytes: 2,
    bodyBytes: 2,
    encoding: "delta",
  }) as CheckpointHead;

const whole = (id: string): WholeValues => ({ id, body: "{}", valuesBytes: 2 });

/** a ← b ← c ← d, the head; another branch e of b. */
const tree: Shelf = {
  threads: [threadRecord({ headCheckpointId: "d" })],
  checkpoints: [
    checkpoint("a", null),
    checkpoint("b", "a"),
    checkpoint("e", "b"),
    checkpoint("c", "b"),
    checkpoint("d", "c"),
  ],
};

function prune(shelf: Shelf, ids: readonly string[], snapshots: readonly string[] = []) {
  const intent: PruneCheckpoints = { kind: "prune_checkpoints", threadId: "thr", ids, snapshots: snapshots.map(whole) };
  const { value, changes } = applyTo<"prune_checkpoints">(shelf, intent);
  return { removed: value.removed, removals: changes.removals };
}

const standsAlone = (id: string) => ({ type: "parent", ...whole(id) });

describe("pruning", () => {
  test("what stays without a parent is stored whole first", () => {
    expect(prune(tree, ["a", "b"], ["c", "e"])).toEqual({
      removed: 2,
      removals: [standsAlone("c"), standsAlone("e"), { type: "checkpoints", ids: ["a", "b"] }],
    });
  });

  test("where it could not stand alone its parent stays, and what was to be parted from that keeps it", () => {
    expect(prune(tree, ["b"], ["c"])).toEqual({ removed: 0, removals: [] });
    expect(prune(tree, ["b"], ["e"])).toEqual({ removed: 0, removals: [] });
    expect(prune(tree, ["a", "b"], ["c"])).toEqual({ removed: 0, removals: [] });
    expect(prune(tree, ["a", "b", "e"], ["c"]).removed).toBe(3);
  });

  test("the head stays, and what nobody knows is not removed", () => {
    expect(prune(tree, ["d", "unknown"])).toEqual({ removed: 0, removals: [] });
  });

  test("so does where an unsettled run came from, and where it is", () => {
    const run = { threadId: "thr", active: true, baseCheckpointId: "c", headCheckpointId: "e" };
    const ids = ["c", "e"];
    expect(prune({ ...tree, runs: [runningRecord(run)] }, ids, ["d"]).removed).toBe(0);
    expect(prune({ ...tree, runs: [runRecord({ ...run, status: "failed" })] }, ids, ["d"]).removed).toBe(2);
  });

  test("so does what a copy goes on from, with all above it", () => {
    const origins = [{ threadId: "copy", checkpointId: "c", ownerId: "thr" }];
    expect(prune({ ...tree, origins }, ["a", "b", "c", "e"], ["d"])).toEqual({
      removed: 1,
      removals: [{ type: "checkpoints", ids: ["e"] }],
    });
  });
});

test("what rolled back runs left goes, but for what somebody went on from meanwhile", () => {
  const collect = (rolledBack: readonly string[]) =>
    applyTo<"collect_checkpoints">(tree, { kind: "collect_checkpoints", threadId: "thr", rolledBack }).changes.removals;
  expect(collect(["e"])).toEqual([{ type: "checkpoints", ids: ["e"] }]);
  expect(collect(["b", "e"])).toEqual([{ type: "checkpoints", ids: ["e"] }]);
  expect(collect([])).toEqual([]);
});
