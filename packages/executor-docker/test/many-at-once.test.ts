/** Many runs at once, each in a container that nobody used before, cold and from the warm pool; nothing is left. */

import type { Agent } from "@heddle/core";
import { createEngine, memoryStorage } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { docker, nodeAgent, withEngine } from "./support/engine.js";
import { minutes, sized } from "./support/size.js";

const runs = sized(16, 100);

withEngine(`${runs} runs, 8 in parallel`, () => {
  describe.each([0, 4])("%i warm", (warm) => {
    test("each its own container and its own answer", { timeout: 5 * minutes }, async () => {
      const body = `
        const { hostname } = await import("node:os");
        const { existsSync, writeFileSync } = await import("node:fs");
        const used = existsSync("/tmp/used");
        writeFileSync("/tmp/used", "");
        return { output: { input: ctx.input, hostname: hostname(), used } };`;
      const agent = nodeAgent(body, { warm }) as Agent;
      const engine = createEngine({ storage: memoryStorage(), agents: [agent], concurrency: 8 });
      await engine.start();
      const began = performance.now();
      const inputs = Array.from({ length: runs }, (_, index) => index);
      const handles = await Promise.all(inputs.map((input) => engine.runs.start(agent, input)));
      const outputs = (await Promise.all(handles.map((run) => run.result()))) as { input: number; hostname: string }[];
      console.log(`${runs} runs, 8 at once, ${warm} warm: ${((performance.now() - began) / 1_000).toFixed(1)} s`);
      expect(outputs.map(({ input }) => input)).toEqual(inputs);
      expect(new Set(outputs.map(({ hostname }) => hostname)).size).toBe(runs);
      expect(outputs).not.toContainEqual(expect.objectContaining({ used: true }));
      const worker = (await docker.listContainers({ all: true, filters: { label: ["heddle.token"] } })).length;
      expect(worker).toBeGreaterThanOrEqual(warm);
      await engine.close();
      for (const { hostname } of outputs)
        await expect(docker.getContainer(hostname).inspect()).rejects.toThrow(/No such/);
    });
  });
});
