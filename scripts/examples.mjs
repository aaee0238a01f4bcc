// npm run examples: runs every example to its end, with nobody at the keyboard. An example that talks to a person
// must play a conversation by itself when its standard input is no terminal.
import { basename, join } from "node:path";
import { ensureBaseImage } from "./lib/base-image.mjs";
import { engineAnswers } from "./lib/container-engine.mjs";
import { readJson } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";
import { runTypeScript } from "./lib/run-typescript.mjs";
import { exampleFolders } from "./lib/workspace.mjs";

const TIME_LIMIT = 120_000;

/** In CI, where they must run, they fail without an engine. */
const leftOut = !engineAnswers() && process.env.HEDDLE_TEST_TOOLS !== "required";

/** @param {string} folder */
function needsContainers(folder) {
  return "@heddle/executor-docker" in readJson(join(folder, "package.json")).devDependencies;
}

/** An image that no registry need be asked for. @param {string} folder @returns {Record<string, string>} */
function environment(folder) {
  return needsContainers(folder) && engineAnswers() ? { HEDDLE_EXAMPLE_IMAGE: ensureBaseImage() } : {};
}

await runSteps("examples", [
  ...prepare,
  ...exampleFolders().map((folder) => ({
    name: `Run examples/${basename(folder)}`,
    skip: () => (leftOut && needsContainers(folder) ? "left out: no container engine answers" : undefined),
    action: (/** @type {{ run: import("./lib/run-steps.mjs").Run }} */ { run }) =>
      runTypeScript(run, folder, "src/main.ts", [], { timeLimit: TIME_LIMIT, env: environment(folder) }),
  })),
]);
