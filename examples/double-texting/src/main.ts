/**
 * A user writes again before the answer is there. The same two messages, once for each strategy: what becomes of the first
 * run, what the second one sees, and what the conversation looks like afterwards.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { BusyStrategy, RunHandle } from "@heddle/core";
import { createEngine, defineAgent, HeddleError, memoryStorage } from "@heddle/core";
import { z } from "zod";

const Line = z.object({ by: z.enum(["user", "planner"]), text: z.string() });

const planner = defineAgent({
  name: "planner",
  input: z.string(),
  values: z.object({ lines: z.array(Line).default([]) }),
  output: z.string(),
  async run({ input, values, checkpoint, takeSteered, signal }) {
    // From here on the thread shows the question, even if the answer never comes.
    let { lines } = await checkpoint({ lines: [...values.lines, { by: "user", text: input }] });
    const wishes = [input];
    for (let thought = 0; thought < 3; thought++) {
      await sleep(60, undefined, { signal });
      for (const message of await takeSteered()) {
        wishes.push(message.input);
        lines = [...lines, { by: "user", text: message.input }];
      }
    }
    const text = `A plan for: ${wishes.join(" + ")}`;
    return { output: text, values: { lines: [...lines, { by: "planner", text }] } };
  },
});

const engine = createEngine({ storage: memoryStorage(), agents: [planner] });
await engine.start();

for (const whenBusy of ["reject", "enqueue", "interrupt", "rollback", "steer"] satisfies BusyStrategy[]) {
  console.log(`\n${whenBusy}`);
  const thread = await engine.threads.create({ whenBusy });
  const first = await thread.start(planner, "a trip to Lisbon");
  await sleep(90);
  const second = await thread.start(planner, "by train, please").catch(refused);
  console.log(`  first:  ${await endOf(first)}`);
  if (second !== undefined) console.log(`  second: ${await endOf(second)}`);
  for (const { by, text } of (await thread.values(planner)).lines) console.log(`  | ${by.padEnd(7)}  ${text}`);
}
await engine.close();

async function endOf(run: RunHandle<string>): Promise<string> {
  const end = await run.settled();
  const { takenBy } = await run.info();
  if (end.status === "succeeded") return takenBy === undefined ? end.output : "taken by the first as a message";
  return end.status === "canceled" ? `canceled: ${end.reason.kind}` : end.status;
}

function refused(error: unknown): undefined {
  if (!HeddleError.is(error, "THREAD_BUSY")) throw error;
  console.log(`  second: refused (${error.code})`);
}
