// npm run bench:profile [-- --storage sqlite --kind stateless]: where the time of one kind of work goes.
import { join } from "node:path";
import { root } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";
import { runTypeScript } from "./lib/run-typescript.mjs";

await runSteps("bench-profile", [
  ...prepare,
  {
    name: "Profile",
    live: true,
    action: ({ run }) => runTypeScript(run, join(root, "bench"), "src/profile.ts", process.argv.slice(2)),
  },
]);
