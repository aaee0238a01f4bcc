/** The process executor keeps every guarantee of the executor contract. */

import { fileURLToPath } from "node:url";
import type { ExecutorFixture } from "@heddle/core/testing";
import { executorConformance } from "@heddle/core/testing";
import { processExecutor } from "@heddle/executor-process";
import { test } from "vitest";

const program = fileURLToPath(new URL("programs/conformance-agents.mjs", import.meta.url));

const fixture: ExecutorFixture = {
  executor: processExecutor({ command: process.execPath, args: [program] }),
  agentOf: (name) => ({ name }),
};

for (const { group, name, run } of executorConformance) {
  test(`${group}: ${name}`, () => run(fixture));
}
