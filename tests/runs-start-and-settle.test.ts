/** `start` returns a handle at once; `result`, `settled` and `events` tell how the run ended, whoever asks and when. */

import { defineAgent } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { namesOf, read, seqsOf } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import { isPending, refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const greeter = defineAgent({
  name: "greeter",
  input: z.object({ name: z.string(), times: z.number().default(1) }),
  output: z.object({ text: z.string() }),
  config: z.object({ mark: z.string().default("!") }).optional(),
  run: ({ input, config }) => ({ output: { text: `Hello ${input.name}${(config?.mark ?? "!").repeat(input.times)}` } }),
});

onEveryStorage("a run starts and settles", (kind) => {
  test("the handle comes at once, the result when the agent returned", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, { question: 1 });
    const result = run.result();
    const turn = await worker.next();
    expect(await isPending(result)).toBe(true);
    expect(await run.info()).toMatchObject({ status: "running", attempt: 1, input: { question: 1 } });
    turn.finish({ output: { answer: 42 } });
    expect(await result).toEqual({ answer: 42 });
    expect(await run.settled()).toEqual({ status: "succeeded", output: { answer: 42 } });
    expect(await run.info()).toMatchObject({ status: "succeeded", output: { answer: 42 }, failures: 0, crashes: 0 });
  });

  test("the agent gets its input, config and metadata, with the schema's defaults", async () => {
    const { engine } = await setUp(kind, { agents: [greeter] });
    const run = await engine.runs.start(greeter, { name: "Ada" }, { config: { mark: "?" }, metadata: { user: "u1" } });
    expect(await run.result()).toEqual({ text: "Hello Ada?" });
    expect(await run.info()).toMatchObject({ input: { name: "Ada" }, config: { mark: "?" }, metadata: { user: "u1" } });
    const other = await engine.runs.start(greeter, { name: "Bob", times: 3 });
    expect(await other.result()).toEqual({ text: "Hello Bob!!!" });
  });

  test("the context says which run it is", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null, { metadata: { a: [1] } });
    const { context, finish } = await worker.next();
    expect(context).toMatchObject({
      runId: run.id,
      threadId: undefined,
      attempt: 1,
      metadata: { a: [1] },
      input: null,
    });
    expect(context.signal.aborted).toBe(false);
    finish();
    await run.result();
  });

  test("an agent that returns nothing succeeds with null", async () => {
    const quiet = defineAgent({ name: "quiet", run: () => {} });
    const { engine } = await setUp(kind, { agents: [quiet] });
    const run = await engine.runs.start(quiet, null);
    expect(await run.result()).toBeNull();
  });

  test("what the agent throws is the run's error, and result() throws RUN_FAILED with it", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    (await worker.next()).fail(new TypeError("no such tool"));
    const error = await refusal("RUN_FAILED", () => run.result());
    expect(error.message).toContain("no such tool");
    expect(error.details.error).toMatchObject({ code: "AGENT_ERROR", name: "TypeError", message: "no such tool" });
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code: "AGENT_ERROR" } });
    expect(await run.info()).toMatchObject({ status: "failed", failures: 1, crashes: 0 });
  });

  test.each([
    ["a string", "boom", "boom"],
    ["undefined", undefined, "undefined"],
    ["an object", { reason: 1 }, "[object Object]"],
    [
      "an object that cannot be shown",
      {
        toString: () => {
          throw new Error();
        },
      },
      "an object",
    ],
    ["a very long message", new Error("x".repeat(100_000)), "x".repeat(1_000)],
    ["hostile text", new Error("nul \u0000 half \ud800"), "nul \u0000"],
  ])("an agent may throw %s", async (_, thrown, message) => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    (await worker.next()).fail(thrown);
    const outcome = await run.settled();
    expect(outcome).toMatchObject({ status: "failed", error: { code: "AGENT_ERROR" } });
    expect(outcome.status === "failed" && outcome.error.message).toContain(message);
    expect(outcome.status === "failed" && outcome.error.message.length).toBeLessThan(20_000);
  });

  test("an agent that throws before it returns a promise fails its run only", async () => {
    const hasty = defineAgent({
      name: "hasty",
      run: () => {
        throw new Error("at once");
      },
    });
    const { engine } = await setUp(kind, { agents: [hasty, greeter] });
    const run = await engine.runs.start(hasty, null);
    expect(await run.settled()).toMatchObject({ status: "failed", error: { message: "at once" } });
    expect(await (await engine.runs.start(greeter, { name: "Ada" })).result()).toEqual({ text: "Hello Ada!" });
  });

  test("output that breaks the schema fails the run and names the path", async () => {
    const liar = defineAgent({
      name: "liar",
      output: z.object({ items: z.array(z.object({ n: z.number() })) }),
      run: () => ({ output: { items: [{ n: 1 }, { n: "two" }] } }) as never,
    });
    const { engine } = await setUp(kind, { agents: [liar] });
    const run = await engine.runs.start(liar, null);
    const outcome = await run.settled();
    expect(outcome).toMatchObject({ status: "failed", error: { code: "INVALID_OUTPUT" } });
    expect(outcome.status === "failed" && outcome.error.details?.path).toBe("output.items[1].n");
  });

  test.each([
    ["a BigInt", { n: 1n }, "INVALID_JSON"],
    ["a function", { f: () => {} }, "INVALID_JSON"],
    ["NaN", [Number.NaN], "INVALID_JSON"],
    ["a Map", new Map(), "INVALID_JSON"],
    ["a Date", { at: new Date() }, "INVALID_JSON"],
  ])("output that JSON cannot hold fails the run: %s", async (_, output, code) => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    (await worker.next()).finish({ output: output as never });
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code } });
  });

  test("a return value that is no { output, values } fails the run", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    (await worker.next()).finish("just text" as never);
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code: "INVALID_OUTPUT" } });
  });

  test("output too large fails the run with TOO_LARGE", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent], limits: { output: 100 } });
    const run = await engine.runs.start(worker.agent, null);
    (await worker.next()).finish({ output: "ü".repeat(60) });
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code: "TOO_LARGE" } });
    const fits = await engine.runs.start(worker.agent, null);
    (await worker.next()).finish({ output: "ü".repeat(49) });
    expect(await fits.settled()).toMatchObject({ status: "succeeded" });
  });

  test("input that breaks the schema is refused, names the path, and starts nothing", async () => {
    const { engine } = await setUp(kind, { agents: [greeter] });
    const error = await refusal("INVALID_INPUT", () => engine.runs.start(greeter, { name: 5 } as never));
    expect(error.details.path).toBe("input.name");
    const config = await refusal("INVALID_CONFIG", () =>
      engine.runs.start(greeter, { name: "A" }, { config: { mark: 1 } as never }),
    );
    expect(config.details.path).toBe("config.mark");
    expect(await engine.runs.count()).toBe(0);
  });

  test("the input is stored as it was given and parsed by the schema for each attempt", async () => {
    const seen: unknown[] = [];
    const dated = defineAgent({
      name: "dated",
      input: z.object({ at: z.string().transform((text) => new Date(text)) }),
      retry: { maxFailures: 2, jitter: "none" },
      run: ({ input, attempt }) => {
        seen.push(input.at);
        if (attempt === 1) throw new Error("again");
        return { output: input.at.getTime() };
      },
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [dated] });
    const run = await engine.runs.start(dated, { at: "2030-01-02T00:00:00Z" });
    await runUntilIdle();
    expect(await run.result()).toBe(Date.UTC(2030, 0, 2));
    expect(seen).toEqual([new Date(Date.UTC(2030, 0, 2)), new Date(Date.UTC(2030, 0, 2))]);
    expect((await run.info()).input).toEqual({ at: "2030-01-02T00:00:00Z" });
  });

  test("any number of waiters, before and after the end, get the same answer", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    const again = await engine.runs.get(run.id);
    const early = [
      run.result(),
      run.result(),
      again.result(),
      run.settled().then((o) => o.status === "succeeded" && o.output),
    ];
    (await worker.next()).finish({ output: "done" });
    expect(await Promise.all(early)).toEqual(["done", "done", "done", "done"]);
    const late = await engine.runs.get(run.id);
    expect(await late.result()).toBe("done");
    expect(await again.result()).toBe("done");
  });

  test("the events of a run are its lifecycle, numbered from 1 without gaps, with one terminal event", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    const live = read(run.events());
    const turn = await worker.next();
    await turn.context.emit("log", { level: "info", message: "half way" });
    turn.finish({ output: { ok: true } });
    const frames = await live.ended;
    expect(namesOf(frames)).toEqual(["run_started", "log", "run_succeeded"]);
    expect(seqsOf(frames)).toEqual([1, 2, 3]);
    expect(frames[0]).toMatchObject({ runId: run.id, attempt: 1, payload: { agent: "worker" } });
    expect(frames.at(-1)).toMatchObject({ payload: { output: { ok: true } } });
    const later = await read(run.events()).ended;
    expect(later).toEqual(frames);
  });

  test("the terminal event says why a run failed or was canceled", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const failed = await engine.runs.start(worker.agent, null);
    (await worker.next()).fail(new Error("boom"));
    expect((await read(failed.events()).ended).at(-1)).toMatchObject({
      type: "run_failed",
      payload: { error: { code: "AGENT_ERROR", message: "boom" } },
    });
    const canceled = await engine.runs.start(worker.agent, null, { delay: 1_000 });
    await canceled.cancel({ note: "changed my mind" });
    expect(await read(canceled.events()).ended).toMatchObject([
      { seq: 1, type: "run_canceled", payload: { reason: { kind: "user", note: "changed my mind" } } },
    ]);
  });

  test("the run's record has its times, and each status only its own fields", async () => {
    const worker = handDriven();
    const { engine, clock, advance } = await setUp(kind, { agents: [worker.agent] });
    const createdAt = new Date(clock.now());
    const run = await engine.runs.start(worker.agent, null);
    const turn = await worker.next();
    expect(await run.info()).toMatchObject({
      createdAt,
      startedAt: createdAt,
      leaseUntil: new Date(clock.now() + 15_000),
    });
    await advance(1_000);
    turn.finish();
    await run.result();
    const info = await run.info();
    expect(info).toMatchObject({ status: "succeeded", createdAt, settledAt: new Date(clock.now()) });
    for (const field of ["worker", "leaseUntil", "availableAt", "waiting", "error", "reason"])
      expect(info).not.toHaveProperty(field);
  });

  test("a settled run never changes: late words of its agent are not heard", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    const { context, finish } = await worker.next();
    finish({ output: 1 });
    await run.result();
    const before = [await run.info(), await read(run.events()).ended];
    await refusal("LEASE_LOST", () => context.emit("log", { level: "info", message: "late" }));
    await refusal("LEASE_LOST", () => context.checkpoint({ late: true }));
    context.delta("assistant_message", { text: "late" });
    await quiet();
    expect([await run.info(), await read(run.events()).ended]).toEqual(before);
  });

  test("runs of agents that share an engine do not mix", async () => {
    const doubler = defineAgent({
      name: "doubler",
      input: z.number(),
      output: z.number(),
      run: ({ input }) => ({ output: 2 * input }),
    });
    const { engine } = await setUp(kind, { agents: [doubler, greeter] });
    const runs = await Promise.all(Array.from({ length: 20 }, (_, n) => engine.runs.start(doubler, n)));
    const greeting = await engine.runs.start(greeter, { name: "Ada" });
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(Array.from({ length: 20 }, (_, n) => 2 * n));
    expect(await greeting.result()).toEqual({ text: "Hello Ada!" });
    expect(new Set(runs.map((run) => run.id)).size).toBe(20);
  });

  test("an agent that no engine has is refused; a run of it that is there waits for an engine that has it", async () => {
    const worker = handDriven();
    const { engine, join } = await setUp(kind, { agents: [greeter] });
    const error = await refusal("UNKNOWN_AGENT", () => engine.runs.start(worker.agent, null));
    expect(error.details).toEqual({ agent: "worker", known: ["greeter"] });
    expect(await engine.runs.count()).toBe(0);
    const starter = await join({ agents: [worker.agent], work: false });
    const run = await starter.engine.runs.start(worker.agent, null);
    await starter.advance(60_000);
    expect(await run.info()).toMatchObject({ status: "pending", waiting: "ready" });
    const helper = await join({ agents: [worker.agent] });
    (await worker.next()).finish({ output: "late but there" });
    await helper.quiet();
    expect(await run.result()).toBe("late but there");
  });

  describe("waiting with a signal", () => {
    test("ends the wait with the signal's reason, not the run", async () => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      const run = await engine.runs.start(worker.agent, null);
      const turn = await worker.next();
      const abort = new AbortController();
      const waiting = run.result({ signal: abort.signal });
      abort.abort(new Error("enough"));
      await expect(waiting).rejects.toThrow("enough");
      await expect(run.settled({ signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
      turn.finish({ output: 7 });
      expect(await run.result()).toBe(7);
      expect(turn.context.signal.aborted).toBe(false);
    });

    test("an aborted signal does not spoil an answer that is there", async () => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      const run = await engine.runs.start(worker.agent, null);
      const abort = new AbortController();
      const waiting = run.result({ signal: abort.signal, onDisconnect: "cancel" });
      (await worker.next()).finish({ output: 7 });
      expect(await waiting).toBe(7);
      abort.abort();
      expect(await run.settled()).toEqual({ status: "succeeded", output: 7 });
    });
  });

  test("runs are found again: get, list, count, by status, agent, metadata and ids", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent, greeter] });
    const thread = await engine.threads.create();
    const a = await engine.runs.start(greeter, { name: "A" }, { metadata: { user: "u1", n: 1, on: true } });
    const b = await engine.runs.start(worker.agent, null, { metadata: { user: "u1", n: 2 } });
    const c = await thread.start(worker.agent, null, { metadata: { user: "u2" } });
    await a.result();
    await quiet();
    const ids = async (filter: Parameters<typeof engine.runs.list>[0]) =>
      (await engine.runs.list(filter)).items.map(({ id }) => id);
    expect(await ids({ order: "asc" })).toEqual([a.id, b.id, c.id]);
    expect(await ids({})).toEqual([c.id, b.id, a.id]);
    expect(await ids({ status: "succeeded" })).toEqual([a.id]);
    expect(await ids({ status: ["running", "pending"], order: "asc" })).toEqual([b.id, c.id]);
    expect(await ids({ agent: "greeter" })).toEqual([a.id]);
    expect(await ids({ threadId: null, order: "asc" })).toEqual([a.id, b.id]);
    expect(await ids({ threadId: thread.id })).toEqual([c.id]);
    expect(await ids({ metadata: { user: "u1", n: 2 } })).toEqual([b.id]);
    expect(await ids({ metadata: { on: true } })).toEqual([a.id]);
    expect(await ids({ metadata: { n: "1" } })).toEqual([]);
    expect(await ids({ ids: [c.id, a.id, "run_none"], order: "asc" })).toEqual([a.id, c.id]);
    expect(await engine.runs.count({ status: "running" })).toBe(2);
    expect((await engine.runs.get(c.id)).threadId).toBe(thread.id);
    await refusal("RUN_NOT_FOUND", () => engine.runs.get("run_none"));
    for (const turn of worker.turns) turn.finish();
    await c.result();
  });

  test("paging shows every run once, also while runs are added", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent], work: false });
    const started: string[] = [];
    for (let n = 0; n < 7; n++) started.push((await engine.runs.start(worker.agent, n)).id);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await engine.runs.list({ limit: 3, ...(cursor && { cursor }) });
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
      await engine.runs.start(worker.agent, "later");
    } while (cursor !== undefined);
    expect(seen).toEqual(started.toReversed());
    expect((await engine.runs.list({ limit: 1_000 })).items.length).toBe(10);
  });

  test("a settled run can be deleted, an unsettled one cannot", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    const turn = await worker.next();
    const error = await refusal("RUN_ACTIVE", () => run.delete());
    expect(error.details).toEqual({ runId: run.id, status: "running" });
    turn.finish({ output: 1 });
    await run.result();
    await engine.runs.delete(run.id);
    await refusal("RUN_NOT_FOUND", () => run.info());
    await refusal("RUN_NOT_FOUND", () => run.delete());
    await refusal("RUN_NOT_FOUND", () => engine.runs.get(run.id));
    await refusal("RUN_NOT_FOUND", () => run.events().next());
    expect(await run.result(), "who waited before still knows").toBe(1);
  });

  test("a deleted run of a thread leaves its numbers and its checkpoint, and takes its payloads along", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(worker.agent, null);
    const { context, finish } = await worker.next();
    await context.emit("log", { level: "info", message: "secret" });
    finish({ output: "secret", values: { kept: true } });
    await run.result();
    await run.delete();
    const abort = new AbortController();
    const replay = read(thread.events({ after: 0, signal: abort.signal }));
    await quiet();
    abort.abort();
    const frames = await replay.ended;
    expect(namesOf(frames)).toEqual(["run_started", "log", "values_updated", "run_succeeded"]);
    expect(seqsOf(frames)).toEqual([1, 2, 3, 4]);
    expect(JSON.stringify(frames)).not.toContain("secret");
    expect(await thread.values()).toEqual({ kept: true });
    expect(await thread.history()).toHaveLength(1);
  });
});
