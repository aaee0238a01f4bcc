/**
 * `npm run bench:peers [-- --quick | --tiny] [-- --json] [-- --only <rows>] [-- --folder <on the disk to measure>]`: the
 * same work on Heddle, on what users would pick instead, and on the raw drivers; each bound is met or it is not.
 */

import { isBuiltin } from "node:module";
import { fileURLToPath } from "node:url";
import { figure, medianMs, p99Ms, perSecond } from "../../src/cell.js";
import { figureColumn, longThreadColumns, middle, rate, slowest } from "../../src/columns.js";
import type { Surroundings } from "../../src/command.js";
import { runCommand } from "../../src/command.js";
import { fsyncDelay } from "../../src/fsync-delay.js";
import { ours } from "../../src/ours.js";
import type { Row } from "../../src/row.js";
import type { SystemSpec } from "../../src/system.js";
import { methods } from "../../src/workload.js";
import { peers } from "./peers.js";

await runCommand({
  script: "bench:peers",
  title: "Heddle beside its peers",
  chart: fileURLToPath(new URL("../../../docs/peers.svg", import.meta.url)),
  rows,
});

function rows(surroundings: Surroundings): readonly Row[] {
  return [
    ...statelessRows(surroundings),
    ...singleRows(surroundings),
    ...threadRows(surroundings),
    ...streamRows(surroundings),
    ...quietRows(surroundings),
  ];
}

function statelessRows(surroundings: Surroundings): Row[] {
  const { sqliteFull, postgres, rawSqlite, rawPostgres } = ours(surroundings);
  const { langgraphSqlite, langgraphPostgres, dbos, openworkflowSqlite, openworkflow, pgBoss } = peers(surroundings);
  const slow = fsyncDelay(surroundings.folder);
  const [heddle, oneByOne, grouped] = [sqliteFull, rawSqlite.oneByOne, rawSqlite.grouped].map((system) =>
    slow.delayed(system, 1_000),
  ) as [SystemSpec, SystemSpec, SystemSpec];
  const common = { kind: "stateless", columns: [rate("runs")] } as const;
  const read = perSecond;
  return [
    {
      ...common,
      id: "stateless-sqlite",
      title: "5,000 stateless runs, 64 at once, SQLite FULL",
      systems: [
        sqliteFull,
        langgraphSqlite,
        ...(isBuiltin("node:sqlite") ? [openworkflowSqlite] : []),
        rawSqlite.oneByOne,
        rawSqlite.grouped,
      ],
      bounds: [
        { text: "at least 12 x LangGraph", of: sqliteFull, to: [langgraphSqlite], read, least: 12 },
        { text: "at least 0.25 of raw grouped", of: sqliteFull, to: [rawSqlite.grouped], read, least: 0.25 },
      ],
    },
    {
      ...common,
      id: "stateless-slow-disk",
      title: "The same with 1 ms added to every fsync",
      systems: [heddle, oneByOne, grouped],
      bounds: [{ text: "at least 15 x raw one by one", of: heddle, to: [oneByOne], read, least: 15 }],
      skipped: slow.why,
    },
    {
      ...common,
      id: "stateless-postgres",
      title: "5,000 stateless runs, 64 at once, PostgreSQL",
      systems: [
        postgres,
        langgraphPostgres,
        dbos,
        pgBoss,
        openworkflow,
        rawPostgres.oneByOne,
        rawPostgres.grouped,
        rawPostgres.byStatement,
      ],
      bounds: [
        { text: "at least 2 x the best of DBOS and pg-boss", of: postgres, to: [dbos, pgBoss], read, least: 2 },
        { text: "at least 0.4 of raw grouped", of: postgres, to: [rawPostgres.grouped], read, least: 0.4 },
      ],
    },
  ];
}

function singleRows(surroundings: Surroundings): Row[] {
  const { sqliteFull, postgres, rawSqlite, rawPostgres } = ours(surroundings);
  const { langgraphSqlite, langgraphPostgres, dbos, openworkflow, pgBoss } = peers(surroundings);
  const common = { kind: "single", columns: [middle, slowest] } as const;
  const read = medianMs;
  return [
    {
      ...common,
      id: "single-sqlite",
      title: "One run at a time, start to result, SQLite FULL",
      systems: [sqliteFull, langgraphSqlite, rawSqlite.oneByOne],
      bounds: [{ text: "at most 2.5 x raw", of: sqliteFull, to: [rawSqlite.oneByOne], read, most: 2.5 }],
    },
    {
      ...common,
      id: "single-postgres",
      title: "One run at a time, start to result, PostgreSQL",
      systems: [postgres, langgraphPostgres, dbos, pgBoss, openworkflow, rawPostgres.oneByOne],
      bounds: [{ text: "not above DBOS", of: postgres, to: [dbos], read, most: 1 }],
    },
  ];
}

