import { expect, test } from "vitest";
import { snapshotIsDue } from "./checkpoint.js";

test("a snapshot is due when the deltas outweigh the state twice", () => {
  expect(snapshotIsDue(20_000, 10_000)).toBe(false);
  expect(snapshotIsDue(20_001, 10_000)).toBe(true);
});

test("a tiny state is not written whole after every change", () => {
  expect(snapshotIsDue(1_024, 2)).toBe(false);
  expect(snapshotIsDue(1_025, 2)).toBe(true);
});

test("a thread that only appends needs none", () => {
  let state = 0;
  for (let turn = 0; turn < 1_000; turn++) {
    state += 300;
    expect(snapshotIsDue(state, state)).toBe(false);
  }
});
