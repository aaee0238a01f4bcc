/** How often an engine with nothing to do asks its database. */

import type { Engine } from "@heddle/core";
import { createEngine, defineAgent } from "@heddle/core";
import type { Storage } from "@heddle/core/storage";
import { sqliteStorage } from "@heddle/storage-sqlite";
import BetterSqlite3 from "better-sqlite3";
import pg from "pg";
import { metered } from "../meter.js";
import type { Round } from "../system.js";
import type { Sizes } from "../workload.js";
import type { Place, Places } from "./heddle-storage.js";

/** From its start to when an engine is at rest. */
const settling = 7_000;
const echo = defineAgent({ name: "echo", run: () => ({}) });

export async function idle(places: Places, sizes: Sizes): Promise<Round> {
  const place = await places.next();
  return place.open.storage === "postgres" ? idleOnPostgres(place, place.open.url, sizes) : idleOnSqlite(place, sizes);
}

/** SQLite tells of each statement that runs on a connection. */
async function idleOnSqlite({ file = "" }: Place, sizes: Sizes): Promise<Round> {
  let statements = 0;
  const database = new BetterSqlite3(file, { verbose: () => statements++ });
  database.pragma("journal_mode = wal");
  const round = await watch(sqliteStorage({ database }) as Storage, sizes, async () => {
    statements = 0;
    await pause(sizes.idle);
  });
  database.close();
  return { ...round, figures: { "queries per second": statements / (round.ms / 1_000) } };
}

/**
 * The server tells when each connection's last query began, once it is over: while it is parsed, bound and run that moves.
 * Asked so often, it shows every look of the engine.
 */
async function idleOnPostgres({ storage }: Place, url: string, sizes: Sizes): Promise<Round> {
  const observer = new pg.Client({ connectionString: url });
  await observer.connect();
  const seen = new Map<string, number>();
  const look = async (): Promise<void> => {
    const { rows } = await observer.query<{ pid: number; began: Date }>(
      "select pid, query_start as began from pg_stat_activity where application_name like 'heddle%' and state = 'idle'",
    );
    for (const { pid, began } of rows) seen.set(`${pid} ${began.getTime()}`, began.getTime());
  };
  const round = await watch(storage, sizes, async () => {
    await look();
    const before = new Set(seen.keys());
    const end = performance.now() + sizes.idle;
    for (; performance.now() < end; await pause(10)) await look();
    for (const key of before) seen.delete(key);
  });
  await observer.end();
  const times = [...seen.values()].sort((a, b) => a - b);
  const gaps = times.slice(1).map((time, index) => (time - (times[index] ?? 0)) / 1_000);
  const seconds = round.ms / 1_000;
  return {
    ...round,
    figures: { "queries per second": times.length / seconds, "least s between queries": Math.min(seconds, ...gaps) },
  };
}

async function watch(storage: Storage, sizes: Sizes, work: () => Promise<void>): Promise<Round> {
  const engine = createEngine({ storage, agents: [echo] }) as Engine;
  await engine.start();
  try {
    await (await engine.runs.start(echo, null)).result();
    await pause(Math.min(settling, sizes.idle));
    return await metered(1, work);
  } finally {
    await engine.close();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
