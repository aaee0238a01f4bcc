/** The inline executor keeps every guarantee of the executor contract. */

import {
  executorConformance,
  executorSteerConformance,
  executorStepConformance,
  inlineExecutorFixture,
} from "@heddle/core/testing";
import { test } from "vitest";

for (const { group, name, run } of [...executorConformance, ...executorStepConformance, ...executorSteerConformance]) {
  test(`${group}: ${name}`, () => run(inlineExecutorFixture()));
}
