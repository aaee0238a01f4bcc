/** Whoever leaks a slot never gets as many runs at once as it has slots. */

import type { Agent } from "../../engine/agent.js";
import { defineAgent } from "../../engine/agent.js";
import type { Caller } from "./call.js";
import { call } from "./call.js";
import type { Connection } from "./client.js";
import type { Answer } from "./history.js";

/** For one worker: each run waits for as many others as there are slots. */
export function slotFiller(worker: string, slots: number): Agent {
  let waiting: (() => void)[] = [];
  const run = (): Promise<void> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (waiting.length < slots) return;
      for (const go of waiting) go();
      waiting = [];
    });
  return defineAgent({ name: nameOf(worker), run }) as unknown as Agent;
}

export function fillSlots(caller: Caller, { engine, process }: Connection, slots: number): Promise<Answer> {
  return call(caller, process, { kind: "fill_slots", slots }, async () => {
    const agent = { name: nameOf(process.name) };
    const runs = await engine.runs.startMany(Array.from({ length: slots }, () => ({ agent, input: {} })));
    await Promise.all(runs.map((run) => run.result()));
    return { kind: "done" };
  });
}

function nameOf(worker: string): string {
  return `slot-filler ${worker}`;
}
