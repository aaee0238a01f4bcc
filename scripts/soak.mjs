// npm run soak [-- --minutes M --storage sqlite|postgres]: one engine under steady load; does anything leak?
import { join } from "node:path";
import { root } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";
import { runTypeScript } from "./lib/run-typescript.mjs";

await runSteps("soak", [
  ...prepare,
  {
    name: "Soak",
    live: true,
    action: ({ run }) =>
      runTypeScript(run, join(root, "tests"), "soak/main.ts", process.argv.slice(2), { nodeOptions: ["--expose-gc"] }),
  },
]);
