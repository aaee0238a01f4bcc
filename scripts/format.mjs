// npm run format: puts every file into the one format and applies the linter's safe corrections.
import { root, toolPath } from "./lib/paths.mjs";
import { installSteps } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";

await runSteps("format", [
  ...installSteps,
  {
    name: "Format and fix",
    action: ({ run }) =>
      run(process.execPath, [toolPath("@biomejs/biome", "biome"), "check", "--write"], { cwd: root }),
  },
]);
