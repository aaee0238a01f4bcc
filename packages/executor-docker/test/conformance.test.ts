/** The Docker executor keeps every guarantee of the executor contract, cold and from its warm pool. */

import { fileURLToPath } from "node:url";
import type { ExecutorFixture } from "@heddle/core/testing";
import { executorConformance } from "@heddle/core/testing";
import { dockerExecutor } from "@heddle/executor-docker";
import { afterAll, beforeAll, describe, test } from "vitest";
import { image, repositoryMount, withEngine } from "./support/engine.js";

const program = fileURLToPath(new URL("../../executor-process/test/programs/conformance-agents.mjs", import.meta.url));

withEngine("a container per attempt", () => {
  describe.each([0, 3])("%i warm", (warm) => {
    const executor = dockerExecutor({ image, command: ["node", program], mounts: [repositoryMount], warm });
    const fixture: ExecutorFixture = { executor, agentOf: (name) => ({ name }) };
    const host = { worker: "test", holds: async () => undefined, report: () => {} };
    beforeAll(() => executor.open?.(host));
    afterAll(() => executor.close?.(host));

    // Ten containers at once take a busy machine a while.
    for (const { group, name, run } of executorConformance) {
      test(`${group}: ${name}`, { timeout: 60_000 }, () => run(fixture));
    }
  });
});
