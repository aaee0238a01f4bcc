// npm run check: everything that is wrong with the code without running it.
import { root, toolPath } from "./lib/paths.mjs";
import { build, installSteps } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";

/** @typedef {import("./lib/run-steps.mjs").Step} Step */

/** @param {string} name @param {() => string[]} command a script and its arguments @param {string} hint @returns {Step} */
const check = (name, command, hint) => ({
  name,
  hint,
  action: ({ run }) => run(process.execPath, command(), { cwd: root }),
});

await runSteps("check", [
  ...installSteps,
  { ...build, name: "Types of packages", setup: false },
  check(
    "Types of tests, examples, benchmarks and scripts",
    () => [toolPath("typescript", "tsc"), "-p", "tsconfig.json"],
    "packages are seen as they are in dist/: an error about one of them may be an error in its exports.",
  ),
  check(
    "Lint and format",
    () => [toolPath("@biomejs/biome", "biome"), "check", "--error-on-warnings", "--diagnostic-level=warn"],
    "'npm run format' corrects what can be corrected safely.",
  ),
  check(
    "Layers and import cycles",
    () => [
      toolPath("dependency-cruiser", "depcruise"),
      ...["--config", ".dependency-cruiser.mjs"],
      ...["packages/*/src", "packages/*/test", "tests", "examples", "bench"],
    ],
    "the rules and their reasons are in .dependency-cruiser.mjs.",
  ),
  check(
    "Real time and chance in the core",
    () => ["scripts/checks/determinism.mjs"],
    "take them from the ports; scripts/checks/find-nondeterminism.mjs says what is allowed.",
  ),
]);
