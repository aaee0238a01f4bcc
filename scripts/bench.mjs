// npm run bench [-- arguments of the benchmarks]
import { join } from "node:path";
import { ensureBaseImage } from "./lib/base-image.mjs";
import { engineAnswers } from "./lib/container-engine.mjs";
import { root } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";
import { runTypeScript } from "./lib/run-typescript.mjs";

await runSteps("bench", [
  ...prepare,
  {
    name: "Run the benchmarks",
    live: true,
    setup: true,
    action: ({ run }) => runTypeScript(run, join(root, "bench"), "src/main.ts", process.argv.slice(2)),
  },
  {
    name: "Containers",
    live: true,
    skip: () => {
      if (process.argv.includes("--help")) return "not asked for";
      return engineAnswers() ? undefined : "left out: no container engine answers";
    },
    action: ({ run }) =>
      runTypeScript(run, join(root, "bench"), "src/containers.ts", process.argv.slice(2), {
        env: { HEDDLE_EXAMPLE_IMAGE: ensureBaseImage() },
      }),
  },
]);
