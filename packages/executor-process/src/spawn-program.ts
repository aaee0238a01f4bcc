/**
 * A child process that leads a process group of its own, so that whatever it starts ends with it. What leaves the group
 * on purpose (`setsid`) gets away: code that cannot be trusted belongs in a container.
 */

import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { spawn } from "node:child_process";
import { HeddleError } from "@heddle/core";
import type { AgentProgram, ProgramExit } from "./agent-program.js";

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** How long a pipe may stay open after the program's end, in ms: somebody who left the group holds it. */
const pipeDelay = 500;

/** @throws HeddleError COMMAND_NOT_FOUND, EXECUTOR_UNAVAILABLE */
export async function spawnProgram({ command, args, cwd, env }: Command): Promise<AgentProgram> {
  const child = spawn(command, args, { cwd, env, stdio: "pipe", detached: true, windowsHide: true });
  // Asked for at once: the program may be over before anybody waits for it.
  const exited = exitOf(child);
  await started(child, command, cwd);
  endWithThisProcess(child);
  return {
    input: child.stdin,
    output: child.stdout,
    log: child.stderr,
    exited,
    terminate: () => signalGroup(child, "SIGTERM"),
    async kill() {
      signalGroup(child, "SIGKILL");
      await exited;
    },
  };
}

function started(child: ChildProcessWithoutNullStreams, command: string, cwd: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause: NodeJS.ErrnoException) => reject(startError(cause, command, cwd)));
  });
}

function startError(cause: NodeJS.ErrnoException, command: string, cwd: string | undefined): HeddleError {
  const details = { command, ...(cwd === undefined ? {} : { cwd }) };
  if (cause.code === "ENOENT" || cause.code === "EACCES" || cause.code === "ENOEXEC") {
    const where = cwd === undefined ? "" : ` in ${cwd}`;
    return new HeddleError("COMMAND_NOT_FOUND", `"${command}" cannot be run${where}: ${cause.code}.`, {
      details,
      cause,
    });
  }
  return new HeddleError("EXECUTOR_UNAVAILABLE", `"${command}" could not be started: ${cause.message}`, {
    details,
    cause,
  });
}

/** With the program ends its group; then its pipes must, too. */
function exitOf(child: ChildProcessWithoutNullStreams): Promise<ProgramExit> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      signalGroup(child, "SIGKILL");
      const timer = setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, pipeDelay);
      child.once("close", () => clearTimeout(timer));
      resolve({ code, signal });
    });
  });
}

function signalGroup({ pid }: ChildProcessWithoutNullStreams, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? pid : -pid, signal);
  } catch {
    // Nobody is left.
  }
}

const living = new Set<ChildProcessWithoutNullStreams>();

/** A host that ends without closing its engine takes its programs along. */
function endWithThisProcess(child: ChildProcessWithoutNullStreams): void {
  if (living.size === 0) process.on("exit", killLiving);
  living.add(child);
  child.once("exit", () => {
    living.delete(child);
    if (living.size === 0) process.off("exit", killLiving);
  });
}

function killLiving(): void {
  for (const child of living) signalGroup(child, "SIGKILL");
}
