import fc from "fast-check";
import { expect, test } from "vitest";
import { backoff, mayRetry, maySurviveCrash } from "./retry.js";
import type { RetryPolicy } from "./run.js";

const policy: RetryPolicy = {
  maxFailures: 3,
  maxCrashes: 2,
  delay: 1_000,
  factor: 2,
  maxDelay: 60_000,
  jitter: "none",
};

test.each([
  [1, 1_000],
  [2, 2_000],
  [3, 4_000],
  [6, 32_000],
  [7, 60_000],
  [1_000_000, 60_000],
])("failure %i is waited for %i ms", (failures, wait) => {
  expect(backoff(policy, failures, 0.5)).toBe(wait);
});

test("full jitter draws between nothing and the wait", () => {
  const jittered = { ...policy, jitter: "full" } as const;
  expect([0, 0.25, 0.999_999].map((random) => backoff(jittered, 2, random))).toEqual([0, 500, 2_000]);
});

test("a wait is a whole number of ms from 0 to the longest, whatever the policy", () => {
  const anyPolicy = fc.record({
    maxFailures: fc.nat(),
    maxCrashes: fc.nat(),
    delay: fc.nat(10_000_000),
    factor: fc.double({ min: 1, max: 1_000, noNaN: true }),
    maxDelay: fc.nat(10_000_000),
    jitter: fc.constantFrom("full" as const, "none" as const),
  });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(anyPolicy, fc.nat(), random, (given, failures, fraction) => {
      const wait = backoff(given, failures, fraction);
      expect(Number.isInteger(wait)).toBe(true);
      expect(wait).toBeGreaterThanOrEqual(0);
      expect(wait).toBeLessThanOrEqual(given.maxDelay);
    }),
  );
});

test("a run that failed as often as it may is done", () => {
  expect([0, 1, 2, 3, 4].map((failures) => mayRetry(policy, failures))).toEqual([true, true, true, false, false]);
  expect(mayRetry({ ...policy, maxFailures: 1 }, 1)).toBe(false);
});

test("a run that crashed as often as it may is done", () => {
  expect([0, 1, 2, 3].map((crashes) => maySurviveCrash(policy, crashes))).toEqual([true, true, false, false]);
});
