/**
 * The docs assistant's questions, answered by an agent in Python, each turn in a container of its own. The image is built
 * when it is first needed. The thread, its checkpoints and its stream are as with an agent in this process.
 *
 * Needs a container engine. HEDDLE_EXAMPLE_IMAGE names an image with Python to build on.
 */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { createEngine, defineAgent, isDelta, isEvent } from "@heddle/core";
import { dockerExecutor } from "@heddle/executor-docker";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { z } from "zod";

const { HEDDLE_EXAMPLE_IMAGE: base } = process.env;
const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const library = dirname(dirname(fileURLToPath(import.meta.resolve("p-queue"))));

const Message = z.object({ role: z.enum(["user", "assistant"]), text: z.string() });

const assistant = defineAgent({
  name: "assistant",
  input: z.object({ question: z.string() }),
  values: z.object({ messages: z.array(Message).default([]), topic: z.array(z.string()).default([]) }),
  output: z.object({ answer: z.string(), source: z.string() }),
  executor: dockerExecutor({
    build: { context: folder("../image"), ...(base === undefined ? {} : { args: { BASE: base } }) },
    command: ["python3", "/app/assistant.py"],
    mounts: [
      { source: folder("../../../packages/agent-python"), target: "/helper" },
      { source: library, target: "/library" },
    ],
  }),
});

await using engine = createEngine({ storage: sqliteStorage(":memory:"), agents: [assistant] });
await engine.start();

const thread = await engine.threads.create();
for (const question of ["How do I limit how many tasks run at once with p-queue?", "How do I pause it?"]) {
  console.log(`\n> ${question}`);
  const run = await thread.start(assistant, { question });
  for await (const frame of run.events()) {
    if (isEvent(frame, "image_awaited")) console.log("(building the image)");
    if (isDelta(frame, "assistant_message")) process.stdout.write(frame.payload.text);
  }
  const { source } = await run.result();
  const [file] = await run.artifacts();
  console.log(`\n(from ${source}; ${file?.size} bytes in ${file?.name})`);
}
const { messages } = await thread.values(assistant);
console.log(`\n${messages.length} messages in ${(await thread.history()).length} checkpoints`);
