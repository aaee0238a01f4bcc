/**
 * The smallest run: an agent, a start, its events as they happen, its output. There is no thread, so nothing is
 * remembered between two runs.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { createEngine, defineAgent } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { z } from "zod";

const greeter = defineAgent({
  name: "greeter",
  input: z.object({ name: z.string() }),
  output: z.string(),
  async run({ input, emit, delta, signal }) {
    await emit("log", { level: "info", message: `thinking about ${input.name}` });
    const words = ["Hello", `${input.name},`, "nice", "to", "meet", "you."];
    for (const text of words) {
      await sleep(60, undefined, { signal }); // where a model would stream
      delta("assistant_message", { text });
    }
    return { output: words.join(" ") };
  },
});

// In memory for once; with sqliteStorage("agents.db") the run would outlive this process.
const engine = createEngine({ storage: sqliteStorage(":memory:"), agents: [greeter] });
await engine.start();

const startedAt = performance.now();
const say = (text: string) => console.log(`${(performance.now() - startedAt).toFixed(0).padStart(5)} ms  ${text}`);

const run = await engine.runs.start(greeter, { name: "Ada" });
say(`accepted  ${run.id}`);

for await (const frame of run.events()) {
  if (frame.kind === "event") say(`event ${frame.seq}   ${frame.type}`);
  if (frame.kind === "delta") say(`delta ${frame.sequenceNumber}   ${JSON.stringify(frame.payload)}`);
}

say(`output    ${await run.result()}`);
say(`status    ${(await run.info()).status}`);

await engine.close();
