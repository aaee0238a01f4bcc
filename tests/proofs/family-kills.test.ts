/**
 * Processes full of parents and children that are killed: each key started one child, each parent got its children's
 * results, and nobody waits for ever.
 */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Engine, Run } from "@heddle/core";
import { createEngine } from "@heddle/core";
import { checkInvariants, manualClock } from "@heddle/core/testing";
import { expect, test } from "vitest";
import { freshSchema, useServer } from "../../packages/storage-postgres/test/support/server.js";
import type { FamilyCommand, FamilyTold } from "./programs/family.js";
import { childrenOfEach, familyAgents, familySettings, rightSum } from "./programs/family-agents.js";
import type { Program } from "./support/program.js";
import { startProgram } from "./support/program.js";
import { startProgress } from "./support/progress.js";
import { minutes, seconds, sized } from "./support/size.js";
import { storageAt } from "./support/storage-at.js";
import { countBy, printTable } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";
import { within } from "./support/within.js";

/** Processes at a time. */
const victims = 2;
const server = useServer();

const subjects = [
  {
    name: "PostgreSQL",
    kills: sized({ quick: 4, full: 100, long: 300 }),
    create: () => JSON.stringify({ connectionString: server().url(), schema: freshSchema() }),
  },
  { name: "SQLite", kills: sized({ quick: 4, full: 100, long: 300 }), create: () => join(tempDir(), "runs.db") },
];

test.each(subjects)("$kills kills, on $name", { timeout: 40 * minutes }, async ({ name, kills, create }) => {
  const database = create();
  const progress = startProgress(`families on ${name}`, kills);
  const roots = new Set<string>();
  let done = 0;
  await Promise.all(
    Array.from({ length: victims }, async () => {
      while (done < kills) {
        progress.at(++done);
        await killOne(database, roots);
      }
    }),
  );
  const runs = await finishAll(database);
  for (const id of roots) expect(runs.get(id), `root ${id} was acknowledged`).toBeDefined();
  const children = countBy(
    [...runs.values()].filter((run) => run.parentRunId !== undefined),
    (run) => run.parentRunId as string,
  );
  for (const run of runs.values()) {
    expect(run, `run ${run.id}`).toMatchObject({ status: "succeeded", failures: 0 });
    expect(children[run.id] ?? 0, `children of ${run.agent} ${run.id}`).toBe(run.agent === "leaf" ? 0 : childrenOfEach);
    if (run.agent === "root") expect(run).toMatchObject({ output: rightSum });
  }
  const storage = storageAt(database);
  await storage.open({ clock: manualClock({ now: Date.now() }) });
  const { events } = await checkInvariants(storage);
  await storage.close();
  const all = [...runs.values()];
  printTable(`killed families, on ${name}`, [
    ["processes killed", done],
    ["roots, branches, leaves", Object.values(countBy(all, ({ agent }) => agent)).join(", ")],
    ["runs that crashed", all.filter(({ crashes }) => crashes > 0).length],
    ["suspensions", [...events.values()].flat().filter(({ type }) => type === "run_suspended").length],
    ["children started twice, results lost, parents stuck", 0],
  ]);
});

async function killOne(database: string, roots: Set<string>): Promise<void> {
  const victim: Program<FamilyTold, FamilyCommand> = startProgram("family", [database]);
  const troubles: string[] = [];
  victim.on((message) => {
    if (message.type === "trouble") troubles.push(message.message);
    if (message.type === "started") roots.add(message.runId);
  });
  await within(60 * seconds, victim.next("started"), "the process did not start anything");
  await sleep(300 * Math.random());
  await victim.kill();
  expect(troubles).toEqual([]);
}

/** What the dead left behind is done by one that lives. */
async function finishAll(database: string): Promise<ReadonlyMap<string, Run>> {
  await using engine = createEngine({
    storage: storageAt(database),
    agents: familyAgents,
    ...familySettings,
    concurrency: 32,
  });
  engine.on("error", () => {});
  await engine.start();
  const end = Date.now() + 3 * minutes;
  for (;;) {
    const left = await engine.runs.count({ status: ["pending", "running"] });
    if (left === 0) return await allRuns(engine);
    expect(Date.now(), `runs left: ${left}`).toBeLessThan(end);
    await sleep(100);
  }
}

async function allRuns(engine: Engine): Promise<Map<string, Run>> {
  const runs = new Map<string, Run>();
  for (let cursor: string | undefined; ; ) {
    const page = await engine.runs.list({ limit: 100, order: "asc", ...(cursor && { cursor }) });
    for (const run of page.items) runs.set(run.id, run);
    cursor = page.nextCursor;
    if (cursor === undefined) return runs;
  }
}
