/** Ten steps, each of which writes a line to a file: what was really done, whatever the engine remembers. */

import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { defineAgent } from "@heddle/core";
import { z } from "zod";

export const importer = defineAgent({
  name: "importer",
  input: z.object({ log: z.string() }),
  output: z.number(),
  async run({ input, step }) {
    let rows = 0;
    for (let page = 1; page <= 10; page++) {
      rows += await step(`page-${page}`, async ({ signal }) => {
        appendFileSync(input.log, `${page}\n`);
        await sleep(50, undefined, { signal });
        return page * 100;
      });
    }
    return { output: rows };
  },
});
