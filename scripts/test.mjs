// npm test [-- vitest arguments]: installs, builds and runs every test. HEDDLE_TEST_SIZE=full adds the long ones.
import { existsSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
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
  const failures = testResults.flatMap(failuresOf);
  const failed = numFailedTests + testResults.filter(isBroken).length;
  if (failures.length === 0) failures.push(...steps.failures);
  return { passed: numPassedTests, failed: Math.max(failed, steps.failed), failures };
}

/**
 * @typedef {object} FileResult as Vitest's JSON reporter writes it
 * @property {string} name the file's path
 * @property {string} status
 * @property {string} message
 * @property {{ status: string, fullName: string, failureMessages: string[] }[]} assertionResults
 */

/** @param {FileResult} file @returns {string[]} */
function failuresOf(file) {
  const path = relative(root, file.name);
  if (isBroken(file)) return [`${path}\n${firstLine(file.message)}`];
  return file.assertionResults
    .filter((test) => test.status === "failed")
    .map((test) => `${path}: ${test.fullName}\n${firstLine(test.failureMessages[0])}`);
}

/** Vitest keeps no words for a test that was cut off. @param {string} [message] */
function firstLine(message = "") {
  if (message.startsWith("Error: STACK_TRACE_ERROR")) return "took too long and was cut off";
  return message.split("\n", 1)[0]?.slice(0, 300) ?? "";
}

/** @param {FileResult} file */
function isBroken({ status, assertionResults }) {
  return status === "failed" && assertionResults.every((test) => test.status !== "failed");
}
