/** The peers as systems to be measured, and what each does less or more than Heddle. */

import type { Surroundings } from "../../src/command.js";
import type { SystemSpec } from "../../src/system.js";

const moduleOf = (name: string) => new URL(`./${name}.ts`, import.meta.url).href;

export function peers({ folder, server: { url } }: Surroundings) {
  const langgraph = (name: string, options: SystemSpec["options"], note: string): SystemSpec => ({
    name: `LangGraph, ${name}`,
    module: moduleOf("langgraph"),
    options,
    note,
  });
  const openworkflowNote = "no events, no groups of commits; a waiter polls for the result";
  return {
    langgraphSqlite: langgraph(
      "SqliteSaver",
      { saver: "sqlite", folder, synchronous: "full" },
      `${langgraphNote}; the saver stores the whole state with every checkpoint`,
    ),
    langgraphPostgres: langgraph("PostgresSaver", { saver: "postgres", url }, langgraphNote),
    langgraphStream: langgraph("custom stream", { saver: "none" }, "without a saver: nothing is written"),
    dbos: {
      name: "DBOS",
      module: moduleOf("dbos"),
      options: { url },
      note: "no event log, no lock per thread, no tree of checkpoints: a turn's messages are in a table of the user's own; no queue is used",
    } as SystemSpec,
    openworkflow: {
      name: "OpenWorkflow, PostgreSQL",
      module: moduleOf("openworkflow"),
      options: { backend: "postgres", url },
      note: openworkflowNote,
    } as SystemSpec,
    openworkflowSqlite: {
      name: "OpenWorkflow, SQLite",
      module: moduleOf("openworkflow"),
      options: { backend: "sqlite", folder },
      note: `${openworkflowNote}; needs Node 22.5 for its SQLite`,
    } as SystemSpec,
    pgBoss: {
      name: "pg-boss",
      module: moduleOf("pg-boss"),
      options: { url },
      note: "a job queue: no events, no output stored, nobody who waits in another process; the last version for Node 20",
    } as SystemSpec,
  };
}

const langgraphNote =
  "no run record, no lease, no event log, no lock per thread; checkpoints are written while the next step runs";
