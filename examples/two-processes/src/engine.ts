/** What all processes of this example share: the storage's address and the agent. */

import { setTimeout as sleep } from "node:timers/promises";
import { defineAgent } from "@heddle/core";
import { type PostgresStorage, postgresStorage } from "@heddle/storage-postgres";
import { z } from "zod";

export const schema = "heddle_example_two_processes";

export function openStorage(): PostgresStorage {
  return postgresStorage({ connectionString: process.env.EXAMPLE_DATABASE ?? "", schema, connections: 4 });
}

export const chapters = ["warp", "weft", "shed", "beat", "cloth"];

/** Writes a chapter, commits it, writes the next: whoever takes over goes on behind the last one that is committed. */
export const write = defineAgent({
  name: "write",
  input: z.object({ book: z.string() }),
  values: z.object({ done: z.array(z.string()).default([]) }),
  output: z.string(),
  async run({ input, values, emit, checkpoint, signal }) {
    const by = process.env.WORKER ?? "?";
    let { done } = values;
    await emit("began", { by, with: done.length });
    for (const chapter of chapters.slice(done.length)) {
      await sleep(150, undefined, { signal });
      ({ done } = await checkpoint({ done: [...done, chapter] }));
      await emit("chapter", { by, chapter });
    }
    return { output: `${input.book}, ${done.length} chapters` };
  },
});
