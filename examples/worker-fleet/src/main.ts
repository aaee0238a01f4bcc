/**
 * A fleet that grows while it works: one worker process, then more, on one PostgreSQL; towards the end some are sent home.
 * Nobody divides the work among them: each claims what it has slots for. Argument: how many workers (5).
 */

import { setTimeout as sleep } from "node:timers/promises";
import { createEngine } from "@heddle/core";
import { Board } from "./board.js";
import { openStorage, schema, slots, weave } from "./engine.js";
import { Fleet } from "./fleet.js";
import { startPostgres } from "./postgres.js";

const most = Math.max(1, Number(process.argv[2] ?? 5) || 1);
const total = most * 32;
/** Part of the work after which some may go. */
const enough = 0.75;
/** ms between two hires. */
const pace = 800;

const postgres = await startPostgres(schema);
process.env.EXAMPLE_DATABASE = postgres.connectionString;
const engine = createEngine({ storage: openStorage(), agents: [weave], work: false });
await engine.start();

const fleet = new Fleet();
const finished = new Map<string, number>();
let done = 0;
const board = new Board(() => ({ done, total, workers: fleet.workers, slots, finished }));

try {
  const starts = Array.from({ length: total }, (_, index) => {
    return { agent: weave, input: { piece: index + 1, ms: 250 + ((index * 37) % 400) } };
  });
  const runs = await engine.runs.startMany(starts);
  board.say(`${total} runs are accepted; nobody works yet`);

  const all = Promise.all(runs.map(async (run) => count((await run.result()) as { by: string })));
  await Promise.all([all, hireAll().then(sendHalfHome)]);
  board.say("all are woven");
  await Promise.all(fleet.workers.map((worker) => fleet.dismiss(worker)));
  board.stop();
  console.log(
    `  ${done} runs, ${finished.size} workers, each run once: ${[...finished.values()].join(" + ")} = ${done}\n`,
  );
} finally {
  fleet.kill();
  await engine.close();
  await postgres.stop();
}

function count({ by }: { by: string }): void {
  done++;
  finished.set(by, (finished.get(by) ?? 0) + 1);
}

/** One after the other, while there is work for them. */
async function hireAll(): Promise<void> {
  const hired: Promise<void>[] = [];
  while (fleet.workers.length < most && done < total * enough) {
    hired.push(hire());
    await sleep(pace);
  }
  await Promise.all(hired);
}

async function hire(): Promise<void> {
  const worker = await fleet.hire();
  board.say(`${worker.name} works`);
}

async function sendHalfHome(): Promise<void> {
  while (done < total * enough) await sleep(50);
  const leaving = fleet.workers.slice(0, Math.floor(fleet.workers.length / 2));
  for (const { name } of leaving) board.say(`${name} is sent home: it ends what it has, and takes nothing new`);
  await Promise.all(leaving.map((worker) => fleet.dismiss(worker)));
}
