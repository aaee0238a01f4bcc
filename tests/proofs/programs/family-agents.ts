/** A parent that adds up what its children give, two generations deep. */

import { type Agent, defineAgent } from "@heddle/core";
import { z } from "zod";

export const childrenOfEach = 3;

const leaf = defineAgent({
  name: "leaf",
  input: z.number(),
  output: z.number(),
  async run({ input, sleep }) {
    await sleep(Math.floor(20 * Math.random()));
    return { output: input };
  },
});

const branch = defineAgent({
  name: "branch",
  input: z.number(),
  output: z.number(),
  async run({ input, start }) {
    const kids = await Promise.all(
      Array.from({ length: childrenOfEach }, (_, n) => start(`leaf ${n}`, leaf, input * 10 + n)),
    );
    return { output: (await Promise.all(kids.map((kid) => kid.result()))).reduce((sum, n) => sum + n, 0) };
  },
});

export const root = defineAgent({
  name: "root",
  output: z.number(),
  async run({ start }) {
    const kids = [];
    for (let n = 0; n < childrenOfEach; n++) kids.push(await start(`branch ${n}`, branch, n));
    let sum = 0;
    for (const kid of kids) sum += await kid.result();
    return { output: sum };
  },
});

/** What each root gives: the leaves are 00, 01, 02, 10, … 22. */
export const rightSum = 99;

export const familyAgents = [leaf, branch, root] as unknown as readonly Agent[];

/** Whatever is killed goes on; waits are suspended soon. */
export const familySettings = {
  concurrency: 4,
  suspendAfter: 5,
  lease: 1_500,
  heartbeat: 500,
  poll: 200,
  retry: { maxCrashes: 1_000, delay: 5, maxDelay: 20 },
} as const;
