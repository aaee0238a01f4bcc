import { defineAgent } from "@heddle/core";
import { createTestEngine } from "@heddle/core/testing";
import { z } from "zod";

const flaky = defineAgent({
  name: "flaky",
  retry: { maxFailures: 3 },
  run: ({ attempt }) => {
    if (attempt < 3) throw new Error("no");
    return { output: attempt };
  },
});
const hang = defineAgent({ name: "hang", attemptTimeout: 30000, run: () => new Promise<void>(() => {}) });
const t = await createTestEngine({ agents: [flaky, hang] });
const a = await t.engine.runs.start(flaky, 1);
const d = await t.engine.runs.start(flaky, 1, { delay: 3600_000 });
const h = await t.engine.runs.start(hang, 1);
await t.runUntilIdle();
console.log(await a.settled(), await d.settled(), await h.settled(), new Date(t.clock.now()), t.engine.attempts);
const th = await t.engine.threads.create();
const r1 = await th.start(hang, 1);
const r2 = await th.start(flaky, 1, { whenBusy: "enqueue" });
console.log((await th.info()).status, (await th.queue()).length);
await t.runUntilIdle();
console.log(await r1.settled(), await r2.settled(), (await th.info()).status, (await th.history()).length);
await t.close();
