// Does Heddle, as published, work on every Node we support? Each version comes from the npm registry with its headers.
// npm picks the better-sqlite3 that suits it: 12 for Node 20, which may compile itself, and 13 for later ones.
import { rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createOutsideProject, packAll } from "./lib/outside-project.mjs";
import { explainCompile, prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";
import { runTypeScript } from "./lib/run-typescript.mjs";

/** @typedef {import("./lib/run-steps.mjs").Run} Run */
/** @typedef {import("./lib/run-steps.mjs").Step} Step */

/** The oldest that is supported, then each later line. */
const VERSIONS = ["~20.19.0", "22", "24", "26"];

const TIME_LIMIT = 60_000;

const platform = process.platform === "win32" ? "win" : process.platform;
const nodePackage = `node-${platform}-${process.arch}`;

/** @param {string} version @returns {Step} */
const checkVersion = (version) => ({
  name: `Imports, a run and SQLite's conformance on Node ${version}`,
  explain: explainCompile,
  async action({ run }) {
    const folder = createOutsideProject();
    try {
      await checkOn(run, folder, version);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});

/** @param {Run} run @param {string} folder @param {string} version */
async function checkOn(run, folder, version) {
  const nodeFolder = join(folder, "node");
  await run("npm", ["install", "--no-save", "--prefix", nodeFolder, `${nodePackage}@${version}`], { cwd: folder });
  const home = join(nodeFolder, "node_modules", nodePackage);
  const node = join(home, "bin", process.platform === "win32" ? "node.exe" : "node");
  const env = {
    PATH: [join(home, "bin"), process.env.PATH].join(delimiter),
    npm_config_nodedir: home,
  };
  await run("npm", ["install", "--no-audit", "--no-fund", "--foreground-scripts"], { cwd: folder, env });
  for (const file of ["every-export", "main", "sqlite-conformance"]) {
    await runTypeScript(run, folder, `src/${file}.ts`, [], { node, timeLimit: TIME_LIMIT });
  }
}

await runSteps("node-versions", [
  ...prepare,
  { name: "Pack", setup: true, action: ({ run }) => packAll(run) },
  ...VERSIONS.map(checkVersion),
]);
