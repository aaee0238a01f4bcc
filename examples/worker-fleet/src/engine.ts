/** What all processes of this example share: the storage's address and the agent. */

import { setTimeout as sleep } from "node:timers/promises";
import { defineAgent } from "@heddle/core";
import { type PostgresStorage, postgresStorage } from "@heddle/storage-postgres";
import { z } from "zod";

export const schema = "heddle_example_worker_fleet";
/** Runs at once in one worker. */
export const slots = 4;

export function openStorage(): PostgresStorage {
  return postgresStorage({ connectionString: process.env.EXAMPLE_DATABASE ?? "", schema, connections: 3 });
}

/** Waits as long as a model would, and says who did the work. */
export const weave = defineAgent({
  name: "weave",
  input: z.object({ piece: z.number(), ms: z.number() }),
  output: z.object({ by: z.string() }),
  async run({ input, signal }) {
    await sleep(input.ms, undefined, { signal });
    return { output: { by: process.env.WORKER ?? "?" } };
  },
});
