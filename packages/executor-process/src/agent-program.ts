/** A program that runs an agent's attempt, wherever it runs: what a conversation with it needs. */

import type { Writable } from "node:stream";

export interface AgentProgram {
  /** Its standard input. */
  readonly input: Writable;
  /** Its standard output. Ends soon after the program has. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Its standard error. Ends soon after the program has. */
  readonly log: AsyncIterable<Uint8Array>;
  /** How it ended. Rejects where that cannot be known. */
  readonly exited: Promise<ProgramExit>;
  /** Ask it to end: SIGTERM. */
  terminate(): void;
  /** End all that is left of it, by force. Resolves when nothing of it runs any more; may be called again. */
  kill(): Promise<void>;
}

export interface ProgramExit {
  readonly code: number | null;
  /** The signal that ended it, e.g. `SIGKILL`. */
  readonly signal: string | null;
  /** It was killed because it used more memory than it may. */
  readonly outOfMemory?: boolean;
}
