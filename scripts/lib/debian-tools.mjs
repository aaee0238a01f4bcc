// Programs that some tests stand before the real thing, and that no registry package carries. `npm test` says which are
// missing and leaves those tests out; CI installs them, and leaving them out is a failure there.
import { spawnSync } from "node:child_process";
import { runCommand } from "./run-command.mjs";

/** Command and Debian package. */
const TOOLS = { pgbouncer: "pgbouncer", dockerd: "docker.io" };

/** Directories of system programs are not in everybody's path. */
export const searchPath = `${process.env.PATH ?? ""}:/usr/sbin:/usr/local/sbin`;

export function missingTools() {
  return Object.entries(TOOLS).flatMap(([command, debianPackage]) => (isThere(command) ? [] : [debianPackage]));
}

/** Never fails by itself: the tests that need what is missing do. */
export async function installMissingTools() {
  const missing = missingTools();
  if (missing.length === 0) return;
  try {
    await aptGet("update");
    await aptGet("install", "--yes", "--no-install-recommends", ...missing);
  } catch (error) {
    console.log(`not installed: ${missing.join(", ")} (${error instanceof Error ? error.message : error})`);
  }
}

/** @param {string[]} args */
function aptGet(...args) {
  const command = ["apt-get", "--quiet", ...args];
  const [program = "", ...rest] = process.getuid?.() === 0 ? command : ["sudo", "--non-interactive", ...command];
  return runCommand(program, rest, { env: { DEBIAN_FRONTEND: "noninteractive" } });
}

/** @param {string} command */
function isThere(command) {
  return spawnSync(command, ["--version"], { env: { ...process.env, PATH: searchPath } }).status === 0;
}
