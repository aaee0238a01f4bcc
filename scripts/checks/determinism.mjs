// Time and chance enter the core through its ports alone: that is what lets a simulation replay a run exactly.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../lib/paths.mjs";
import { findNondeterminism } from "./find-nondeterminism.mjs";

const CHECKED = "packages/core/src";

/** The two ports' real implementations, and code that drives tests from outside the engine. */
const EXEMPT = /^(?:runtime\/system-(?:clock|random)(?:\.test)?\.ts$|testing\/)/;

const files = readdirSync(join(root, CHECKED), { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts") && !EXEMPT.test(file))
  .sort();

let count = 0;
for (const file of files) {
  for (const { line, column, message } of findNondeterminism(file, readFileSync(join(root, CHECKED, file), "utf8"))) {
    console.log(`${CHECKED}/${file}:${line}:${column}  ${message}`);
    count += 1;
  }
}
console.log(`${files.length} files, ${count} uses of real time or chance`);
process.exitCode = count > 0 ? 1 : 0;
