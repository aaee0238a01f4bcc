/** What a process at rest holds. */

import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface Sample {
  /** Pieces of work begun before. */
  readonly work: number;
  readonly seconds: number;
  /** After a garbage collection, bytes. */
  readonly heap: number;
  readonly resident: number;
  readonly database: number | undefined;
  readonly log: number;
  /** Timers, sockets and the like that keep a process alive, by their kinds. */
  readonly resources: Readonly<Record<string, number>>;
  /** Open files, sockets included; 0 where the system does not tell. */
  readonly files: number;
  /** Of the process itself. */
  readonly listeners: number;
}

export function resourcesNow(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

export function openFiles(): number {
  return process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0;
}

export function listenersNow(): number {
  return process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
}

/** What finalizers let go is only collected the next time. */
export async function collectGarbage(): Promise<void> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error("the soak needs node --expose-gc");
  for (let round = 0; round < 4; round++) {
    gc();
    await sleep(20);
  }
}
