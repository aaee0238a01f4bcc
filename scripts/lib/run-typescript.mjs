import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** @typedef {import("./run-steps.mjs").Run} Run */
/** @typedef {import("./run-command.mjs").CommandOptions} CommandOptions */

/**
 * Runs a TypeScript file of a package as its `npm start` does, less the npm and shell processes between, so that
 * signals and the terminal reach it directly.
 * @param {Run} run @param {string} folder @param {string} file @param {string[]} [args]
 * @param {CommandOptions & { node?: string, nodeOptions?: string[] }} [options] `node` is the Node to run it with, this one by default
 */
export function runTypeScript(
  run,
  folder,
  file,
  args = [],
  { node = process.execPath, nodeOptions = [], ...options } = {},
) {
  const tsx = createRequire(join(folder, "package.json")).resolve("tsx");
  return run(node, [...nodeOptions, "--import", pathToFileURL(tsx).href, file, ...args], { cwd: folder, ...options });
}
