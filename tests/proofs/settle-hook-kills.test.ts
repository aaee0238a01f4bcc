/**
 * A process that is killed around the commit of a settle with a hook: the host's row exists if and only if the run is
 * settled, save where the hook itself refused (SETTLE_HOOK_FAILED).
 */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createEngine } from "@heddle/core";
import BetterSqlite3 from "better-sqlite3";
import { expect, test } from "vitest";
import { freshSchema, useServer } from "../../packages/storage-postgres/test/support/server.js";
import type { HookedCommand, HookedTold } from "./programs/hooked.js";
import { createOutcomes, hookedAgent } from "./programs/hooked-agent.js";
import type { Program } from "./support/program.js";
import { startProgram } from "./support/program.js";
import { startProgress } from "./support/progress.js";
import { minutes, seconds, sized } from "./support/size.js";
import { storageAt } from "./support/storage-at.js";
import { printTable } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";
import { within } from "./support/within.js";

/** Processes at a time. */
const victims = 3;
const server = useServer();

interface Ended {
  readonly id: string;
  readonly status: string;
  /** 0: canceled in its thread's queue, which is no matter of the hook's. */
  readonly attempt: number;
  readonly code: string | null;
  readonly rows: number;
  /** What the host's row says. */
  readonly told: string | null;
}

interface Subject {
  readonly name: string;
  readonly kills: number;
  create(): { readonly database: string; query(schemaless: string): Promise<unknown[]> };
}

const subjects: Subject[] = [
  {
    name: "PostgreSQL",
    kills: sized({ quick: 6, full: 300, long: 1_000 }),
    create() {
      const schema = freshSchema();
      const database = JSON.stringify({ connectionString: server().url(), schema });
      return { database, query: (text) => server().sql(text.replaceAll("@", `${schema}.`)) };
    },
  },
  {
    name: "SQLite",
    kills: sized({ quick: 4, full: 60, long: 200 }),
    create() {
      const database = join(tempDir(), "runs.db");
      const query = async (text: string) => {
        const file = new BetterSqlite3(database, { readonly: true });
        try {
          return file.prepare(text.replaceAll("@", "")).all();
        } finally {
          file.close();
        }
      };
      return { database, query };
    },
  },
];

test.each(subjects)(
  "$kills kills around the commit, on $name",
  { timeout: 40 * minutes },
  async ({ name, kills, create }) => {
    const { database, query } = create();
    await createOutcomes(database);
    const progress = startProgress(`kills on ${name}`, kills);
    const hits = { inside: 0, between: 0 };
    let done = 0;
    await Promise.all(
      Array.from({ length: victims }, async () => {
        while (done < kills) {
          progress.at(++done);
          hits[await killOne(database)]++;
        }
      }),
    );
    await finishAll(database);
    const runs = (await query(
      "select r.id, r.status, r.attempt, r.error as code, (select count(*) from @outcomes o where o.run_id = r.id) as rows, " +
        "(select max(status) from @outcomes o where o.run_id = r.id) as told from @heddle_runs r",
    )) as Ended[];
    const strangers = await query("select run_id from @outcomes where run_id not in (select id from @heddle_runs)");
    expect(strangers, "rows of runs that are not there").toEqual([]);
    const refused = runs.filter(({ code }) => code?.includes('"SETTLE_HOOK_FAILED"'));
    const queued = runs.filter(({ attempt }) => attempt === 0);
    const others = runs.filter((run) => !refused.includes(run) && !queued.includes(run));
    expect(runs.filter(({ status }) => status === "pending" || status === "running")).toEqual([]);
    expect([...refused, ...queued].filter(({ rows }) => Number(rows) !== 0)).toEqual([]);
    expect(others.filter(({ rows, status, told }) => Number(rows) !== 1 || told !== status)).toEqual([]);
    printTable(`kills around a settle with a hook, on ${name}`, [
      ["killed", hits.inside + hits.between],
      ["after a hook was called, before its run was seen to end", hits.inside],
      ["elsewhere", hits.between],
      ["runs settled with the host's row", others.length],
      ["runs canceled in a queue, without a row", queued.length],
      ["runs whose hook refused, without a row", refused.length],
    ]);
  },
);

/** @returns where it was hit, as far as it could tell */
async function killOne(database: string): Promise<"inside" | "between"> {
  const victim: Program<HookedTold, HookedCommand> = startProgram("hooked", [database]);
  const troubles: string[] = [];
  let open = 0;
  victim.on((message) => {
    if (message.type === "trouble") troubles.push(message.message);
    if (message.type === "settling") open++;
    if (message.type === "settled") open = Math.max(0, open - 1);
  });
  let left = Math.floor(8 * Math.random());
  await within(
    60 * seconds,
    victim.next("settling", () => left-- <= 0),
    "the process did not settle anything",
  );
  // A transaction takes some ms: before, during, and after its commit.
  await sleep(6 * Math.random());
  await victim.kill();
  expect(troubles).toEqual([]);
  return open > 0 ? "inside" : "between";
}

/** What the dead left behind is done by one that lives. */
async function finishAll(database: string): Promise<void> {
  const hooked = hookedAgent(database, () => {});
  await using engine = createEngine({ storage: storageAt(database), agents: [hooked], cancelGrace: 100 });
  engine.on("error", () => {});
  await engine.start();
  const end = Date.now() + 2 * minutes;
  for (;;) {
    const { items } = await engine.runs.list({ status: ["pending", "running"], limit: 100 });
    if (items.length === 0) return;
    expect(Date.now(), `runs left: ${items.length}`).toBeLessThan(end);
    // Those that were told to wait for a cancel, and whose canceler is dead.
    for (const run of items) if (run.input === "cancel") await engine.runs.cancel(run.id).catch(() => {});
    await sleep(100);
  }
}
