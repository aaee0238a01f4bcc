import { expect, test } from "vitest";
import { settledStatuses } from "./run.js";
import { threadStatus } from "./thread.js";

test("a thread is busy exactly while it has an active run", () => {
  for (const lastOutcome of [null, ...settledStatuses]) {
    expect(threadStatus({ activeRunId: "run", lastOutcome })).toBe("busy");
  }
});

test.each([
  [null, "idle"],
  ["succeeded", "idle"],
  ["canceled", "idle"],
  ["failed", "error"],
  ["interrupted", "interrupted"],
] as const)("without one, after %s, it is %s", (lastOutcome, status) => {
  expect(threadStatus({ activeRunId: null, lastOutcome })).toBe(status);
});
