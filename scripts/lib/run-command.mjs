import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/**
 * @typedef {object} CommandOptions
 * @property {string} [cwd]
 * @property {Record<string, string | undefined>} [env] added to this process's environment
 * @property {(line: string) => void} [onLine] gets the output line by line; without it the terminal does
 * @property {number} [timeLimit] in milliseconds; then the command and all that it started are killed
 */

export class CommandFailed extends Error {}

/**
 * Runs a command to its end; rejects with `CommandFailed` when it did not exit with 0.
 * @param {string} command @param {string[]} args @param {CommandOptions} [options]
 * @returns {Promise<void>}
 */
export async function runCommand(command, args, { cwd, env, onLine, timeLimit } = {}) {
  // A command with a time limit gets a process group of its own, so that the limit ends grandchildren too; no input,
  // because such a group may not read the terminal. Without a limit the child stays in the terminal's group.
  const ownGroup = timeLimit !== undefined && process.platform !== "win32";
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: [onLine || ownGroup ? "ignore" : "inherit", onLine ? "pipe" : "inherit", onLine ? "pipe" : "inherit"],
    // npx and npm are .cmd files on Windows, which only a shell starts.
    shell: process.platform === "win32" && ["npm", "npx"].includes(command),
    detached: ownGroup,
  });
  if (onLine) readLines(child, onLine);

  let timedOut = false;
  const onTimeLimit = () => {
    timedOut = true;
    killGroup(child);
  };
  const timer = timeLimit === undefined ? undefined : setTimeout(onTimeLimit, timeLimit);
  // The terminal sends Ctrl-C to its own group only. Either way this process waits for the child: a demo may end well.
  let interrupted = false;
  const onInterrupt = () => {
    interrupted = true;
    if (ownGroup) killGroup(child);
  };
  process.on("SIGINT", onInterrupt);
  try {
    const { code, signal } = await ended(child);
    if (timedOut) throw new CommandFailed(`${command} was stopped after ${Math.round((timeLimit ?? 0) / 1000)} s`);
    if (interrupted && code !== 0) process.exit(130);
    if (code !== 0) throw new CommandFailed(`${command} ended with ${signal ?? `exit code ${code}`}`);
  } finally {
    clearTimeout(timer);
    process.off("SIGINT", onInterrupt);
  }
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @returns {Promise<{ code: number | null, signal: string | null }>}
 */
function ended(child) {
  return new Promise((resolve, reject) => {
    child.on("error", (cause) => reject(new CommandFailed(`${child.spawnfile} could not be started`, { cause })));
    child.on("close", (code, signal) => resolve({ code, signal }));
  });
}

/** @param {import("node:child_process").ChildProcess} child @param {(line: string) => void} onLine */
function readLines({ stdout, stderr }, onLine) {
  for (const input of [stdout, stderr]) {
    if (input) createInterface({ input }).on("line", onLine);
  }
}

/** @param {import("node:child_process").ChildProcess} child */
function killGroup(child) {
  // A grandchild that left the group may hold the pipes open; do not wait for it.
  child.stdout?.destroy();
  child.stderr?.destroy();
  try {
    if (process.platform === "win32") child.kill("SIGKILL");
    else if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // It ended by itself in the same moment.
  }
}
