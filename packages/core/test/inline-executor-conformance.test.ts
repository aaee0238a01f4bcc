/** The inline executor keeps every guarantee of the executor contract. */

import { executorConformance, inlineExecutorFixture } from "@heddle/core/testing";
import { test } from "vitest";

for (const { group, name, run } of executorConformance) {
  test(`${group}: ${name}`, () => run(inlineExecutorFixture()));
}
