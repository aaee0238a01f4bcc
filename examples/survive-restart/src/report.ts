/** The agent of this example, known to both processes. */

import { setTimeout as sleep } from "node:timers/promises";
import { defineAgent } from "@heddle/core";
import { z } from "zod";
import { say } from "./say.js";

const chapters = ["sources", "figures", "draft", "review", "summary"];

export const report = defineAgent({
  name: "report",
  input: z.object({ topic: z.string() }),
  values: z.object({ done: z.array(z.string()).default([]) }),
  output: z.string(),
  async run({ input, values, attempt, checkpoint, signal }) {
    let { done } = values;
    say(`attempt ${attempt} begins with ${done.length} of ${chapters.length} chapters`);
    for (const chapter of chapters.slice(done.length)) {
      await sleep(80, undefined, { signal });
      if (attempt === 1 && chapter === "review") {
        say("about to be killed in the middle of the review");
        process.kill(process.pid, "SIGKILL");
        await sleep(10_000);
      }
      ({ done } = await checkpoint({ done: [...done, chapter] }));
      say(`chapter "${chapter}" is written and committed`);
    }
    return { output: `${done.length} chapters about ${input.topic}` };
  },
});
