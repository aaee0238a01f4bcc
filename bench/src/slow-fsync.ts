/** The environment of a process whose every fsync takes 1 ms longer: by a library of ours, compiled when it is needed. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @returns `undefined` where it cannot be done, and why */
export function slowFsync(folder: string): { readonly env?: Readonly<Record<string, string>>; readonly why?: string } {
  if (process.platform !== "linux") return { why: "needs Linux: a preloaded library slows fsync down" };
  const library = join(folder, "slow-fsync.so");
  const source = fileURLToPath(new URL("./slow-fsync.c", import.meta.url));
  const compiled = spawnSync("cc", ["-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], { encoding: "utf8" });
  if (compiled.status !== 0) return { why: `needs a C compiler: ${compiled.error?.message ?? compiled.stderr}` };
  return { env: { LD_PRELOAD: library } };
}
