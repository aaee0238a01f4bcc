// npm run pack:check: are the packages, as they would be published, right for those who install them?
import { rmSync } from "node:fs";
import { createOutsideProject, packAll, tarballOf } from "./lib/outside-project.mjs";
import { toolPath } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";
import { runTypeScript } from "./lib/run-typescript.mjs";
import { publicPackages } from "./lib/workspace.mjs";

/** @typedef {import("./lib/run-steps.mjs").Step} Step */

/** @param {{ name: string }} package @returns {Step[]} */
const tarballChecks = ({ name }) => [
  {
    name: `Manifest and files of ${name}`,
    action: ({ run }) => run(process.execPath, [toolPath("publint"), tarballOf(name), "--strict"]),
  },
  {
    name: `Types of ${name}, in every way to resolve them`,
    // `require()` of an ES module works on the oldest Node we support, but its types do not say so.
    action: ({ run }) =>
      run(process.execPath, [toolPath("@arethetypeswrong/cli", "attw"), tarballOf(name), "--profile", "esm-only"]),
  },
];

let folder = "";

await runSteps("pack-check", [
  ...prepare,
  { name: "Pack", setup: true, action: ({ run }) => packAll(run) },
  ...publicPackages().flatMap(tarballChecks),
  {
    name: "A project outside installs the tarballs",
    async action({ run }) {
      folder = createOutsideProject();
      // Imports load no native module, so none need be compiled: scripts/node-versions.mjs does that.
      await run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
    },
  },
  {
    name: "It type-checks",
    action: ({ run }) => run(process.execPath, [toolPath("typescript", "tsc"), "-p", folder]),
  },
  {
    name: "It loads every entry of every package",
    action: ({ run }) => runTypeScript(run, folder, "src/every-export.ts"),
  },
]);
if (folder) rmSync(folder, { recursive: true, force: true });
