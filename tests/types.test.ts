/**
 * Types flow from the schemas to every call. The compiler is the test: `npm run check` compiles this file, and each call
 * that must not compile is marked with @ts-expect-error. At run time only the shape of the assertions is exercised.
 */

import type {
  CheckpointKind,
  Engine,
  EventFrame,
  HeddleErrorCode,
  InputOf,
  Json,
  JsonObject,
  OutputOf,
  Run,
  RunHandle,
  RunOutcome,
  ThreadFrame,
  ThreadHandle,
  ThreadStatus,
  ValuesOf,
} from "@heddle/core";
import { createEngine, defineAgent, HeddleError, memoryStorage, REMOVE } from "@heddle/core";
import type { SqliteHost } from "@heddle/storage-sqlite";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { expectTypeOf, test } from "vitest";
import { z } from "zod";

const Message = z.object({ role: z.enum(["user", "assistant"]), text: z.string() });

const chat = defineAgent({
  name: "chat",
  input: z.object({
    message: z.string(),
    at: z.string().transform((text) => new Date(text)),
    tries: z.number().default(1),
  }),
  values: z.object({ messages: z.array(Message).default([]), topic: z.string().optional() }),
  output: z.object({ reply: z.string(), count: z.string().transform(Number) }),
  config: z.object({ model: z.string() }).optional(),
  run: async ({ input, values, config, checkpoint, emit, delta, signal, runId, threadId, attempt, metadata }) => {
    expectTypeOf(input).toEqualTypeOf<{ message: string; at: Date; tries: number }>();
    expectTypeOf(values).toEqualTypeOf<{
      messages: { role: "user" | "assistant"; text: string }[];
      topic?: string | undefined;
    }>();
    expectTypeOf(config).toEqualTypeOf<{ model: string } | undefined>();
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    expectTypeOf(runId).toEqualTypeOf<string>();
    expectTypeOf(threadId).toEqualTypeOf<string | undefined>();
    expectTypeOf(attempt).toEqualTypeOf<number>();
    expectTypeOf(metadata).toEqualTypeOf<JsonObject>();
    expectTypeOf(await checkpoint({ topic: REMOVE })).toEqualTypeOf<typeof values>();
    // @ts-expect-error: not a key of the values
    void checkpoint({ subject: "tea" });
    // @ts-expect-error: not what the key holds
    void checkpoint({ messages: ["hi"] });
    void emit("assistant_message", { content: "hi" });
    void emit("own", { any: "json" }, { key: "once" });
    delta("assistant_message", { text: "h" }, { messageId: "m1" });
    return {
      output: { reply: "hi", count: "1" },
      values: { messages: [...values.messages, { role: "user", text: input.message }] },
    };
  },
});

const bare = defineAgent({
  name: "bare",
  run: ({ input, values, config }) => {
    expectTypeOf(input).toEqualTypeOf<Json>();
    expectTypeOf(values).toEqualTypeOf<JsonObject>();
    expectTypeOf(config).toEqualTypeOf<Json>();
    return { output: 1 };
  },
});

/** Compiled, never run. */
export async function mustCompile(engine: Engine, thread: ThreadHandle): Promise<void> {
  const run = await engine.runs.start(chat, { message: "hi", at: "2030-01-01" }, { config: { model: "small" } });
  expectTypeOf(run).toEqualTypeOf<RunHandle<{ reply: string; count: number }>>();
  expectTypeOf(await run.result()).toEqualTypeOf<{ reply: string; count: number }>();
  const outcome = await run.settled();
  expectTypeOf(outcome).toEqualTypeOf<RunOutcome<{ reply: string; count: number }>>();
  if (outcome.status === "succeeded") expectTypeOf(outcome.output.count).toEqualTypeOf<number>();
  if (outcome.status === "failed") expectTypeOf(outcome.error.message).toEqualTypeOf<string>();
  // @ts-expect-error: a failed run has no output
  if (outcome.status === "failed") void outcome.output;
  expectTypeOf(await (await thread.start(chat, { message: "hi", at: "", tries: 2 })).result()).toEqualTypeOf<{
    reply: string;
    count: number;
  }>();

  // @ts-expect-error: input lacks a field
  void engine.runs.start(chat, { message: "hi" });
  // @ts-expect-error: a field has the wrong type
  void engine.runs.start(chat, { message: 5, at: "" });
  // @ts-expect-error: a field that there is not
  void engine.runs.start(chat, { message: "hi", at: "", more: 1 });
  // @ts-expect-error: input is not optional
  void engine.runs.start(chat);
  // @ts-expect-error: config breaks its schema
  void engine.runs.start(chat, { message: "hi", at: "" }, { config: { model: 1 } });
  // @ts-expect-error: an option that there is not
  void engine.runs.start(chat, { message: "hi", at: "" }, { delays: 5 });
  // @ts-expect-error: a thread's option on a stateless run
  void engine.runs.start(chat, { message: "hi", at: "" }, { whenBusy: "enqueue" });
  // @ts-expect-error: a stateless run's option in a thread
  void thread.start(chat, { message: "hi", at: "" }, { onCompletion: "delete" });
  // @ts-expect-error: a strategy that there is not
  void thread.start(chat, { message: "hi", at: "" }, { whenBusy: "wait" });
  // Without a schema any input compiles; what JSON cannot hold is refused at run time.
  void engine.runs.start(bare, { some: new Set([1]) });

  expectTypeOf(await thread.values()).toEqualTypeOf<JsonObject>();
  expectTypeOf(await thread.values(chat)).toEqualTypeOf<{
    messages: { role: "user" | "assistant"; text: string }[];
    topic?: string | undefined;
  }>();
  expectTypeOf((await thread.history())[0]?.kind).toEqualTypeOf<CheckpointKind | undefined>();
  expectTypeOf((await thread.info()).status).toEqualTypeOf<ThreadStatus>();
  expectTypeOf(await (await engine.runs.get(run.id)).result()).toEqualTypeOf<unknown>();
  expectTypeOf(await (await engine.runs.get<{ reply: string }>(run.id)).result()).toEqualTypeOf<{ reply: string }>();
  for await (const frame of thread.events()) {
    expectTypeOf(frame).toEqualTypeOf<ThreadFrame>();
    if (frame.kind === "event") expectTypeOf(frame).toEqualTypeOf<EventFrame>();
    if (frame.kind === "dropped") expectTypeOf(frame.count).toEqualTypeOf<number>();
  }
  // @ts-expect-error: an order that there is not
  void engine.threads.list({ sortBy: "title" });
  // @ts-expect-error: search is by scalars
  void engine.threads.list({ metadata: { tags: ["a"] } });
  // @ts-expect-error: cancel all must be said
  void engine.runs.cancelMany();
}

