/** How long a disk takes to sync what was written: what a commit that is alone waits for. */

import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { median } from "./statistics.js";

const writes = 200;
/** SQLite's. */
const pageBytes = 4_096;

/** @returns ms, the median */
export function fsyncTime(folder: string): number {
  const path = join(folder, "fsync-time");
  const file = openSync(path, "w");
  const times: number[] = [];
  try {
    for (let n = 0; n < writes; n++) {
      const startedAt = performance.now();
      writeSync(file, Buffer.alloc(pageBytes), 0, pageBytes, n * pageBytes);
      fdatasyncSync(file);
      times.push(performance.now() - startedAt);
    }
  } finally {
    closeSync(file);
    rmSync(path);
  }
  return median(times);
}
