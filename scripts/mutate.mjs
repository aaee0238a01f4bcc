// npm run mutate [-- --only outbox]: do the tests notice when the model or the engine's writer is changed? Stryker changes
// one thing at a time and runs the tests that reach it. It is installed here, on demand and apart from the workspace. What
// was tried before is remembered in .work/mutation; `-- --again` forgets it.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mutatedFiles } from "../tests/mutation/mutated-files.mjs";
import { readReport, reportFile, sumOf, survivorsOf, tableOf } from "./lib/mutation-report.mjs";
import { readJson, root, toolPath } from "./lib/paths.mjs";
import { pnpm } from "./lib/pnpm.mjs";
import { installSteps } from "./lib/prepare.mjs";
import { readOptions } from "./lib/read-options.mjs";
import { runSteps } from "./lib/run-steps.mjs";

/** Percent of the mutants that must be noticed. */
const BOUND = 85;

const usage = `npm run mutate -- [options]

  --only TEXT     only files that have it in their names
  --again         also what was tried before and is remembered

Exit code 1: fewer than ${BOUND} % of the changes were noticed.`;

const options = readOptions(usage, () => {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((argument) => argument !== "--"),
    options: { only: { type: "string" }, again: { type: "boolean", default: false }, help: { type: "boolean" } },
  });
  return values.help ? undefined : values;
});

const folder = join(root, "tests/mutation");

await runSteps("mutate", [
  ...installSteps,
  {
    name: "Install Stryker",
    setup: true,
    action: ({ run }) =>
      run(...pnpm("install", "--ignore-workspace", "--frozen-lockfile", "--reporter=append-only"), { cwd: folder }),
  },
  {
    name: "Type-check",
    setup: true,
    action: ({ run }) => run(process.execPath, [toolPath("typescript", "tsc"), "-p", folder]),
  },
  {
    name: "Change the code and run the tests",
    setup: true,
    explain: progressOf,
    action: async ({ run }) => {
      rmSync(reportFile, { force: true });
      await run(process.execPath, [strykerPath(), "run", join(folder, "stryker.config.mjs"), ...strykerArguments()], {
        cwd: root,
      });
    },
  },
  { name: "Count what was noticed", live: true, action: judge },
]);

function strykerPath() {
  const stryker = join(folder, "node_modules/@stryker-mutator/core");
  return join(stryker, readJson(join(stryker, "package.json")).bin.stryker);
}

function strykerArguments() {
  const files = options.only === undefined ? [] : [...mutatedFiles, `!**/!(*${options.only}*).ts`];
  const only = files.length === 0 ? [] : ["--mutate", files.join()];
  return options.again ? [...only, "--force"] : only;
}

/** Tells of each tenth once. @param {string} line */
function progressOf(line) {
  const percent = /^Mutation testing +(\d+)%/.exec(line)?.[1];
  return percent === undefined ? undefined : `${Math.floor(Number(percent) / 10) * 10} % of the mutants`;
}

function judge() {
  const files = readReport().filter(({ name }) => options.only === undefined || name.includes(options.only));
  if (files.length === 0) throw new Error(`no file that is mutated has "${options.only}" in its name`);
  console.log(tableOf(files));
  const { left, unknown } = survivorsOf(files, join(folder, "survivors.md"));
  console.log(`\n${left} survive, ${left - unknown.length} of them explained in tests/mutation/survivors.md`);
  for (const { place, code, change } of unknown) console.log(`  ${place}: ${code} → ${change}`);
  const { score } = sumOf(files);
  if (score < BOUND) throw new Error(`${score.toFixed(1)} % were noticed; it must be ${BOUND} %`);
}
