/**
 * Waiting for another process's lock without blocking the event loop. Every waiter, old or new, tries again after a
 * random few milliseconds: nobody can be shut out by somebody else's rhythm.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { isBusy } from "./storage-errors.js";
import type { TurnQueue } from "./turn-queue.js";

/** ms; DESIGN section 9, "storage wait". */
const longestWait = 10_000;
const longestPause = 10;

/** @throws the last busy error once waiting took too long; any other error at once */
export async function retryWhileBusy<Result>(work: () => Result, turns: TurnQueue): Promise<Result> {
  const giveUpAt = performance.now() + longestWait;
  for (let round = 0; ; round++) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpAt) throw error;
      await pause(turns, round);
    }
  }
}

/** The clock port is not asked: another process's lock is held in real time, whatever time it is in a test. */
async function pause(turns: TurnQueue, round: number): Promise<void> {
  const longest = Math.min(longestPause, 2 ** round);
  turns.pause();
  await sleep(Math.max(1, longest * Math.random()));
  turns.resume();
}
