import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Write to the disk that `folder` is on until nothing more fits. Returns its undo. */
export function fillDisk(folder: string): () => void {
  const path = join(folder, "filler");
  const file = openSync(path, "w");
  for (let size = 1_048_576; size >= 512; size /= 2) {
    const piece = Buffer.alloc(size);
    try {
      while (writeSync(file, piece) === size);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
  closeSync(file);
  return () => rmSync(path);
}
