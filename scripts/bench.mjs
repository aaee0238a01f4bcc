// npm run bench [-- arguments of the benchmarks]
import { join } from "node:path";
import { root } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";
import { runTypeScript } from "./lib/run-typescript.mjs";

await runSteps("bench", [
  ...prepare,
  {
    name: "Run the benchmarks",
    live: true,
    action: ({ run }) => runTypeScript(run, join(root, "bench"), "src/main.ts", process.argv.slice(2)),
  },
]);
