/**
 * `npm run bench [-- --quick | --tiny] [-- --json] [-- --only <rows>] [-- --folder <on the disk to measure>]`: how fast
 * Heddle is on each storage, beside the same minimal work done by hand in the same minutes.
 */

import { fileURLToPath } from "node:url";
import { figureColumn, longThreadColumns, middle, rate, slowest } from "./columns.js";
import type { Surroundings } from "./command.js";
import { runCommand } from "./command.js";
import { ours } from "./ours.js";
import type { Row } from "./row.js";
import { methods } from "./workload.js";

await runCommand({
  script: "bench",
  title: "Heddle",
  chart: fileURLToPath(new URL("../../docs/benchmarks.svg", import.meta.url)),
  rows,
});

function rows(surroundings: Surroundings): readonly Row[] {
  const { memory, sqliteFull, sqliteNormal, postgres, rawSqlite, rawPostgres } = ours(surroundings);
  const heddle = [memory, sqliteFull, sqliteNormal, postgres];
  const durable = [sqliteFull, sqliteNormal, postgres];
  const all = [...heddle, rawSqlite.grouped, rawSqlite.normalGrouped, rawPostgres.grouped];
  return [
    { id: "stateless", title: "Stateless runs, 64 at once", kind: "stateless", systems: all, columns: [rate("runs")] },
    {
      id: "single",
      title: "One run at a time, start to result",
      kind: "single",
      systems: [...heddle, rawSqlite.oneByOne, rawPostgres.oneByOne],
      columns: [middle, slowest],
    },
    {
      id: "threads",
      title: "Turns of many threads, 64 at once",
      kind: "threads",
      systems: all,
      columns: [rate("turns")],
    },
    {
      id: "long-thread",
      title: "One thread, turn after turn",
      kind: "longThread",
      systems: [...heddle, rawSqlite.oneByOne, rawPostgres.oneByOne],
      columns: longThreadColumns(methods.full.sizes),
    },
    {
      id: "very-long-thread",
      title: "One thread, 5,000 turns",
      kind: "longThread",
      systems: [sqliteFull, postgres, rawSqlite.oneByOne],
      columns: longThreadColumns({ ...methods.full.sizes, longThread: 5_000 }),
      sizes: { longThread: 5_000 },
      repetitions: 3,
    },
    {
      id: "deltas",
      title: "Deltas to one reader",
      kind: "deltas",
      systems: heddle,
      columns: [rate("deltas"), middle, slowest],
    },
    {
      id: "events",
      title: "Durable events of one run, in bursts of 100",
      kind: "events",
      systems: all,
      columns: [rate("events")],
    },
    {
      id: "events-read",
      title: "The same with a reader of every event",
      kind: "eventsRead",
      systems: heddle,
      columns: [rate("events")],
    },
    {
      id: "recovery",
      title:
        "100 runs of a killed process, from the next one's start until all are settled; PostgreSQL waits for the lease, 15 s",
      kind: "recovery",
      systems: durable,
      columns: [{ name: "ms", read: ({ ms }) => ms, digits: 0 }],
      repetitions: 3,
      once: true,
    },
    {
      id: "announce",
      title: "A result that somebody waits for in another process",
      kind: "announce",
      systems: durable,
      columns: [middle, slowest],
      repetitions: 3,
    },
    {
      id: "idle",
      title: "An engine with nothing to do",
      kind: "idle",
      systems: [sqliteFull, postgres],
      columns: [figureColumn("queries per second", 2), figureColumn("least s between queries", 1)],
      repetitions: 1,
      once: true,
    },
  ];
}
