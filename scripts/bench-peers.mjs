// npm run bench:peers [-- arguments of the benchmarks]: Heddle beside what users would pick instead. The peers are
// installed here, on demand and apart from the workspace.
import { join } from "node:path";
import { root, toolPath } from "./lib/paths.mjs";
import { pnpm } from "./lib/pnpm.mjs";
import { explainCompile, prepare } from "./lib/prepare.mjs";
import { runSteps } from "./lib/run-steps.mjs";
import { runTypeScript } from "./lib/run-typescript.mjs";

const folder = join(root, "bench/peers");

await runSteps("bench-peers", [
  ...prepare,
  {
    name: "Install the peers",
    setup: true,
    explain: explainCompile,
    action: ({ run }) =>
      run(...pnpm("install", "--ignore-workspace", "--frozen-lockfile", "--reporter=append-only"), { cwd: folder }),
  },
  {
    name: "Type-check",
    setup: true,
    action: ({ run }) => run(process.execPath, [toolPath("typescript", "tsc"), "-p", folder]),
  },
  {
    name: "Run the benchmarks",
    live: true,
    // tsx is the workspace's.
    action: ({ run }) => runTypeScript(run, join(root, "bench"), "peers/src/main.ts", process.argv.slice(2)),
  },
]);
