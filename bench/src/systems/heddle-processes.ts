/** What can only be measured with a second process: taking over from a dead one, and waiting for another's results. */

import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Engine } from "@heddle/core";
import { createEngine, defineAgent } from "@heddle/core";
import { z } from "zod";
import { machineTime, metered } from "../meter.js";
import type { Round } from "../system.js";
import type { Sizes } from "../workload.js";
import { atOnce } from "../workload.js";
import type { Place, Places } from "./heddle-storage.js";

const script = fileURLToPath(new URL("./heddle-second-process.ts", import.meta.url));

/** A process that has `orphans` runs is killed. The time until another engine, which starts then, has settled them all. */
export async function recovery(places: Places, { orphans }: Sizes): Promise<Round> {
  const place = await places.next();
  const victim = await start("victim", place, String(orphans));
  const [ids] = (await once(victim, "message")) as [string[]];
  const gone = once(victim, "exit");
  victim.kill("SIGKILL");
  await gone;
  const quick = defineAgent({ name: "stuck", run: () => ({ output: "done" }) });
  const engine = createEngine({ storage: place.storage, agents: [quick], concurrency: atOnce }) as Engine;
  try {
    return await metered(orphans, async () => {
      await engine.start();
      await Promise.all(ids.map(async (id) => (await engine.runs.get(id)).result()));
    });
  } finally {
    await engine.close();
  }
}

/** How much later than here a result is known to somebody who waits for it in another process. */
export async function announce(places: Places, { waits }: Sizes): Promise<Round> {
  const place = await places.next();
  const releases = new Map<number, () => void>();
  const held = defineAgent({
    name: "held",
    input: z.object({ n: z.number() }),
    run: ({ input }) => new Promise<object>((resolve) => releases.set(input.n, () => resolve({}))),
  });
  const engine = createEngine({ storage: place.storage, agents: [held] }) as Engine;
  await engine.start();
  const waiter = await start("waiter", place);
  try {
    const times: number[] = [];
    const round = await metered(waits, async () => {
      for (let n = 0; n < waits; n++) {
        const run = await engine.runs.start(held, { n });
        waiter.send(run.id);
        await once(waiter, "message");
        const known = once(waiter, "message");
        releases.get(n)?.();
        await run.result();
        const here = machineTime();
        const [there] = (await known) as [number];
        times.push(Math.max(0, there - here));
      }
    });
    return { ...round, times };
  } finally {
    waiter.kill("SIGKILL");
    await engine.close();
  }
}

async function start(role: string, { open }: Place, ...more: string[]): Promise<ChildProcess> {
  const child = fork(script, [role, JSON.stringify(open), ...more], {
    execArgv: process.execArgv,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  await once(child, "message");
  return child;
}
