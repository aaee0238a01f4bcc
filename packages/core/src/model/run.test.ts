import { describe, expect, test } from "vitest";
import {
  isSettled,
  nextStatus,
  type RunMove,
  type RunStatus,
  runMoves,
  settledStatuses,
  sourcesOf,
  storedPolicy,
} from "./run.js";

/** DESIGN section 2, written down a second time: every pair of status and move, legal or not. */
const matrix: Record<RunStatus, Record<RunMove, RunStatus | undefined>> = {
  pending: {
    claim: "running",
    release: undefined,
    succeed: "succeeded",
    fail: "failed",
    cancel: "canceled",
    interrupt: "interrupted",
  },
  running: {
    claim: undefined,
    release: "pending",
    succeed: "succeeded",
    fail: "failed",
    cancel: "canceled",
    interrupt: "interrupted",
  },
  succeeded: nothing(),
  failed: nothing(),
  canceled: nothing(),
  interrupted: nothing(),
};

function nothing(): Record<RunMove, undefined> {
  return {
    claim: undefined,
    release: undefined,
    succeed: undefined,
    fail: undefined,
    cancel: undefined,
    interrupt: undefined,
  };
}

const statuses = Object.keys(matrix) as RunStatus[];
const moves = Object.keys(matrix.pending) as RunMove[];

describe.each(statuses)("a %s run", (status) => {
  test.each(moves)("on %s", (move) => {
    expect(nextStatus(status, move)).toBe(matrix[status][move]);
  });
});

test.each(moves)("a guard for %s names the statuses it is legal from", (move) => {
  expect(sourcesOf(move)).toEqual(statuses.filter((status) => matrix[status][move] !== undefined));
});

test("settled are exactly the statuses that nothing leads out of", () => {
  expect(statuses.filter(isSettled)).toEqual([...settledStatuses]);
  for (const status of statuses) expect(Object.keys(runMoves[status]).length === 0).toBe(isSettled(status));
});

test("a policy that nobody can read lets the run end at once: no retry, no grace", () => {
  expect(storedPolicy({ policy: '{"cancelGrace":7}' })).toEqual({ cancelGrace: 7 });
  expect(storedPolicy({ policy: "{" })).toMatchObject({ retry: { maxFailures: 1, maxCrashes: 1 }, cancelGrace: 0 });
});
