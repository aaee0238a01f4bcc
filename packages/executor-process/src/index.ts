/** Runs agents of Heddle as child processes, in any language. */

export type { ProgramLimits } from "./limits.js";
export type { ProcessExecutorOptions } from "./process-executor.js";
export { processExecutor } from "./process-executor.js";
export type { Secrets, SecretsSource } from "./secrets.js";
