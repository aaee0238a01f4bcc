/** A memory database that lies, forgets or corrupts on purpose, where its plan says so. Otherwise it is the real one. */

import type { IntentResult, Storage } from "@heddle/core/storage";
import type { SimulatedDatabase } from "@heddle/core/testing";
import { MemoryDatabase, MemoryStorage } from "../../dist/adapters/memory-storage.js";
import { MemoryTables } from "../../dist/adapters/memory-tables.js";
import type { Changes, Intent, RecordReader } from "../../dist/storage.js";

export interface Plants {
  /** What an intent reads. Intents come one by one. */
  readonly reads?: (reader: RecordReader, intent: Intent) => Partial<RecordReader>;
  /** What a transaction writes. */
  readonly writes?: (changes: Changes, tables: MemoryTables) => Changes;
  /** What is asked of the storage, and what it answers. */
  readonly commits?: (intent: Intent, commit: Commit, storage: MemoryStorage) => Promise<IntentResult>;
  /** Whole ports. */
  readonly ports?: (storage: MemoryStorage) => Partial<Storage>;
}

export type Commit = (intent: Intent) => Promise<IntentResult>;

class PlantedTables extends MemoryTables {
  corrupt: (changes: Changes, tables: MemoryTables) => Changes = (changes) => changes;

  override write(changes: Changes): void {
    super.write(this.corrupt(changes, this));
  }

  /** Past the corruption. */
  writeAsItIs(changes: Changes): void {
    super.write(changes);
  }
}

class PlantedDatabase extends MemoryDatabase {
  override readonly tables = new PlantedTables();
}

export function plantedDatabase(plants: Plants): () => SimulatedDatabase {
  return () => {
    const database = new PlantedDatabase();
    if (plants.writes !== undefined) database.tables.corrupt = plants.writes;
    return { connect: () => connect(database, plants), inspect: () => new MemoryStorage(database) };
  };
}

/** Write later what a transaction should have written at once. */
export function writeLater(tables: MemoryTables, changes: Partial<Changes>): void {
  const nothing: Changes = {
    threads: [],
    runs: [],
    checkpoints: [],
    events: [],
    keys: [],
    memos: [],
    questions: [],
    origins: [],
    tombstones: [],
    removals: [],
  };
  if (tables instanceof PlantedTables) tables.writeAsItIs({ ...nothing, ...changes });
}

function connect(database: MemoryDatabase, { reads, commits, ports }: Plants) {
  const readerOver = (reader: RecordReader, intents: readonly Intent[]): RecordReader => {
    const [intent] = intents;
    return reads === undefined || intent === undefined ? reader : overlay(reader, reads(reader, intent));
  };
  const storage = new MemoryStorage(database, readerOver);
  const alone: Commit = async (intent) => {
    const [result] = await storage.commit([intent]);
    if (result === undefined) throw new Error("an intent was not answered");
    return result;
  };
  const commit = async (intents: readonly Intent[]): Promise<readonly IntentResult[]> => {
    const results: IntentResult[] = [];
    for (const intent of intents)
      results.push(await (commits === undefined ? alone(intent) : commits(intent, alone, storage)));
    return results;
  };
  return overlay(storage, { commit, ...ports?.(storage) });
}

/** `object` with other members in front of its own; its own methods still see the object itself. */
function overlay<Of extends object>(object: Of, members: object): Of {
  return new Proxy(object, {
    get(target, name) {
      const own: unknown = Reflect.get(members, name);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
