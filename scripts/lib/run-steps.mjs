import { createWriteStream, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root, workDir } from "./paths.mjs";
import { formatDuration, startProgress } from "./progress.mjs";
import { runCommand } from "./run-command.mjs";

/**
 * @typedef {import("./run-command.mjs").CommandOptions} CommandOptions
 * @typedef {(command: string, args: string[], options?: CommandOptions) => Promise<void>} Run
 *
 * @typedef {object} Step
 * @property {string} name what the user reads
 * @property {(context: { run: Run, note: (text: string) => void, log: (text: string) => void }) => unknown} action
 * @property {() => string | undefined} [skip] why nothing is to be done
 * @property {(line: string) => string | undefined} [explain] turns a line of output into a note to the user
 * @property {string} [hint] what to do when the step fails
 * @property {boolean} [live] its output is what the user came for: show it instead of keeping it in a log
 * @property {boolean} [setup] prepares for the others: when it fails they are not tried; no check in itself
 *
 * @typedef {object} Outcome
 * @property {number} passed
 * @property {number} failed
 * @property {string[]} failures what failed, and in short why
 */

const TAIL_LINES = 30;

/**
 * Carries out the steps of one command in order, tells the user about each and writes what came of it to
 * `.work/results/<command>.json`, where CI reads it. A failed setup step ends the command; after any other failure the
 * rest still runs, so that one call shows everything that is wrong.
 * @param {string} command @param {Step[]} steps
 * @returns {Promise<Outcome>}
 */
export async function runSteps(command, steps) {
  /** @type {Outcome} */
  const outcome = { passed: 0, failed: 0, failures: [] };
  clearOutcome(command);
  for (const [index, step] of steps.entries()) {
    const ok = await runStep(command, step, `[${index + 1}/${steps.length}]`);
    if (!ok) {
      outcome.failed += 1;
      outcome.failures.push(step.name);
    } else if (!step.setup) outcome.passed += 1;
    if (!ok && step.setup) break;
  }
  writeOutcome(command, outcome);
  if (outcome.failed > 0) process.exitCode = 1;
  return outcome;
}

/** @param {string} command */
export function outcomeFile(command) {
  return join(workDir, "results", `${command}.json`);
}

/** @param {string} command */
export function clearOutcome(command) {
  rmSync(outcomeFile(command), { force: true });
}

/** @param {string} command @param {Outcome} outcome */
export function writeOutcome(command, outcome) {
  mkdirSync(join(workDir, "results"), { recursive: true });
  writeFileSync(outcomeFile(command), JSON.stringify(outcome));
}

/** @param {string} command @param {Step} step @param {string} position */
async function runStep(command, step, position) {
  const label = `${position} ${step.name}`;
  const reason = step.skip?.();
  if (reason !== undefined) {
    console.log(`- ${label}: ${reason}`);
    return true;
  }
  const startedAt = Date.now();
  const failure = step.live ? await runLive(step, label) : await runQuiet(command, step, label);
  const elapsed = formatDuration(Date.now() - startedAt);
  console.log(failure === undefined ? `✔ ${label}: ${elapsed}` : `✖ ${label}: failed after ${elapsed}`);
  if (failure !== undefined) explainFailure(step, failure);
  return failure === undefined;
}

/** @param {Step} step @param {string} label @returns {Promise<string | undefined>} the failure in words */
async function runLive(step, label) {
  console.log(`▶ ${label}`);
  try {
    await step.action({ run: runCommand, note: console.log, log: console.log });
    return undefined;
  } catch (error) {
    return describe(error);
  }
}

/** @param {string} command @param {Step} step @param {string} label @returns {Promise<string | undefined>} */
async function runQuiet(command, step, label) {
  const log = openLog(command, step.name);
  const progress = startProgress(label);
  /** @type {Set<string>} */
  const told = new Set();
  const onLine = (/** @type {string} */ line) => {
    log.write(line);
    progress.output(line);
    const note = step.explain?.(line);
    if (note === undefined || told.has(note)) return;
    told.add(note);
    progress.note(note);
  };
  try {
    await step.action({
      run: (program, args, options) => runCommand(program, args, { onLine, ...options }),
      note: progress.note,
      log: onLine,
    });
    return undefined;
  } catch (error) {
    onLine(describe(error));
    return `${log.tail()}\n\nWhole log: ${relative(root, log.file)}`;
  } finally {
    progress.stop();
    log.close();
  }
}

/** @param {string} command @param {string} stepName */
function openLog(command, stepName) {
  const folder = join(workDir, "logs");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${command}-${stepName.toLowerCase().replace(/[^a-z0-9.]+/g, "-")}.log`);
  const stream = createWriteStream(file);
  /** @type {string[]} */
  const lines = [];
  return {
    file,
    write(/** @type {string} */ line) {
      stream.write(`${line}\n`);
      lines.push(line);
      if (lines.length > TAIL_LINES) lines.shift();
    },
    tail: () => lines.map((line) => `    ${line}`).join("\n"),
    close: () => stream.end(),
  };
}

/** @param {Step} step @param {string} failure */
function explainFailure(step, failure) {
  console.log(`\n${failure}`);
  if (step.hint) console.log(`What to do: ${step.hint}`);
  console.log("");
}

/** @param {unknown} error */
function describe(error) {
  if (!(error instanceof Error)) return String(error);
  // A failed command has said why in its own output; anything else is a fault of these scripts, so show where.
  const text = error.name === "Error" || error.constructor.name === "CommandFailed" ? error.message : `${error.stack}`;
  return error.cause instanceof Error ? `${text}: ${error.cause.message}` : text;
}
