// npm run demo [-- arguments of the demo]: from a fresh clone to a conversation with the docs assistant.
import { join } from "node:path";
import { root } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";
import { runTypeScript } from "./lib/run-typescript.mjs";

const folder = join(root, "examples/docs-assistant");

await runSteps("demo", [
  ...prepare,
  {
    name: "Run examples/docs-assistant",
    live: true,
    action: ({ run }) => runTypeScript(run, folder, "src/main.ts", process.argv.slice(2)),
  },
]);
