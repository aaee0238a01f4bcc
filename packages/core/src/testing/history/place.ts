/** The process that agents and clients are in: a real one, or one that a simulation stops and kills. */

import { systemClock } from "../../runtime/system-clock.js";

export interface Place {
  /** Of no other process, one that takes a dead one's place included. */
  readonly name: string;
  /** Resolves when it dies. */
  readonly died: Promise<void>;
  /** Resolves when the process is at its turn: while it is stopped it is not. */
  turn(): Promise<void>;
  sleep(ms: number): Promise<void>;
}

/** This process. Whatever kills it kills those who could be told of it. */
export function thisProcess(name: string): Place {
  return {
    name,
    died: new Promise(() => {}),
    turn: () => Promise.resolve(),
    sleep: (ms) => new Promise((resolve) => void systemClock.setTimer(ms, resolve, "work")),
  };
}
