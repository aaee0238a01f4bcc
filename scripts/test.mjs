// npm test [-- vitest arguments]: installs, builds and runs every test. HEDDLE_TEST_SIZE=full adds the long ones.
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { missingTools } from "./lib/debian-tools.mjs";
import { readJson, root, toolPath, workDir } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { runSteps, writeOutcome } from "./lib/run-steps.mjs";

const SIZES = ["quick", "full", "long"];
const size = process.env.HEDDLE_TEST_SIZE ?? "quick";
if (!SIZES.includes(size)) throw new Error(`HEDDLE_TEST_SIZE is one of ${SIZES.join(", ")}; it was "${size}"`);

const resultsFile = join(workDir, "test-results.json");
rmSync(resultsFile, { force: true });

const missing = missingTools();
if (missing.length > 0) console.log(`Left out: the tests that need ${missing.join(", ")} (Debian: apt-get install).`);

const outcome = await runSteps("test", [
  ...prepare,
  {
    name: `Run the tests (${size})`,
    live: true,
    hint: "'npm test -- <part of a file name>' repeats only some; every result is in .work/test-results.json.",
    action: ({ run }) =>
      run(
        process.execPath,
        [
          toolPath("vitest"),
          "run",
          "--reporter=default",
          "--reporter=json",
          `--outputFile.json=${resultsFile}`,
          ...process.argv.slice(2),
        ],
        { cwd: root, env: { HEDDLE_TEST_SIZE: size } },
      ),
  },
]);
if (existsSync(resultsFile)) writeOutcome("test", countTests(outcome));

/**
 * Counts tests instead of steps. A file that broke before its tests could run counts as one failed test; so does
 * whatever else made the run fail without failing a test, as an error thrown outside of any.
 * @param {import("./lib/run-steps.mjs").Outcome} steps
 */
function countTests(steps) {
  const { numPassedTests, numFailedTests, testResults } = readJson(resultsFile);
  const failed = numFailedTests + testResults.filter(isBroken).length;
  return { passed: numPassedTests, failed: Math.max(failed, steps.failed) };
}

/** @param {{ status: string, assertionResults: { status: string }[] }} file */
function isBroken({ status, assertionResults }) {
  return status === "failed" && assertionResults.every((test) => test.status !== "failed");
}
