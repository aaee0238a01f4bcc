/** A disk that syncs as fast as one likes: by a library of ours that is preloaded, compiled when it is needed. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SystemSpec } from "./system.js";

export interface FsyncDelay {
  /** Every fsync of the system takes so much longer, µs. */
  delayed(system: SystemSpec, us: number): SystemSpec;
  /** Why it cannot be done. */
  readonly why?: string;
}

export function fsyncDelay(folder: string): FsyncDelay {
  const impossible = (why: string): FsyncDelay => ({ delayed: (system) => system, why });
  if (process.platform !== "linux") return impossible("needs Linux: a preloaded library slows fsync down");
  const library = join(folder, "fsync-delay.so");
  const source = fileURLToPath(new URL("./fsync-delay.c", import.meta.url));
  const compiled = spawnSync("cc", ["-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], { encoding: "utf8" });
  if (compiled.status !== 0) return impossible(`needs a C compiler: ${compiled.error?.message ?? compiled.stderr}`);
  return {
    delayed: (system, us) => ({ ...system, env: { LD_PRELOAD: library, FSYNC_DELAY_US: String(us) } }),
  };
}
