/** A run of steps in a process that kills itself at a given point. Arguments: database, log, point (`in:7`, `after:7`). */

import { appendFileSync } from "node:fs";
import { createEngine, defineAgent } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { z } from "zod";
import { killMyself } from "../support/tell.js";

export const steps = 20;

/** Each step writes its number to the log, and counts how often it was done over all processes. */
export function stepper(log: string, killAt?: string) {
  return defineAgent({
    name: "stepper",
    output: z.array(z.number()),
    async run({ step }) {
      const results: number[] = [];
      for (let number = 1; number <= steps; number++) {
        const result = await step(`step-${number}`, () => {
          appendFileSync(log, `${number}\n`);
          if (killAt === `in:${number}`) killMyself();
          return number * number;
        });
        if (killAt === `after:${number}`) killMyself();
        results.push(result);
      }
      return { output: results };
    },
  });
}

const [path, log = "", point = ""] = process.argv.slice(2);
if (path !== undefined && process.argv[1]?.includes("twenty-steps")) {
  const agent = stepper(log, point);
  const engine = createEngine({ storage: sqliteStorage(path), agents: [agent] });
  await engine.start();
  await engine.runs.start(agent, null, { idempotencyKey: "run" });
}
