// Everything that must hold before a change lands, within 75 minutes. A stage that fails does not keep the next from
// running. The last line is the sum of all tests and checks: "N passed, N failed".
import { existsSync } from "node:fs";
import { startContainerEngine } from "./lib/container-engine.mjs";
import { installMissingTools } from "./lib/debian-tools.mjs";
import { readJson, root } from "./lib/paths.mjs";
import { formatDuration } from "./lib/progress.mjs";
import { runCommand } from "./lib/run-command.mjs";
import { clearOutcome, outcomeFile } from "./lib/run-steps.mjs";

/**
 * @typedef {object} Stage
 * @property {string} name as the command calls itself in .work/results
 * @property {string[]} command
 * @property {number} minutes at most; the whole has less than the sum
 */

/** @type {Stage[]} */
const STAGES = [
  { name: "test", command: ["npm", "test"], minutes: 60 },
  { name: "check", command: ["npm", "run", "check"], minutes: 5 },
  { name: "examples", command: ["npm", "run", "examples"], minutes: 10 },
  { name: "pack-check", command: ["npm", "run", "pack:check"], minutes: 10 },
  { name: "node-versions", command: ["node", "scripts/node-versions.mjs"], minutes: 15 },
];

/** Here nothing may be left out because the machine lacks it. */
const ENVIRONMENT = { HEDDLE_TEST_SIZE: "full", HEDDLE_TEST_TOOLS: "required" };

const whyNoCheckFailed = "ended with an error or was cut off, though none of its checks failed: see its output above";

const MINUTE = 60_000;
const deadline = Date.now() + 74 * MINUTE;

await installMissingTools();
const stopEngine = await startContainerEngine();
const report = [];
for (const stage of STAGES) report.push(await runStage(stage));
await stopEngine();

const failures = report.flatMap((row) => row.failures.map((failure) => `${row.name}: ${failure}`));
if (failures.length > 0) console.log(`\nFailed:\n${failures.map(indented).join("\n")}`);

console.log("\nStage          passed  failed  time");
for (const { name, passed, failed, duration } of report) {
  const time = formatDuration(duration);
  console.log(`${name.padEnd(14)} ${String(passed).padStart(6)}  ${String(failed).padStart(6)}  ${time}`);
}
const passed = sum(report.map((row) => row.passed));
const failed = sum(report.map((row) => row.failed));
process.exitCode = failed > 0 ? 1 : 0;
console.log(`\n${passed} passed, ${failed} failed`);

/** @param {Stage} stage */
async function runStage({ name, command: [program = "", ...args], minutes }) {
  console.log(`\n===== ${name}: ${program} ${args.join(" ")}`);
  const startedAt = Date.now();
  clearOutcome(name);
  const timeLimit = Math.max(1, Math.min(minutes * MINUTE, deadline - startedAt));
  const ok = await runCommand(program, args, {
    cwd: root,
    env: ENVIRONMENT,
    timeLimit,
  }).then(
    () => true,
    (error) => {
      console.log(`${name}: ${error.message}`);
      return false;
    },
  );
  const outcome = readOutcome(name);
  // A command that crashed after its checks has failed too, though none of them did.
  if (!ok && outcome.failed === 0) Object.assign(outcome, { failed: 1, failures: [whyNoCheckFailed] });
  return { name, ...outcome, duration: Date.now() - startedAt };
}

/** @param {string} name @returns {import("./lib/run-steps.mjs").Outcome} */
function readOutcome(name) {
  const file = outcomeFile(name);
  return existsSync(file) ? readJson(file) : { passed: 0, failed: 0, failures: [] };
}

/** @param {string} failure its first line names it */
function indented(failure) {
  return failure.replace(/^/gm, "    ").replace(/^ {4}/, "  ");
}

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}
