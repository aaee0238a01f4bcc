/** The other process of heddle-processes.ts: a victim with runs that never end, or somebody who waits for results. */

import type { Engine } from "@heddle/core";
import { createEngine, defineAgent } from "@heddle/core";
import { machineTime } from "../meter.js";
import type { Reopen } from "./heddle-storage.js";
import { openAgain } from "./heddle-storage.js";

const [role, place = "", count = "0"] = process.argv.slice(2);
const storage = openAgain(JSON.parse(place) as Reopen);
process.on("disconnect", () => process.exit());
if (role === "victim") await beVictim(Number(count));
else await wait();

async function beVictim(count: number): Promise<void> {
  let begun = 0;
  const ids: string[] = [];
  const stuck = defineAgent({
    name: "stuck",
    run: () => {
      begun++;
      return new Promise<object>(() => {});
    },
  });
  const engine = createEngine({ storage, agents: [stuck], concurrency: Number.POSITIVE_INFINITY }) as Engine;
  await engine.start();
  process.send?.("ready");
  for (let n = 0; n < count; n++) ids.push((await engine.runs.start(stuck, null)).id);
  while (begun < count) await new Promise((resolve) => setTimeout(resolve, 5));
  process.send?.(ids);
}

async function wait(): Promise<void> {
  const engine = createEngine({ storage, work: false }) as Engine;
  await engine.start();
  process.on("message", (id: string) => void tellOf(engine, id));
  process.send?.("ready");
}

async function tellOf(engine: Engine, id: string): Promise<void> {
  const result = (await engine.runs.get(id)).result();
  // Long enough for the look with which a wait begins.
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.send?.("waiting");
  await result;
  process.send?.(machineTime());
}
