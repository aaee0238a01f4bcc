/** The machine's own time. The only file of the library that reads it. */

import type { Clock } from "../ports/clock.js";

/** Node's timers overflow above this, ms: a longer wait is taken in legs. */
const longestTimer = 2 ** 31 - 1;

export const systemClock: Clock = {
  isSystemClock: true,
  now: () => Date.now(),
  /** Timers keep the process alive: an open engine works, and waits for other processes, until it is closed. */
  setTimer(delay, fire) {
    let timer: NodeJS.Timeout;
    const leg = (left: number): void => {
      const wait = Math.min(Math.max(left, 0), longestTimer);
      timer = setTimeout(() => (left > wait ? leg(left - wait) : fire()), wait);
    };
    leg(delay);
    return () => clearTimeout(timer);
  },
  turn: () => new Promise((resolve) => setImmediate(resolve)),
};
