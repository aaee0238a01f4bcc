// npm run chaos [-- --storage sqlite|postgres --minutes M …]: real processes, killed and stopped under load.
import { join } from "node:path";
import { root } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";
import { runTypeScript } from "./lib/run-typescript.mjs";

await runSteps("chaos", [
  ...prepare,
  {
    name: "Make chaos",
    live: true,
    action: ({ run }) => runTypeScript(run, join(root, "tests"), "chaos/main.ts", process.argv.slice(2)),
  },
]);
