import { describe, expect, test } from "vitest";
import { noon, runningRecord, runRecord } from "../testing/shelf.js";
import type { RunRecord } from "./run.js";
import { viewRun } from "./run-view.js";

const at = (time: number): Date => new Date(time);

test("what a run does not have is undefined, never null", () => {
  expect(viewRun(runRecord({ id: "run", input: '{"a":1}', metadata: '{"m":1}', priority: 3 }))).toStrictEqual({
    id: "run",
    status: "pending",
    waiting: "ready",
    awaits: [],
    threadId: undefined,
    agent: "worker",
    input: { a: 1 },
    config: undefined,
    metadata: { m: 1 },
    priority: 3,
    lineageId: "run",
    parentRunId: undefined,
    idempotencyKey: undefined,
    attempt: 0,
    failures: 0,
    crashes: 0,
    createdAt: at(noon),
    availableAt: at(noon),
    deadlineAt: undefined,
    startedAt: undefined,
    takenBy: undefined,
  });
});

test("what it has is shown: JSON parsed, times as dates", () => {
  const record = runningRecord({
    threadId: "thr",
    lineageId: "first",
    parentRunId: "parent",
    config: '{"c":1}',
    idempotencyKey: "key",
    takenBy: "live",
    failures: 2,
    crashes: 1,
    deadlineAt: noon + 2,
    cancelRequestedAt: 0,
  });
  expect(viewRun(record)).toMatchObject({
    status: "running",
    threadId: "thr",
    lineageId: "first",
    parentRunId: "parent",
    config: { c: 1 },
    idempotencyKey: "key",
    takenBy: "live",
    attempt: 1,
    failures: 2,
    crashes: 1,
    worker: "wrk",
    leaseUntil: at(noon + 10_000),
    startedAt: at(noon),
    deadlineAt: at(noon + 2),
    cancelRequestedAt: at(0),
  });
  expect(viewRun(runningRecord())).toMatchObject({ cancelRequestedAt: undefined });
});

test.each<[string, Partial<RunRecord>]>([
  ["ready", { active: true }],
  ["queued", { queuePosition: 1 }],
  ["steering", { queuePosition: 1, steers: "live" }],
  ["delayed", {}],
  ["children", { active: true, awaits: '["a","b"]' }],
])("a pending run that is %s", (waiting, given) => {
  const view = viewRun(runRecord({ threadId: "thr", ...given }));
  expect(view).toMatchObject({ waiting, awaits: waiting === "children" ? ["a", "b"] : [] });
});

describe("a settled run", () => {
  const settled = (given: Partial<RunRecord>) => viewRun(runRecord({ active: false, settledAt: noon + 1, ...given }));

  test.each<[Partial<RunRecord>, object]>([
    [{ status: "succeeded", output: '"done"' }, { output: "done" }],
    [{ status: "failed", error: '{"code":"AGENT_ERROR"}' }, { error: { code: "AGENT_ERROR" } }],
    [
      { status: "canceled", cancelReason: '{"kind":"user"}', rolledBack: true },
      { reason: { kind: "user" }, rolledBack: true },
    ],
    [{ status: "interrupted" }, {}],
  ])("%j", (given, shown) => {
    expect(settled(given)).toMatchObject({ status: given.status, settledAt: at(noon + 1), ...shown });
  });

  test.each(["input", "config", "metadata", "output"] as const)("of which the %s cannot be read says so", (field) => {
    expect(() => settled({ id: "r1", status: "succeeded", output: "1", [field]: "{" })).toThrow(
      expect.objectContaining({ code: "CORRUPT_DATA", details: { where: `${field} of run r1` } }),
    );
  });
});
