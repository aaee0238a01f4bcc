// npm run examples: runs every example to its end, with nobody at the keyboard. An example that talks to a person
// must play a conversation by itself when its standard input is no terminal.
import { basename } from "node:path";
import { prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";
import { runTypeScript } from "./lib/run-typescript.mjs";
import { exampleFolders } from "./lib/workspace.mjs";

const TIME_LIMIT = 120_000;

await runSteps("examples", [
  ...prepare,
  ...exampleFolders().map((folder) => ({
    name: `Run examples/${basename(folder)}`,
    action: (/** @type {{ run: import("./lib/run-steps.mjs").Run }} */ { run }) =>
      runTypeScript(run, folder, "src/main.ts", [], { timeLimit: TIME_LIMIT }),
  })),
]);
