/** Where Heddle keeps its rows while it is measured: a new, empty place for each round. */

import { memoryStorage } from "@heddle/core";
import type { Storage } from "@heddle/core/storage";
import { postgresStorage } from "@heddle/storage-postgres";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { numberedFiles } from "../numbered-files.js";
import { numberedSchemas } from "../numbered-schemas.js";

export interface StorageOptions {
  readonly storage: "memory" | "sqlite" | "postgres";
  /** SQLite: the folder of its files, and how sure a commit is. */
  readonly folder?: string;
  readonly synchronous?: "full" | "normal";
  readonly url?: string;
}

export interface Place {
  readonly storage: Storage;
  /** The database file, where there is one. */
  readonly file?: string;
  /** Enough for another process to open the same place. */
  readonly open: Reopen;
}

export type Reopen =
  | { readonly storage: "sqlite"; readonly path: string; readonly synchronous: "full" | "normal" }
  | { readonly storage: "postgres"; readonly url: string; readonly schema: string }
  | { readonly storage: "memory" };

export interface Places {
  next(): Promise<Place>;
}

export function placesOf({ storage, folder = "", synchronous = "full", url = "" }: StorageOptions): Places {
  if (storage === "memory") return { next: async () => ({ storage: memoryStorage(), open: { storage } }) };
  if (storage === "sqlite") {
    const files = numberedFiles(folder, `heddle-${synchronous}`);
    return { next: async () => placeOf({ storage, path: files(), synchronous }) };
  }
  const schemas = numberedSchemas(url, "heddle");
  return { next: async () => placeOf({ storage, url, schema: await schemas() }) };
}

function placeOf(open: Reopen): Place {
  const file = open.storage === "sqlite" ? { file: open.path } : {};
  return { storage: openAgain(open), open, ...file };
}

export function openAgain(open: Reopen): Storage {
  switch (open.storage) {
    case "memory":
      return memoryStorage();
    case "sqlite":
      return sqliteStorage({ path: open.path, synchronous: open.synchronous }) as Storage;
    case "postgres":
      return postgresStorage({ connectionString: open.url, schema: open.schema }) as Storage;
  }
}
