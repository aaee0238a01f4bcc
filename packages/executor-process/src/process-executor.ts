/** Runs each attempt in a child process of its own. */

import type { Attempt, AttemptResult, AttemptSession, Executor } from "@heddle/core";
import { HeddleError } from "@heddle/core";
import { ArtifactsFolder } from "./artifacts-folder.js";
import { converse } from "./conversation.js";
import type { ProgramLimits } from "./limits.js";
import { defaultLimits, resolveLimits } from "./limits.js";
import { LiveAttempts } from "./live-attempts.js";
import { runPlainCommand } from "./plain-command.js";
import type { SecretsSource } from "./secrets.js";
import { readSecrets } from "./secrets.js";
import { spawnProgram } from "./spawn-program.js";

export interface ProcessExecutorOptions {
  /** A program, looked up in `PATH`; no shell is involved. */
  readonly command: string;
  readonly args?: readonly string[];
  readonly cwd?: string;
  /**
   * Added to what every program needs (`PATH`, `HOME`, `LANG`, …). The host's other variables, which may hold its
   * passwords, are not handed on; give `process.env` where they shall be.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /**
   * `heddle` (default): the program speaks the protocol of docs/executors.md. `json`: any command; it reads the run's input
   * as JSON from standard input and prints the output as JSON.
   */
  readonly protocol?: "heddle" | "json";
  /** Given to the agent in its first frame: not in its environment, not in its arguments. Only with `heddle`. */
  readonly secrets?: SecretsSource;
  readonly limits?: Partial<ProgramLimits>;
}

/** What a program needs of the host's environment to work at all. */
const handedOn = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SystemRoot", "TEMP", "PATHEXT"];

/**
 * An executor that starts a program for each attempt and ends it, with all that it started, when the attempt is over.
 * It keeps runs apart from the host's memory and event loop, not from its files: for that, use a container.
 *
 * @example
 * ```ts
 * const summarize = defineAgent({
 *   name: "summarize",
 *   executor: processExecutor({ command: "python3", args: ["summarize.py"] }),
 * });
 * ```
 * @throws HeddleError INVALID_ARGUMENT
 */
export function processExecutor(options: ProcessExecutorOptions): Executor {
  checkOptions(options);
  const { command, args = [], cwd, protocol = "heddle" } = options;
  const limits = resolveLimits(defaultLimits, options.limits);
  const talk = protocol === "json" ? runPlainCommand : converse;
  const live = new LiveAttempts();
  const run = async (attempt: Attempt, session: AttemptSession): Promise<AttemptResult> => {
    attempt.signal.throwIfAborted();
    const secrets = await readSecrets(options.secrets);
    await using folder = await ArtifactsFolder.create(limits.artifacts);
    const env = { ...environment(options.env), HEDDLE_ARTIFACTS: folder.path };
    const program = await spawnProgram({ command, args, cwd, env });
    const artifacts = { path: folder.path, files: () => folder.files() };
    return await talk(program, attempt, session, { limits, secrets, artifacts });
  };
  return {
    name: "process",
    sharesMemory: false,
    execute: (attempt, session) => live.track(attempt, run(attempt, session)),
    close: () => live.fencedOff(),
  };
}

function environment(own: ProcessExecutorOptions["env"]): NodeJS.ProcessEnv {
  return { ...Object.fromEntries(handedOn.map((name) => [name, process.env[name]])), ...own };
}

function checkOptions(options: ProcessExecutorOptions): void {
  if (typeof options !== "object" || options === null) throw invalid("options", "must be an object");
  const { command, args, cwd, env, protocol, secrets } = options;
  if (typeof command !== "string" || command === "") throw invalid("command", "must be the name of a program");
  if (args !== undefined && !(Array.isArray(args) && args.every((each) => typeof each === "string"))) {
    throw invalid("args", "must be a list of texts");
  }
  if (cwd !== undefined && typeof cwd !== "string") throw invalid("cwd", "must be the path of a folder");
  if (env !== undefined && !isEnvironment(env)) throw invalid("env", "must give each variable a text");
  if (protocol !== undefined && protocol !== "heddle" && protocol !== "json") {
    throw invalid("protocol", 'is "heddle" or "json"');
  }
  if (protocol === "json" && secrets !== undefined) throw invalid("secrets", 'need the protocol "heddle"');
}

function isEnvironment(env: unknown): boolean {
  if (typeof env !== "object" || env === null) return false;
  return Object.values(env).every((value) => value === undefined || typeof value === "string");
}

function invalid(field: string, what: string): HeddleError {
  return new HeddleError("INVALID_ARGUMENT", `"${field}" ${what}.`, { details: { field } });
}
