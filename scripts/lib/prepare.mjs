import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, toolPath } from "./paths.mjs";
import { pnpm, pnpmCommand } from "./pnpm.mjs";
import { pruneDist } from "./prune-dist.mjs";
import { manifestFiles, publicPackages } from "./workspace.mjs";

/** @typedef {import("./run-steps.mjs").Step} Step */

const OLDEST_NODE = [20, 19];
// Inside node_modules, so that deleting that folder forgets the stamp too.
const installStamp = join(root, "node_modules", ".heddle-installed");

const COMPILE_HINT =
  "better-sqlite3 found no prebuilt binary and compiles itself, which needs python3, make and a C++ compiler " +
  "(Debian: apt-get install python3 make g++; macOS: xcode-select --install).";

/** @type {Step} */
const install = {
  name: "Install dependencies",
  setup: true,
  skip: () => (isInstalled() ? "up to date" : undefined),
  explain: explainCompile,
  hint: `after editing a package.json run '${pnpmCommand} install' to update the lock file. ${COMPILE_HINT}`,
  async action({ run }) {
    refuseOldNode();
    // Nobody can answer pnpm's question about replacing node_modules here.
    await run(
      ...pnpm("install", "--frozen-lockfile", "--reporter=append-only", "--config.confirm-modules-purge=false"),
      { cwd: root },
    );
    writeFileSync(installStamp, installKey());
  },
};

/**
 * pnpm sees no reason to compile again when only Node changed, yet a native module fits one version of Node's ABI.
 * @type {Step}
 */
const nativeModule = {
  name: "SQLite's native module",
  setup: true,
  skip: () => (nativeModuleLoads() ? "loads" : undefined),
  explain: explainCompile,
  hint: COMPILE_HINT,
  async action({ run }) {
    await run(...pnpm("rebuild", "--recursive", "--reporter=append-only", "better-sqlite3"), { cwd: root });
    if (!nativeModuleLoads()) throw new Error("better-sqlite3 was rebuilt and still does not load");
  },
};

/** @type {Step} */
export const build = {
  name: "Build packages",
  setup: true,
  hint: "correct the type errors above; 'npm run build' repeats only this.",
  async action({ run }) {
    for (const { folder } of publicPackages()) pruneDist(folder);
    await run(process.execPath, [toolPath("typescript", "tsc"), "-b", "tsconfig.build.json"], { cwd: root });
  },
};

/** Each step finds out by itself whether it has anything to do. */
export const installSteps = [install, nativeModule];

/** What every command that runs our code needs first. */
export const prepare = [...installSteps, build];

function refuseOldNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new Error(`Heddle needs Node ${OLDEST_NODE.join(".")} or newer; this is ${process.version}`);
}

function isInstalled() {
  return existsSync(installStamp) && readFileSync(installStamp, "utf8") === installKey();
}

function installKey() {
  const hash = createHash("sha256");
  hash.update([pnpmCommand, process.platform, process.arch, process.versions.modules].join());
  for (const file of manifestFiles()) hash.update(file).update(readFileSync(file));
  return hash.digest("hex");
}

function nativeModuleLoads() {
  const script = 'new (require("better-sqlite3"))(":memory:").close()';
  return spawnSync(process.execPath, ["-e", script], { cwd: join(root, "packages/storage-sqlite") }).status === 0;
}

/** @param {string} line */
export function explainCompile(line) {
  if (!/better-sqlite3 install: gyp info/.test(line)) return undefined;
  return "Compiling better-sqlite3 (no prebuilt binary to be had): about a minute, once per machine and Node version.";
}
