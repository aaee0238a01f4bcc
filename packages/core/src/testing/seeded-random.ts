/** Randomness that repeats: the same seed gives the same fractions and ids. */

import type { IdPrefix, Random } from "../ports/random.js";
import { requireWhole } from "./check-arguments.js";

/**
 * Ids count up and name their seed (`run_0000000001S000000000000042`), so that a failed test can be read and two
 * engines with different seeds never meet.
 *
 * @param seed a whole number from 0 to 2^32 - 1
 * @throws HeddleError INVALID_ARGUMENT
 */
export function seededRandom(seed: number): Random {
  requireWhole("seed", seed, 0, 2 ** 32 - 1);
  const counters = new Map<IdPrefix, number>();
  return {
    fraction: mulberry32(seed),
    id(prefix) {
      const count = (counters.get(prefix) ?? 0) + 1;
      counters.set(prefix, count);
      return `${prefix}_${String(count).padStart(10, "0")}S${String(seed).padStart(15, "0")}`;
    },
  };
}

/** Tommy Ettinger's generator: tiny, and even enough for tests. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
