// npm run simulate [-- --seeds N --from N | --seed N --keep … | --self-test]: the whole engine under seeded faults.
import { join } from "node:path";
import { root } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";
import { runTypeScript } from "./lib/run-typescript.mjs";

await runSteps("simulate", [
  ...prepare,
  {
    name: "Simulate",
    live: true,
    action: ({ run }) =>
      runTypeScript(run, join(root, "packages/core"), "test/simulation/main.ts", process.argv.slice(2)),
  },
]);
