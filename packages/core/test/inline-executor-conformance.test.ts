/** The inline executor keeps every guarantee of the executor contract. */

import { executorConformance, executorStepConformance, inlineExecutorFixture } from "@heddle/core/testing";
import { test } from "vitest";

for (const { group, name, run } of [...executorConformance, ...executorStepConformance]) {
  test(`${group}: ${name}`, () => run(inlineExecutorFixture()));
}