/** A run is a union by status: each has only its own fields. */
export function fieldsOf(run: Run): unknown {
  // @ts-expect-error: only a succeeded run has an output
  void run.output;
  switch (run.status) {
    case "succeeded":
      return run.output;
    case "failed":
      return run.error.code;
    case "canceled":
      return run.reason.kind;
    case "running":
      return run.leaseUntil.getTime();
    case "pending":
      return run.waiting;
    case "interrupted":
      return run.settledAt;
  }
}

export function definitions(): void {
  // @ts-expect-error: output breaks its schema
  defineAgent({ name: "a", output: z.number(), run: () => ({ output: "text" }) });
  // @ts-expect-error: values break their schema
  defineAgent({ name: "a", values: z.object({ n: z.number() }), run: () => ({ values: { n: "text" } }) });
  // A literal in what the agent returns is taken as the schema asks for it.
  defineAgent({
    name: "a",
    output: Message,
    run: async ({ runId }) => ({ output: { role: "assistant", text: runId } }),
  });
  // @ts-expect-error: not one of the schema's literals
  defineAgent({ name: "a", output: Message, run: async ({ runId }) => ({ output: { role: "robot", text: runId } }) });
  // @ts-expect-error: without a name
  defineAgent({ run: () => {} });
  // @ts-expect-error: without code
  defineAgent({ name: "a" });
  // @ts-expect-error: a setting that there is not
  createEngine({ storage: memoryStorage(), concurency: 5 });
  // @ts-expect-error: without a storage
  createEngine({ agents: [bare] });
}

export function hosts(): void {
  const onSqlite = createEngine({ storage: sqliteStorage("agents.db"), agents: [chat, bare] });
  expectTypeOf(onSqlite).toEqualTypeOf<Engine<SqliteHost>>();
  void onSqlite
    .transaction(async (tx) => {
      expectTypeOf(tx.host).toEqualTypeOf<SqliteHost>();
      await onSqlite.runs.start(chat, { message: "hi", at: "" }, { tx });
      return 5 as const;
    })
    .then((result) => expectTypeOf(result).toEqualTypeOf<5>());
  const undo = onSqlite.on("run_failed", ({ run }) => expectTypeOf(run).toEqualTypeOf<Run>());
  onSqlite.on("error", ({ error, during }) => {
    expectTypeOf(error).toEqualTypeOf<unknown>();
    expectTypeOf(during).toEqualTypeOf<string>();
  });
  expectTypeOf(undo).toEqualTypeOf<() => void>();
  // @ts-expect-error: an event that there is not
  onSqlite.on("run_begun", () => {});
}

test("helper types read an agent's schemas, and nothing is any", () => {
  expectTypeOf<InputOf<typeof chat>>().toEqualTypeOf<{ message: string; at: string; tries?: number | undefined }>();
  expectTypeOf<OutputOf<typeof chat>>().toEqualTypeOf<{ reply: string; count: number }>();
  expectTypeOf<ValuesOf<typeof chat>>().toEqualTypeOf<{
    messages: { role: "user" | "assistant"; text: string }[];
    topic?: string | undefined;
  }>();
  expectTypeOf<InputOf<typeof bare>>().toBeUnknown();
  expectTypeOf<OutputOf<typeof bare>>().toEqualTypeOf<Json>();
  expectTypeOf<OutputOf<typeof bare>>().not.toBeAny();
  expectTypeOf<Parameters<ThreadHandle["update"]>[0]>().not.toBeAny();
  expectTypeOf<Awaited<ReturnType<RunHandle["info"]>>>().not.toBeAny();
  expectTypeOf<Awaited<ReturnType<RunHandle["result"]>>>().toBeUnknown();
  expectTypeOf<EventFrame["payload"]>().toEqualTypeOf<Json>();
});

test("an error's code is narrowed by its guard", () => {
  const error: unknown = new HeddleError("THREAD_BUSY", "busy");
  if (HeddleError.is(error, "THREAD_BUSY")) expectTypeOf(error.code).toEqualTypeOf<"THREAD_BUSY">();
  if (HeddleError.is(error)) expectTypeOf(error.code).toEqualTypeOf<HeddleErrorCode>();
  // @ts-expect-error: a code that there is not
  HeddleError.is(error, "NO_SUCH_CODE");
});
