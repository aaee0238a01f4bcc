/** The memory storage as the conformance suite wants it: with a clock that stands still and more than one connection. */

import { MemoryDatabase, MemoryStorage, type ReaderOver } from "../adapters/memory-storage.js";
import type { Storage } from "../ports/storage.js";
import type { StorageFixture } from "./conformance/conformance-case.js";
import { manualClock } from "./manual-clock.js";
import { onlyNeeds } from "./preloading-storage.js";

export function memoryFixture(): StorageFixture {
  return fixtureOf();
}

/** Reads only what `needsOf` named beforehand. */
export function preloadingFixture(): StorageFixture {
  return fixtureOf(onlyNeeds);
}

function fixtureOf(readerOver?: ReaderOver): StorageFixture {
  const clock = manualClock();
  const database = new MemoryDatabase();
  const open = async (): Promise<Storage> => {
    const storage = new MemoryStorage(database, readerOver);
    await storage.open({ clock });
    return storage;
  };
  return { clock, open, reopen: open };
}
