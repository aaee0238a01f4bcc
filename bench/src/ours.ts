/** Heddle and the raw drivers, as systems to be measured. */

import type { Surroundings } from "./command.js";
import type { SystemSpec } from "./system.js";

const moduleOf = (name: string) => new URL(`./systems/${name}.ts`, import.meta.url).href;

export function ours({ folder, server: { url } }: Surroundings) {
  const heddleSqlite = (synchronous: "full" | "normal"): SystemSpec => ({
    name: `Heddle, SQLite ${synchronous.toUpperCase()}`,
    module: moduleOf("heddle"),
    options: { storage: "sqlite", folder, synchronous },
  });
  const rawSqlite = (synchronous: "full" | "normal", how: "grouped" | "one by one"): SystemSpec => ({
    name: `raw SQLite ${synchronous.toUpperCase()}, ${how}`,
    module: moduleOf("raw-sqlite"),
    options: { folder, synchronous, how },
    note: rawNote,
  });
  const rawPostgres = (how: "grouped" | "one by one" | "grouped by statement"): SystemSpec => ({
    name: `raw PostgreSQL, ${how}`,
    module: moduleOf("raw-postgres"),
    options: { url, how },
    note: rawNote,
  });
  return {
    memory: { name: "Heddle, memory", module: moduleOf("heddle"), options: { storage: "memory" } } as SystemSpec,
    sqliteFull: heddleSqlite("full"),
    sqliteNormal: heddleSqlite("normal"),
    postgres: {
      name: "Heddle, PostgreSQL",
      module: moduleOf("heddle"),
      options: { storage: "postgres", url },
    } as SystemSpec,
    rawSqlite: {
      grouped: rawSqlite("full", "grouped"),
      oneByOne: rawSqlite("full", "one by one"),
      normalGrouped: rawSqlite("normal", "grouped"),
    },
    rawPostgres: {
      grouped: rawPostgres("grouped"),
      oneByOne: rawPostgres("one by one"),
      byStatement: rawPostgres("grouped by statement"),
    },
  };
}

const rawNote = "writes the same rows and nothing else: no index, check, lease, event reader or second process";
