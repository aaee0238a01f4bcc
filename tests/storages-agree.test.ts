/** DESIGN section 3, invariant 9: the same command sequence gives the same results on every storage. */

import { memoryFixture, preloadingFixture, sameResults, type StorageFixture } from "@heddle/core/testing";
import fc from "fast-check";
import { describe, test } from "vitest";
import { randomSteps } from "./random-steps.js";

const isFull = process.env.HEDDLE_TEST_SIZE === "full";

const others: Readonly<Record<string, { readonly fixture: () => StorageFixture; readonly sequences: number }>> = {
  "memory that preloads": { fixture: preloadingFixture, sequences: isFull ? 2_000 : 200 },
};

describe.each(Object.entries(others))("memory and %s", (_name, { fixture, sequences }) => {
  test("give the same results", { timeout: 600_000 }, async () => {
    const property = fc.asyncProperty(randomSteps(60), (steps) => sameResults(memoryFixture(), fixture(), steps));
    // A failing sequence is made smaller for a while, not for ever.
    await fc.assert(property, { numRuns: sequences, interruptAfterTimeLimit: isFull ? 500_000 : 30_000 });
  });
});
