/** `npm run soak`: one engine under steady load for a long time; see {@link usage}. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Engine } from "@heddle/core";
import { createEngine } from "@heddle/core";
import { readOptions } from "../../scripts/lib/read-options.mjs";
import { openDatabase, type SoakDatabase } from "./database.js";
import { judge, MB } from "./judge.js";
import { agents, Load } from "./load.js";
import { parseOptions, type SoakOptions, usage } from "./options.js";
import { collectGarbage, listenersNow, openFiles, resourcesNow, type Sample } from "./sample.js";

/** Over the whole time; of a short one fewer. */
const samplesWanted = 40;
const fewestSamples = 8;
/** ms between two samples at least: each is a pause of the load. */
const leastInterval = 5_000;
const tick = 100;

const options = readOptions(usage, () => parseOptions(process.argv.slice(2)));
// Said outright: what stops an embedded PostgreSQL at the end would answer 0 for us.
process.exit((await soak(options)) ? 0 : 1);

async function soak(options: SoakOptions): Promise<boolean> {
  const database = await openDatabase(options);
  const before = resourcesNow();
  const limits = { valuesCache: 4 * 1_024 * 1_024 }; // full soon, so that what fills it is no leak
  const engine = createEngine({ storage: database.storage, agents, limits }) as Engine;
  const load = new Load(engine);
  const samples: Sample[] = [];
  try {
    await engine.start();
    const whole = options.minutes * 60_000;
    const count = Math.max(fewestSamples, Math.min(samplesWanted, Math.floor(whole / leastInterval)));
    const startedAt = performance.now();
    for (let n = 1; n <= count; n++) {
      await loadFor(startedAt + (n * whole) / count - performance.now(), options.rate, load);
      const sample = await take(engine, database, load, startedAt);
      samples.push(sample);
      console.log(lineOf(sample, options));
    }
  } finally {
    await engine.close();
  }
  await sleep(200); // sockets say goodbye
  const closed = resourcesNow();
  await database.stop();
  const findings = judge(samples, { before, closed, errors: load.errors });
  console.log(`\n${load.begun} pieces of work in ${options.minutes} min on ${options.storage}, ${options.rate}/s`);
  for (const { what, figure, ok } of findings) console.log(`  ${ok ? "✔" : "✖"} ${what}: ${figure}`);
  return findings.every(({ ok }) => ok);
}

/** Begin `rate` pieces of work per second for `ms`, and wait for all of them. */
async function loadFor(ms: number, rate: number, load: Load): Promise<void> {
  const from = performance.now();
  const underWay = new Set<Promise<void>>();
  let begun = 0;
  while (performance.now() - from < ms) {
    const due = ((performance.now() - from) / 1_000) * rate;
    for (; begun < due; begun++) {
      const work = load.work().finally(() => underWay.delete(work));
      underWay.add(work);
    }
    await sleep(tick);
  }
  await Promise.all(underWay);
}

async function take(engine: Engine, database: SoakDatabase, load: Load, startedAt: number): Promise<Sample> {
  const { host } = await engine.transaction(async (tx) => tx);
  const size = await database.size(host);
  // Timers that were set for work that is done have a moment to go.
  await sleep(300);
  await collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  return {
    work: load.begun,
    seconds: (performance.now() - startedAt) / 1_000,
    heap: heapUsed,
    resident: rss,
    database: size,
    log: database.logSize(),
    resources: resourcesNow(),
    files: openFiles(),
    listeners: listenersNow(),
  };
}

function lineOf({ seconds, work, heap, resident, database, log }: Sample, { minutes }: SoakOptions): string {
  const stored = database === undefined ? "" : `  database ${MB(database)}, log ${MB(log)}`;
  const share = Math.min(100, Math.round((seconds / (minutes * 60)) * 100));
  return `${String(share).padStart(3)} %  ${seconds.toFixed(0)} s  ${work} done  heap ${MB(heap)}, resident ${MB(resident)}${stored}`;
}
