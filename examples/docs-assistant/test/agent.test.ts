import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngine, memoryStorage, type RunFrame } from "@heddle/core";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { expect, it } from "vitest";
import { docsAssistant } from "../src/agent.js";
import { modelWriter } from "../src/answer/model.js";
import { extractiveWriter } from "../src/answer/writer.js";
import { chunk, serveChatCompletions, startStream } from "./chat-completions-server.js";
import { fixtureLibrary } from "./library.js";

const library = await fixtureLibrary();
const agent = docsAssistant({ library, writer: extractiveWriter(library) });

async function all(frames: AsyncIterable<RunFrame>): Promise<RunFrame[]> {
  const seen: RunFrame[] = [];
  for await (const frame of frames) seen.push(frame);
  return seen;
}

it("answers in a thread: its search and its words are frames, its memory is the thread's values", async () => {
  const engine = createEngine({ storage: memoryStorage(), agents: [agent] });
  await engine.start();
  const thread = await engine.threads.create();

  const turn = await thread.start(agent, { question: "Does kiln serve stale values?" });
  const frames = await all(turn.events());
  const { answer, sources } = await turn.result();

  const types = frames.filter(({ kind }) => kind === "event").map((frame) => "type" in frame && frame.type);
  expect(types).toEqual([
    "run_started",
    "user_message",
    "tool_call",
    "tool_result",
    "assistant_message",
    "values_updated",
    "run_succeeded",
  ]);
  expect(sources.map(({ number }) => number)).toEqual(sources.map((_, index) => index + 1));
  expect(await thread.values(agent)).toMatchObject({
    messages: [{ role: "user" }, { role: "assistant", text: answer }],
    topic: { packages: ["kiln"] },
  });
  await engine.close();
});

it("streams its answer as deltas that add up to the message", async () => {
  const engine = createEngine({ storage: memoryStorage(), agents: [agent] });
  await engine.start();
  const thread = await engine.threads.create();
  const frames = thread.events();
  expect((await frames.next()).value).toMatchObject({ kind: "snapshot" });

  const turn = await thread.start(agent, { question: "What is ferry?" });
  const words: string[] = [];
  for await (const frame of frames) {
    if (frame.kind === "delta") words.push((frame.payload as { text: string }).text);
    if (frame.kind === "event" && frame.type === "run_succeeded") break;
  }
  expect(words.length).toBeGreaterThan(20);
  expect(words.join("")).toBe((await turn.result()).answer);
  await engine.close();
});

it("remembers across restarts of the program", async () => {
  const folder = await mkdtemp(join(tmpdir(), "docs-assistant-"));
  const file = join(folder, "agents.db");
  const answers: string[] = [];
  for (const question of ["Does kiln serve stale values?", "How do I turn it off?"]) {
    const engine = createEngine({ storage: sqliteStorage(file), agents: [agent] });
    await engine.start();
    const thread = await engine.threads.getOrCreate("my-thread");
    answers.push((await (await thread.start(agent, { question })).result()).answer);
    await engine.close();
  }
  expect(answers[1]).toContain("Set `stale` to `false` to disable stale values.");
  await rm(folder, { recursive: true });
});

it("admits that it found nothing, and keeps the subject", async () => {
  const engine = createEngine({ storage: memoryStorage(), agents: [agent] });
  await engine.start();
  const thread = await engine.threads.create();
  for (const question of ["How do I pause a ferry worker?", "Elephants?"])
    await (await thread.start(agent, { question })).result();
  const { messages, topic } = await thread.values(agent);
  expect(messages.at(-1)).toMatchObject({
    text: expect.stringContaining("I found nothing about “elephants”"),
    sources: [],
  });
  expect(topic).toMatchObject({ focus: ["pause", "worker"] });
  await engine.close();
});

it("lets a model write, and stops it when the run is canceled", async () => {
  await using server = await serveChatCompletions((response) => {
    startStream(response);
    response.write(chunk("Let me think"));
  });
  const thinking = docsAssistant({ library, writer: modelWriter({ baseUrl: server.baseUrl, model: "m" }) });
  const engine = createEngine({ storage: memoryStorage(), agents: [thinking] });
  await engine.start();
  const thread = await engine.threads.create();
  const turn = await thread.start(thinking, { question: "What is ferry?" });
  for await (const frame of turn.events()) {
    if (frame.kind === "delta") await turn.cancel();
  }
  await server.hungUp;
  expect(await turn.settled()).toMatchObject({ status: "canceled" });
  expect(await thread.values(thinking)).toMatchObject({ messages: [], topic: null });
  await engine.close();
});

it("fails a turn with the model's reason, and the thread goes on", async () => {
  await using server = await serveChatCompletions((response, { body }) => {
    if (body.messages.at(-1)?.content.includes("kiln")) return void response.writeHead(500).end("melted");
    startStream(response);
    response.end(`${chunk("A job queue [1].")}data: [DONE]\n\n`);
  });
  const unsteady = docsAssistant({ library, writer: modelWriter({ baseUrl: server.baseUrl, model: "m" }) });
  const engine = createEngine({ storage: memoryStorage(), agents: [unsteady] });
  await engine.start();
  const thread = await engine.threads.create();
  const failed = await thread.start(unsteady, { question: "What is kiln?" });
  expect(await failed.settled()).toMatchObject({
    status: "failed",
    error: { message: expect.stringContaining("melted") },
  });
  const next = await thread.start(unsteady, { question: "What is ferry?" });
  expect(await next.result()).toMatchObject({
    answer: "A job queue [1].",
    sources: [{ number: 1, path: "ferry/README.md" }],
  });
  await engine.close();
});

it("refuses an empty question before it becomes a run", async () => {
  const engine = createEngine({ storage: memoryStorage(), agents: [agent] });
  await engine.start();
  const thread = await engine.threads.create();
  await expect(thread.start(agent, { question: "" })).rejects.toMatchObject({ code: "INVALID_INPUT" });
  await engine.close();
});
