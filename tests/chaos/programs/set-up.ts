/** What workers and clients begin with: arguments, the storage, an engine that starts however often it is refused. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Engine } from "@heddle/core";
import type { Storage } from "@heddle/core/storage";
import { postgresStorage } from "@heddle/storage-postgres";
import { sqliteStorage } from "@heddle/storage-sqlite";
import type { ChaosOptions } from "../options.js";

export interface Setting extends ChaosOptions {
  /** The database: a URL, a path. */
  readonly database: string;
  /** Where the history is written. */
  readonly folder: string;
}

/** Arguments: the setting as JSON, this process's name. */
export function readArguments(): { setting: Setting; name: string; rest: string[] } {
  const [setting = "", name = "", ...rest] = process.argv.slice(2);
  return { setting: JSON.parse(setting) as Setting, name, rest };
}

export function openStorage({ storage, database }: Pick<Setting, "storage" | "database">): Storage {
  // The engine's type parameter is the host's handle, which nobody uses here.
  if (storage === "postgres") return postgresStorage({ connectionString: database, connections: 4 }) as Storage;
  return sqliteStorage(database) as Storage;
}

export async function startAtLast(engine: Engine): Promise<void> {
  for (;;) {
    try {
      return await engine.start();
    } catch {
      await sleep(300);
    }
  }
}
