/** An interrupt settles the run and holds nothing; an answer, given once, goes on from it. */

import { defineAgent, HeddleError } from "@heddle/core";
import { expect, test } from "vitest";
import { z } from "zod";
import { namesOf, read } from "./frames.js";
import { refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const approval = z.object({ approved: z.boolean(), note: z.string().optional() });

/** Asks before it sends; counts what it does. */
function sender() {
  const done: string[] = [];
  const agent = defineAgent({
    name: "sender",
    input: z.object({ to: z.string() }),
    values: z.object({ sent: z.array(z.string()).default([]) }),
    retry: { maxFailures: 2, delay: 0 },
    run: async ({ input, values, step, interrupt, resumed }) => {
      const draft = await step("draft", () => {
        done.push("draft");
        return `Dear ${input.to}`;
      });
      const { approved } = await interrupt("approve", { draft }, { schema: approval });
      if (!approved) return { output: "not sent" };
      await step("send", () => void done.push("send"));
      return { output: resumed ? "sent" : "not asked", values: { sent: [...values.sent, input.to] } };
    },
  });
  return { agent, done };
}

/** Asks two things at once, then sums up. */
const pair = defineAgent({
  name: "pair",
  run: async ({ interrupt }) => {
    const answers = await Promise.all([interrupt("left", "left?"), interrupt("right", "right?")]);
    return { output: answers };
  },
});

onEveryStorage("interrupts", (kind) => {
  test("the run settles as interrupted, with its question on thread and run; nothing of it stays", async () => {
    const { agent } = sender();
    const world = await setUp(kind, { agents: [agent] });
    const thread = await world.engine.threads.create();
    const run = await thread.start(agent, { to: "Ann" });
    await world.runUntilIdle();
    const id = `${run.id}/approve`;
    expect(await run.settled()).toMatchObject({
      status: "interrupted",
      questions: [{ id, key: "approve", payload: { draft: "Dear Ann" } }],
    });
    const error = await refusal("RUN_INTERRUPTED", () => run.result());
    expect(error.details).toMatchObject({ questions: [{ id }] });
    expect(await thread.info()).toMatchObject({ status: "interrupted" });
    const [question] = await thread.questions();
    expect(question).toMatchObject({
      id,
      key: "approve",
      runId: run.id,
      status: "open",
      payload: { draft: "Dear Ann" },
    });
    expect(question?.schema).toMatchObject({ type: "object", required: ["approved"] });
    expect(await run.questions()).toEqual([question]);
    expect(world.engine.attempts).toBe(0);
    expect(world.clock.nextTimer("work")).toBeUndefined();
    expect(namesOf(await read(run.events()).ended)).toEqual(["run_started", "run_interrupted"]);
  });

  test("the answer starts the next run of the lineage, in which the same call returns it; steps are not repeated", async () => {
    const { agent, done } = sender();
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(agent, { to: "Ann" }, { metadata: { tag: 1 } });
    await runUntilIdle();
    const next = await thread.resume({ approved: true });
    await runUntilIdle();
    expect(await next.result()).toBe("sent");
    expect(await next.info()).toMatchObject({ lineageId: run.id, input: { to: "Ann" }, metadata: { tag: 1 } });
    expect(await thread.values()).toEqual({ sent: ["Ann"] });
    expect(done).toEqual(["draft", "send"]);
    expect(await thread.questions()).toEqual([]);
    expect(await run.questions()).toMatchObject([{ status: "answered", answer: { approved: true } }]);
    expect((await run.settled()).status).toBe("interrupted");
  });

  test("a stateless run is answered on its handle", async () => {
    const { agent } = sender();
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const run = await engine.runs.start(agent, { to: "Ann" });
    await runUntilIdle();
    const next = await run.resume({ approved: true });
    await runUntilIdle();
    expect(await next.result()).toBe("sent");
    expect(await next.values()).toEqual({ sent: ["Ann"] });
  });

  test("questions that are asked at once are all stored; partial answers ask the rest again, under the same id", async () => {
    const { engine, runUntilIdle } = await setUp(kind, { agents: [pair] });
    const thread = await engine.threads.create();
    const run = await thread.start(pair, null);
    await runUntilIdle();
    expect((await thread.questions()).map(({ key }) => key)).toEqual(["left", "right"]);
    const error = await refusal("INVALID_ARGUMENT", () => thread.resume(1));
    expect(error.details).toMatchObject({ questionIds: [`${run.id}/left`, `${run.id}/right`] });
    const second = await thread.answer({ left: "L" });
    await runUntilIdle();
    expect((await second.settled()).status).toBe("interrupted");
    expect((await thread.questions()).map(({ id, runId }) => [id, runId])).toEqual([[`${run.id}/right`, second.id]]);
    const third = await thread.resume("R");
    await runUntilIdle();
    expect(await third.result()).toEqual(["L", "R"]);
  });

  test("several answers at once, by id", async () => {
    const { engine, runUntilIdle } = await setUp(kind, { agents: [pair] });
    const run = await engine.runs.start(pair, null);
    await runUntilIdle();
    const next = await run.answer({ [`${run.id}/left`]: 1, right: 2 });
    await runUntilIdle();
    expect(await next.result()).toEqual([1, 2]);
  });

  test("an answer that comes while a run of the lineage works is not lost", async () => {
    let go = (): void => {};
    const held = defineAgent({
      name: "held",
      run: async ({ interrupt, step, resumed }) => {
        if (!resumed) await Promise.all([interrupt("first", 1), interrupt("second", 2)]);
        const first = await interrupt("first", 1);
        const hold = (): Promise<void> =>
          new Promise((resolve) => {
            go = resolve;
          });
        await step("hold", hold);
        return { output: [first, await interrupt("second", 2)] };
      },
    });
    const { engine, quiet, runUntilIdle } = await setUp(kind, { agents: [held] });
    const run = await engine.runs.start(held, null);
    await runUntilIdle();
    const second = await run.answer({ first: "a" });
    await quiet();
    const stored = await run.answer({ second: "b" });
    expect(stored.id).toBe(second.id);
    go();
    await runUntilIdle();
    expect((await second.settled()).status).toBe("interrupted");
    const runs = await engine.runs.list({});
    const last = runs.items.find((one) => one.status === "succeeded");
    expect(last).toMatchObject({ lineageId: run.id, output: ["a", "b"] });
  });

  test.each([
    ["no question at all", "QUESTION_NOT_FOUND", { none: 1 }],
    ["an answer that does not fit", "INVALID_ANSWER", { approve: { approved: "yes" } }],
    ["an answer that is no JSON", "INVALID_JSON", { approve: { approved: new Map() } }],
    ["no answer", "INVALID_ARGUMENT", {}],
    ["one that fits and one that is for nobody", "QUESTION_NOT_FOUND", { approve: { approved: true }, none: 1 }],
  ] as const)("%s: %s, and the question is as it was", async (_, code, answers) => {
    const { agent } = sender();
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(agent, { to: "Ann" });
    await runUntilIdle();
    const before = await thread.questions();
    await refusal(code, () => thread.answer(answers));
    await refusal(code, () => run.answer(answers));
    expect(await thread.questions()).toEqual(before);
    expect(await engine.runs.count({})).toBe(1);
  });

  test("answered once is answered; on a thread without questions there is nothing to answer", async () => {
    const { agent } = sender();
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const thread = await engine.threads.create();
    await refusal("QUESTION_NOT_FOUND", () => thread.resume(1));
    const run = await thread.start(agent, { to: "Ann" });
    await runUntilIdle();
    const id = `${run.id}/approve`;
    await thread.answer({ [id]: { approved: false } });
    const error = await refusal("QUESTION_CLOSED", () => thread.answer({ [id]: { approved: true } }));
    expect(error.details).toMatchObject({ status: "answered", questionId: id });
    const other = await engine.threads.create();
    await refusal("QUESTION_NOT_FOUND", () => other.answer({ [id]: { approved: true } }));
  });

  test("of many who answer at once one is first", async () => {
    const { agent, done } = sender();
    const world = await setUp(kind, { agents: [agent] });
    const other = await world.join({ agents: [agent] });
    const thread = await world.engine.threads.create();
    const run = await thread.start(agent, { to: "Ann" });
    await world.runUntilIdle();
    const answers = Array.from({ length: 20 }, async (_, index) => {
      const { engine } = index % 2 === 0 ? world : other;
      return (await engine.threads.get(thread.id)).answer({
        [`${run.id}/approve`]: { approved: true, note: `${index}` },
      });
    });
    const results = await Promise.allSettled(answers);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "QUESTION_CLOSED" });
    }
    await world.runUntilIdle();
    expect(done).toEqual(["draft", "send"]);
    expect(await world.engine.runs.count({})).toBe(2);
  });

  test("after its time is over a question takes no answer, and nothing waits for that", async () => {
    const hasty = defineAgent({
      name: "hasty",
      run: async ({ interrupt }) => ({ output: await interrupt("now", null, { expiresIn: 1_000 }) }),
    });
    const world = await setUp(kind, { agents: [hasty] });
    const thread = await world.engine.threads.create();
    await thread.start(hasty, null);
    await world.runUntilIdle();
    expect(world.clock.nextTimer("work")).toBeUndefined();
    await world.advance(1_000);
    expect(await thread.questions()).toMatchObject([{ status: "expired" }]);
    const error = await refusal("QUESTION_CLOSED", () => thread.resume("late"));
    expect(error.details).toMatchObject({ status: "expired" });
  });

  test("an agent that catches everything cannot go on with any effect", async () => {
    const tried: string[] = [];
    const stubborn = defineAgent({
      name: "stubborn",
      values: z.object({ changed: z.boolean().default(false) }),
      run: async ({ interrupt, emit, delta, checkpoint, step, sleep }) => {
        const attempt = async (name: string, call: () => unknown): Promise<void> => {
          try {
            await call();
            tried.push(`${name} was done`);
          } catch {
            tried.push(name);
          }
        };
        await attempt("interrupt", () => interrupt("may I?", null));
        await attempt("emit", () => emit("went_on", 1));
        await attempt("checkpoint", () => checkpoint({ changed: true }));
        await attempt("step", () => step("late", () => tried.push("the step's code")));
        await attempt("sleep", () => sleep(1));
        delta("late", 1);
        return { output: "done", values: { changed: true } };
      },
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [stubborn] });
    const thread = await engine.threads.create();
    const run = await thread.start(stubborn, null);
    const frames = read(run.events());
    await runUntilIdle();
    expect((await run.settled()).status).toBe("interrupted");
    expect(tried).toEqual(["interrupt", "emit", "checkpoint", "step", "sleep"]);
    expect(await thread.values()).toEqual({});
    expect((await frames.ended).map((frame) => ("type" in frame ? frame.type : frame.kind))).toEqual([
      "run_started",
      "run_interrupted",
    ]);
  });

  test("a key that is used twice is refused, also where the first use got its answer", async () => {
    const codes: unknown[] = [];
    const agent = defineAgent({
      name: "twice",
      run: async ({ interrupt }) => {
        const first = interrupt("a", 1);
        await interrupt("a", 2).catch((error: { code?: string }) => codes.push(error.code));
        await first;
      },
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const run = await engine.runs.start(agent, null);
    await runUntilIdle();
    const next = await run.resume("yes");
    await runUntilIdle();
    await next.result();
    expect(codes).toEqual(["DUPLICATE_KEY", "DUPLICATE_KEY"]);
  });

  test("code that hangs on behind its question holds the run up no longer", async () => {
    let reason: unknown;
    const hanging = defineAgent({
      name: "hanging",
      run: ({ interrupt, signal }) => {
        interrupt("q", null).catch(() => {});
        return new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => {
            reason = signal.reason;
            reject(signal.reason);
          });
        });
      },
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [hanging] });
    const run = await engine.runs.start(hanging, null);
    await runUntilIdle();
    expect((await run.settled()).status).toBe("interrupted");
    expect(reason).toMatchObject({ name: "AttemptEnded" });
  });

  test("steps in flight when a question is asked end first, and are remembered", async () => {
    const done: string[] = [];
    const busy = defineAgent({
      name: "busy",
      run: async ({ interrupt, step, sleep }) => {
        const slow = step("slow", async () => {
          for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
          done.push("slow");
          return "slow";
        });
        const answer = await interrupt("q", null);
        await sleep(0);
        return { output: [await slow, answer] };
      },
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [busy] });
    const run = await engine.runs.start(busy, null);
    await runUntilIdle();
    const next = await run.resume("yes");
    await runUntilIdle();
    expect(await next.result()).toEqual(["slow", "yes"]);
    expect(done).toEqual(["slow"]);
  });

  test("an answer survives the crash of the run that got it", async () => {
    const { agent, done } = sender();
    const first = await setUp(kind, { agents: [agent] });
    const thread = await first.engine.threads.create();
    await thread.start(agent, { to: "Ann" });
    await first.runUntilIdle();
    // Answered by an engine that dies before it can run the next run: no agents, so nobody claims.
    const answering = await first.join({ agents: [] });
    await first.close();
    const next = await (await answering.engine.threads.get(thread.id)).resume({ approved: true });
    await answering.close();
    const last = await first.join({ agents: [agent] });
    await last.runUntilIdle();
    expect(await (await last.engine.runs.get(next.id)).result()).toBe("sent");
    expect(done).toEqual(["draft", "send"]);
  });

  test("other runs of the thread leave its question open; the resumed run sees what they wrote", async () => {
    const { agent } = sender();
    const writer = defineAgent({
      name: "writer",
      values: z.object({ sent: z.array(z.string()).default([]) }),
      run: () => ({ values: { sent: ["Bob"] } }),
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent, writer] });
    const thread = await engine.threads.create();
    await thread.start(agent, { to: "Ann" });
    await runUntilIdle();
    await thread.start(writer, null);
    await runUntilIdle();
    expect(await thread.questions()).toHaveLength(1);
    await thread.resume({ approved: true });
    await runUntilIdle();
    expect(await thread.values()).toEqual({ sent: ["Bob", "Ann"] });
  });

  test("breakpoints stop the run before and after named steps, until it is resumed", async () => {
    const done: string[] = [];
    const agent = defineAgent({
      name: "stepper",
      run: async ({ step }) => {
        for (const key of ["one", "two", "three"]) await step(key, () => void done.push(key));
        return { output: done.length };
      },
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const thread = await engine.threads.create();
    await thread.start(agent, null, { breakpoints: { before: ["two"], after: "*" } });
    const stops: string[] = [];
    for (let stop = 0; stop < 9; stop++) {
      await runUntilIdle();
      const [question] = await thread.questions();
      if (question === undefined) break;
      expect(question.payload).toMatchObject({ step: expect.any(String), breakpoint: expect.any(String) });
      stops.push(`${question.key} ${done.join()}`);
      await thread.resume();
    }
    expect(stops).toEqual([
      "breakpoint:after:one one",
      "breakpoint:before:two one",
      "breakpoint:after:two one,two",
      "breakpoint:after:three one,two,three",
    ]);
    expect((await engine.runs.list({ status: "succeeded" })).items).toMatchObject([{ output: 3 }]);
    await refusal("INVALID_ARGUMENT", () => thread.start(agent, null, { breakpoints: { before: "one" as never } }));
  });

  test.each([
    ["a breakpoint's key", "INVALID_ARGUMENT", { keys: ["breakpoint:before:x"] }],
    ["a payload that is no JSON", "INVALID_JSON", { payload: () => {} }],
    ["a schema that is none", "INVALID_ARGUMENT", { options: { schema: { type: "string" } } }],
    ["a schema that JSON cannot say", "INVALID_ARGUMENT", { options: { schema: z.bigint() } }],
    ["an expiry of nothing", "INVALID_ARGUMENT", { options: { expiresIn: 0 } }],
  ] as const)("%s is refused: %s", async (_, code, wrong: Wrong) => {
    const agent = defineAgent({
      name: "wrong",
      run: async ({ interrupt }) => {
        const { keys = ["a"], payload = null, options } = wrong;
        for (const key of keys) {
          await interrupt(key, payload, options as never).catch((error: Error) => {
            if (HeddleError.is(error)) throw error;
          });
        }
      },
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const run = await engine.runs.start(agent, null);
    await runUntilIdle();
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code } });
  });
});

interface Wrong {
  readonly keys?: readonly string[];
  readonly payload?: unknown;
  readonly options?: unknown;
}