function threadRows(surroundings: Surroundings): Row[] {
  const { sqliteFull, postgres, rawSqlite, rawPostgres } = ours(surroundings);
  const { langgraphSqlite, langgraphPostgres, dbos } = peers(surroundings);
  const read = perSecond;
  const common = { kind: "threads", columns: [rate("turns")] } as const;
  return [
    {
      id: "long-thread-sqlite",
      title: "One thread, 1,000 turns of 1 KB, SQLite FULL",
      kind: "longThread",
      systems: [sqliteFull, langgraphSqlite, rawSqlite.oneByOne],
      columns: longThreadColumns(methods.full.sizes),
      bounds: [
        { text: "at least 40 x LangGraph", of: sqliteFull, to: [langgraphSqlite], read, least: 40 },
        { text: "bytes at most 2 x raw", of: sqliteFull, to: [rawSqlite.oneByOne], read: figure("bytes"), most: 2 },
        {
          text: "last 100 turns at most 1.2 x the first 100",
          of: sqliteFull,
          read: figure("last to first"),
          most: 1.2,
        },
      ],
    },
    longThreadOnFastDisk(surroundings),
    {
      ...common,
      id: "threads-sqlite",
      title: "200 threads of 20 turns, 64 at once, SQLite FULL",
      systems: [sqliteFull, langgraphSqlite, rawSqlite.oneByOne, rawSqlite.grouped],
      bounds: [
        { text: "at least 8 x LangGraph", of: sqliteFull, to: [langgraphSqlite], read, least: 8 },
        { text: "at least 0.4 of raw grouped", of: sqliteFull, to: [rawSqlite.grouped], read, least: 0.4 },
      ],
    },
    {
      ...common,
      id: "threads-postgres",
      title: "200 threads of 20 turns, 64 at once, PostgreSQL",
      systems: [postgres, langgraphPostgres, dbos, rawPostgres.oneByOne, rawPostgres.grouped, rawPostgres.byStatement],
      bounds: [{ text: "at least 8 x DBOS", of: postgres, to: [dbos], read, least: 8 }],
    },
  ];
}

/** A turn is two commits, each synced before it is answered: on a slow disk that is most of its time, whoever makes it. */
function longThreadOnFastDisk(surroundings: Surroundings): Row {
  const { memoryFolder } = surroundings;
  const folder = memoryFolder ?? surroundings.folder;
  const disk = fsyncDelay(surroundings.folder);
  const { sqliteFull, rawSqlite } = ours({ ...surroundings, folder });
  const { langgraphSqlite } = peers({ ...surroundings, folder });
  const [heddle, langgraph, raw] = [sqliteFull, langgraphSqlite, rawSqlite.oneByOne].map((system) =>
    disk.delayed(system, 30),
  ) as [SystemSpec, SystemSpec, SystemSpec];
  return {
    id: "long-thread-fast-disk",
    title: "The same on a disk that syncs in 0.03 ms: files in memory, 0.03 ms added to every fsync",
    kind: "longThread",
    systems: [heddle, langgraph, raw],
    columns: longThreadColumns(methods.full.sizes),
    bounds: [{ text: "at least 40 x LangGraph", of: heddle, to: [langgraph], read: perSecond, least: 40 }],
    skipped: memoryFolder === undefined ? "needs /dev/shm" : disk.why,
  };
}

function streamRows(surroundings: Surroundings): Row[] {
  const { sqliteFull, postgres, rawSqlite, rawPostgres } = ours(surroundings);
  const { langgraphStream } = peers(surroundings);
  const read = perSecond;
  return [
    {
      id: "deltas",
      title: "10,000 deltas to one reader, in bursts of 100",
      kind: "deltas",
      systems: [sqliteFull, langgraphStream],
      columns: [rate("deltas"), middle, slowest],
      bounds: [
        { text: "at least 5 x LangGraph's custom stream", of: sqliteFull, to: [langgraphStream], read, least: 5 },
        { text: "p99 in ms below 1", of: sqliteFull, read: p99Ms, most: 1 },
      ],
    },
    {
      id: "events-sqlite",
      title: "10,000 durable events of one run, SQLite FULL",
      kind: "events",
      systems: [sqliteFull, rawSqlite.oneByOne, rawSqlite.grouped],
      columns: [rate("events")],
      bounds: [{ text: "at least 0.4 of raw grouped", of: sqliteFull, to: [rawSqlite.grouped], read, least: 0.4 }],
    },
    {
      id: "events-postgres",
      title: "10,000 durable events of one run, PostgreSQL",
      kind: "events",
      systems: [postgres, rawPostgres.oneByOne, rawPostgres.grouped, rawPostgres.byStatement],
      columns: [rate("events")],
      bounds: [{ text: "at least 0.4 of raw grouped", of: postgres, to: [rawPostgres.grouped], read, least: 0.4 }],
    },
  ];
}

function quietRows(surroundings: Surroundings): Row[] {
  const { postgres } = ours(surroundings);
  const gap = "least s between queries";
  return [
    {
      id: "idle",
      title: "An idle engine, PostgreSQL with notify",
      kind: "idle",
      systems: [postgres],
      columns: [figureColumn("queries per second", 2), figureColumn(gap, 1)],
      bounds: [{ text: "s between queries at least 5", of: postgres, read: figure(gap), least: 5 }],
      repetitions: 1,
      once: true,
    },
    {
      id: "announce",
      title: "A result that somebody waits for in another process, PostgreSQL with notify",
      kind: "announce",
      systems: [postgres],
      columns: [middle, slowest],
      bounds: [{ text: "median ms at most 10", of: postgres, read: medianMs, most: 10 }],
    },
  ];
}
