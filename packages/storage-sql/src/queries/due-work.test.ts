import { describe, expect, test } from "vitest";
import { dueWork } from "./due-work.js";

const query = { worker: "me", deadWorkers: [], limit: 2, agents: ["a"], now: 100 };
const pending = { claimable: 0, claimableAt: null, delayedAt: null, deadlineAt: null } as const;

describe("what the rows of a poll add up to", () => {
  test("nothing", () => {
    expect(dueWork(query, { leases: [], pending, due: [], wakes: [], orphans: [] })).toEqual({
      tend: [],
      wake: [],
      orphans: [],
      claimable: false,
      nextAt: null,
      workers: [],
      now: 100,
    });
  });

  test("soonest first, each run once, at most the limit", () => {
    const due = [
      { runId: "c", threadId: null, at: 30 },
      { runId: "a", threadId: "t", at: 10 },
      { runId: "b", threadId: null, at: 10 },
      { runId: "a", threadId: "t", at: 20 },
    ];
    expect(dueWork(query, { leases: [], pending, due, wakes: [], orphans: [] }).tend).toEqual([
      { runId: "a", threadId: "t" },
      { runId: "b", threadId: null },
    ]);
  });

  test("the next of all that waits for time; one's own worker is not among the others", () => {
    const leases = [
      { worker: "me", nextAt: 140 },
      { worker: "other", nextAt: 150 },
    ];
    const waiting = { claimable: true, claimableAt: 160, delayedAt: 130, deadlineAt: null };
    expect(dueWork(query, { leases, pending: waiting, due: [], wakes: [], orphans: [] })).toMatchObject({
      claimable: true,
      nextAt: 130,
      workers: ["other"],
    });
  });
});
