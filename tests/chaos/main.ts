/** `npm run chaos`: see `options.ts`. */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { History } from "@heddle/core/testing";
import { checkHistory } from "@heddle/core/testing";
import { readOptions } from "../../scripts/lib/read-options.mjs";
import { ownMounts } from "./database.js";
import type { ChaosOptions } from "./options.js";
import { parseOptions, usage } from "./options.js";
import { printVerdict, report } from "./report.js";
import { runChaos } from "./run-chaos.js";
import { showProgress } from "./screen.js";

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(usage, () => parseOptions(args));
  if (typeof options === "string") return checkAgain(options);
  if (options.storage === "sqlite") {
    const code = runWithOwnMounts(args);
    if (code !== undefined) return code;
  }
  return makeChaos(options);
}

async function makeChaos(options: ChaosOptions): Promise<number> {
  const kept = fileURLToPath(new URL("../../.work/chaos/", import.meta.url));
  mkdirSync(kept, { recursive: true });
  const folder = mkdtempSync(join(kept, `${options.storage}-${options.seed}-`));
  console.log(`chaos on ${options.storage}, load of seed ${options.seed}`);
  const result = await runChaos(options, folder, (view) => showProgress(options, view));
  report(result);
  if (result.violations.length > 0) {
    console.log(`\n  kept: ${folder}\n  npm run chaos -- --check ${folder}`);
    return 1;
  }
  rmSync(folder, { recursive: true, force: true });
  return 0;
}

function checkAgain(folder: string): number {
  const history = JSON.parse(readFileSync(join(folder, "history.json"), "utf8")) as History;
  const violations = checkHistory(history);
  printVerdict(history, violations);
  return violations.length > 0 ? 1 : 0;
}

/**
 * A small disk is mounted where nobody else sees it, and is gone with this process: once more, then, inside a mount
 * namespace. Undefined: this is inside, or there is no such thing here.
 */
function runWithOwnMounts(args: readonly string[]): number | undefined {
  if (process.env[ownMounts] === "1" || process.platform !== "linux") return undefined;
  const unshare = [
    "--mount",
    "--fork",
    "--kill-child",
    ...(process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"]),
  ];
  if (spawnSync("unshare", [...unshare, "true"]).status !== 0) return undefined;
  const self = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url), ...args];
  const env = { ...process.env, [ownMounts]: "1" };
  return spawnSync("unshare", [...unshare, ...self], { stdio: "inherit", env }).status ?? 1;
}

// Said outright: what stops an embedded PostgreSQL at the end would answer 0 for us.
process.exit(await main(process.argv.slice(2)));
