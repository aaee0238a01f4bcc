/**
 * A conversation over several turns. The thread keeps the messages as its values; each turn is a run that gets them and
 * returns more. Tokens are streamed to the one who asks, and to a second client that watches the same thread.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { RunHandle, ThreadHandle } from "@heddle/core";
import { createEngine, defineAgent } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { z } from "zod";

const Message = z.object({ id: z.string(), role: z.enum(["user", "assistant"]), text: z.string() });

const guide = defineAgent({
  name: "guide",
  input: z.object({ message: z.string() }),
  values: z.object({ messages: z.array(Message).default([]), city: z.string().optional() }),
  output: z.string(),
  async run({ input, values, runId, emit, delta, signal }) {
    await emit("user_message", { content: input.message });
    const city = /to ([A-Z]\w+)/.exec(input.message)?.[1] ?? values.city;
    const messageId = `${runId}-reply`;
    let text = "";
    for await (const token of askModel(values.messages.length, city, signal)) {
      text += token;
      delta("assistant_message", { text: token }, { messageId });
    }
    await emit("assistant_message", { messageId, content: text });
    const turn = [
      { id: `${runId}-user`, role: "user" as const, text: input.message },
      { id: messageId, role: "assistant" as const, text },
    ];
    return { output: text, values: { messages: [...values.messages, ...turn], city } };
  },
});

/** In place of a model: it remembers only what it is given. */
async function* askModel(before: number, city: string | undefined, signal: AbortSignal) {
  const place = city ?? "nowhere in particular";
  const reply =
    before === 0 ? `${place}? A fine choice.` : `For ${place} I'd say: ${before / 2} of 3 things are settled.`;
  for (const word of reply.split(" ")) {
    await sleep(40, undefined, { signal });
    yield `${word} `;
  }
}

const startedAt = performance.now();
const stamp = () => `${(performance.now() - startedAt).toFixed(0).padStart(5)} ms  `;

const engine = createEngine({ storage: sqliteStorage(":memory:"), agents: [guide] });
await engine.start();
const thread = await engine.threads.create({ title: "A trip", metadata: { user: "ada" } });

const phone = watchFromPhone(thread);
for (const message of ["I want to go to Lisbon", "By train", "In May"]) {
  console.log(`${stamp()}ada:   ${message}`);
  await printReply(await thread.start(guide, { message }));
  console.log(`${stamp()}phone: ${await phone.turn()}`);
}
await phone.leave();

console.log("\nHistory, newest first:");
for (const checkpoint of await thread.history()) {
  const { messages } = z.object({ messages: z.array(Message) }).parse(await thread.valuesAt(checkpoint.id));
  console.log(`  ${checkpoint.id}  ${messages.length} messages, ${checkpoint.storedBytes} bytes stored`);
}

const { status, title, lastSeq } = await thread.info();
const { messages, city } = await thread.values(guide);
console.log(`\nThe thread "${title}" is ${status}: ${messages.length} messages about ${city}, ${lastSeq} events.`);
await engine.close();

async function printReply(run: RunHandle<string>): Promise<void> {
  process.stdout.write(`${stamp()}guide: `);
  for await (const frame of run.events()) {
    if (frame.kind === "delta") process.stdout.write((frame.payload as { text: string }).text);
  }
  process.stdout.write("\n");
}

/** Another client of the same thread: it starts nothing and sees everything. */
function watchFromPhone(watched: ThreadHandle) {
  const leave = new AbortController();
  const turns: string[] = [];
  let heard: (() => void) | undefined;
  const watching = (async () => {
    let tokens = 0;
    for await (const frame of watched.events({ signal: leave.signal })) {
      if (frame.kind === "delta") tokens++;
      if (frame.kind !== "event" || frame.type !== "run_succeeded") continue;
      turns.push(`saw the turn live, ${tokens} tokens and the events up to ${frame.seq}`);
      tokens = 0;
      heard?.();
    }
  })();
  return {
    async turn(): Promise<string> {
      if (turns.length === 0) await new Promise<void>((resolve) => (heard = resolve));
      return turns.shift() ?? "";
    },
    async leave(): Promise<void> {
      leave.abort();
      await watching;
    },
  };
}
