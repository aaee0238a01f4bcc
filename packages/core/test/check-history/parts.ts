/** Parts of a history with what hardly ever matters filled in. */

import type { FinalEvent, StartCommand } from "./types.js";

export function start(n: number, command: Partial<StartCommand>): StartCommand {
  return {
    n,
    agent: "weaver",
    threadId: null,
    whenBusy: "enqueue",
    createThread: false,
    delay: 0,
    key: null,
    maxFailures: 1,
    maxCrashes: 3,
    ephemeral: false,
    ...command,
  };
}

export function event(seq: number, runId: string, type: string, more: Partial<FinalEvent> = {}): FinalEvent {
  const nothing = { token: null, why: null, availableAt: null, rolledBackFrom: null };
  return { seq, runId, attempt: 1, type, ...nothing, createdAt: 1_000 + seq, ...more };
}
