/**
 * A trip is planned step by step, and then people change their minds: they look at an earlier state, edit it, try a step
 * again from there, and fork the plan to compare two of them. Nothing that was planned is ever lost.
 */

import type { ThreadHandle } from "@heddle/core";
import { createEngine, defineAgent } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { z } from "zod";

const planner = defineAgent({
  name: "planner",
  input: z.object({ stop: z.string(), price: z.number() }),
  values: z.object({
    budget: z.number().default(300),
    stops: z.array(z.string()).default([]),
    spent: z.number().default(0),
  }),
  output: z.string(),
  run({ input, values }) {
    const spent = values.spent + input.price;
    if (spent > values.budget) return { output: `${input.stop} is beyond the budget of ${values.budget}` };
    return { output: `added ${input.stop}`, values: { stops: [...values.stops, input.stop], spent } };
  },
});

const engine = createEngine({ storage: sqliteStorage(":memory:"), agents: [planner] });
await engine.start();
const trip = await engine.threads.create({ title: "Summer" });

await add(trip, "Lisbon", 120);
await add(trip, "Porto", 90);
await add(trip, "Madeira", 150);
await show("the plan", trip);

// Look back: the state after the first stop.
const [, afterPorto, afterLisbon] = await trip.history();
if (afterLisbon === undefined || afterPorto === undefined) throw new Error("three turns leave three checkpoints");
console.log("after the first turn:", (await trip.valuesAt(afterLisbon.id)).stops);

// Edit: there is more money after all. The agent's schema checks it.
await trip.updateValues({ budget: 400 });
await add(trip, "Madeira", 150);
await show("with a bigger budget", trip);

// Replay: what if we had gone to Évora instead of Porto? The old plan stays as a branch.
const run = await trip.start(planner, { stop: "Évora", price: 60 }, { from: afterLisbon.id });
console.log("from Lisbon on:", await run.result());
await show("the plan now", trip);

// Fork: both plans side by side, as threads of their own.
const other = await trip.copy({ at: afterPorto.id, title: "Summer, with Porto" });
await add(other, "Braga", 40);
await show("the fork", other);
await show("the plan is as it was", trip);

console.log("all checkpoints, newest first:");
for (const { id, parentId, kind } of await trip.history({ branches: true }))
  console.log(`  ${kind.padEnd(7)} ${short(id)} after ${parentId === undefined ? "nothing" : short(parentId)}`);

// In the end only the latest state counts; what the fork needs stays.
const { removed } = await trip.prune({ keep: 1 });
const { checkpoints, total } = await trip.storage();
console.log(`${removed} removed; ${checkpoints.rows} are left, ${total.bytes} bytes of text in all`);
await show("still", trip);
await engine.close();

async function add(thread: ThreadHandle, stop: string, price: number): Promise<void> {
  const turn = await thread.start(planner, { stop, price });
  console.log(await turn.result());
}

async function show(what: string, thread: ThreadHandle): Promise<void> {
  const { stops, spent } = await thread.values(planner);
  console.log(`${what}: ${stops.join(", ")} for ${spent}`);
}

function short(id: string): string {
  return id.slice(-4);
}
