import fc from "fast-check";
import { memoryFixture, sameResults } from "@heddle/core/testing";
import { test } from "vitest";
import { writeFileSync } from "node:fs";
import { randomSteps } from "./random-steps.js";
test("s", async () => {
  let n = 0;
  for (const steps of fc.sample(randomSteps(60), { numRuns: 6000, seed: 11 })) {
    writeFileSync("/tmp/steps.json", JSON.stringify(steps));
    const t = Date.now();
    try { await sameResults(memoryFixture(), memoryFixture(), steps); } catch (e) { console.log("FAIL", n, (e as Error).message.slice(0, 600)); return }
    if (Date.now() - t > 500) console.log("slow", n, Date.now() - t);
    n++;
  }
  console.log("done", n);
}, 400000);
