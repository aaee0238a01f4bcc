/** Does the simulation find what it is for? Every planted bug has to show within so many seeds. */

import { makePlan, simulate } from "@heddle/core/testing";
import { busyBugs } from "./busy-bugs.js";
import { engineBugs } from "./engine-bugs.js";
import { memoryBugs } from "./memory-bugs.js";
import type { PlantedBug } from "./planted-bug.js";
import { portBugs } from "./port-bugs.js";
import { questionBugs } from "./question-bugs.js";
import { guardBugs, writeBugs } from "./storage-bugs.js";

export const plantedBugs: readonly PlantedBug[] = [
  ...guardBugs,
  ...writeBugs,
  ...portBugs,
  ...engineBugs,
  ...busyBugs,
  ...questionBugs,
  ...memoryBugs,
];

export interface Found {
  readonly seed: number;
  readonly rule: string;
  readonly message: string;
}

/** The first seed that shows the bug; `undefined`: none of them. */
export async function findBug({ database, install }: PlantedBug, seeds: number): Promise<Found | undefined> {
  const undo = install?.();
  try {
    for (let seed = 1; seed <= seeds; seed++) {
      const { violations } = await simulate(makePlan(seed), database === undefined ? {} : { database });
      const [first] = violations;
      if (first !== undefined) return { seed, ...first };
    }
    return undefined;
  } finally {
    undo?.();
  }
}
