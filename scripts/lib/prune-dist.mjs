import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const OUTPUT = /\.(?:js|d\.ts)(?:\.map)?$/;

/**
 * Deletes compiled files whose source is gone: `tsc -b` leaves them, and a package would ship them.
 * @param {string} packageFolder
 */
export function pruneDist(packageFolder) {
  const dist = join(packageFolder, "dist");
  if (!existsSync(dist)) return;
  for (const file of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
    if (!OUTPUT.test(file)) continue;
    const source = join(packageFolder, "src", file.replace(OUTPUT, ".ts"));
    if (!existsSync(source)) rmSync(join(dist, file));
  }
}
