/** Choices that repeat: each part of a simulation throws its own dice, so that one part's choices never shift another's. */

import { requireText, requireWhole } from "../check-arguments.js";
import { seededRandom } from "../seeded-random.js";

export class Dice {
  readonly fraction: () => number;

  /**
   * @param seed any whole number
   * @param purpose what these are thrown for: another purpose, other throws
   * @throws HeddleError INVALID_ARGUMENT
   */
  constructor(seed: number, purpose: string) {
    requireWhole("seed", seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    requireText("purpose", purpose);
    this.fraction = seededRandom(mix(seed, purpose)).fraction;
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new Error("there is nothing to pick from");
    return items[this.between(0, items.length - 1)] as Item;
  }
}

/** FNV-1a: near seeds and like names come out far apart. */
function mix(seed: number, purpose: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const character of purpose) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ Math.imul(seed, 0x9e3779b1);
  return hash >>> 0;
}
