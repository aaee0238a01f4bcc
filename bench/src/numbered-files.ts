import { rmSync } from "node:fs";
import { join } from "node:path";

/** Database files, a new one each time; the one before is removed, so that a long measurement does not fill the disk. */
export function numberedFiles(folder: string, name: string): () => string {
  const prefix = join(folder, `${name.replaceAll(/\W+/g, "-")}-${process.pid}`);
  let count = 0;
  return () => {
    for (const end of ["", "-wal", "-shm", "-workers"])
      rmSync(`${prefix}-${count}.db${end}`, { force: true, recursive: true });
    return `${prefix}-${++count}.db`;
  };
}
