/** A step is done once per lineage: whatever is retried, crashes or resumes gets the stored result. */

import { defineAgent, HeddleError } from "@heddle/core";
import { expect, test } from "vitest";
import { setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

onEveryStorage("steps", (kind) => {
  test("a completed step is not repeated by a retry; its result is the one of the first time", async () => {
    const done: string[] = [];
    const agent = defineAgent({
      name: "worker",
      retry: { maxFailures: 3, delay: 0 },
      run: async ({ step, attempt }) => {
        const note = (key: string) => () => {
          done.push(key);
          return { key, attempt };
        };
        const first = await step("first", note("first"));
        const [a, b] = await Promise.all([step("a", note("a")), step("b", note("b"))]);
        if (attempt < 3) throw new Error("not yet");
        return { output: [first, a, b, await step("last", note("last"))] };
      },
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const run = await engine.runs.start(agent, null);
    await runUntilIdle();
    expect(await run.result()).toEqual([
      { key: "first", attempt: 1 },
      { key: "a", attempt: 1 },
      { key: "b", attempt: 1 },
      { key: "last", attempt: 3 },
    ]);
    expect(done).toEqual(["first", "a", "b", "last"]);
  });

  test("a step that gives nothing gives nothing again", async () => {
    const seen: unknown[] = [];
    const agent = defineAgent({
      name: "silent",
      retry: { maxFailures: 2, delay: 0 },
      run: async ({ step, attempt }) => {
        seen.push(await step("void", () => {}), await step("null", () => null));
        if (attempt === 1) throw new Error("again");
      },
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const run = await engine.runs.start(agent, null);
    await runUntilIdle();
    await run.result();
    expect(seen).toEqual([undefined, null, undefined, null]);
  });

  test("a step is tried as its retry says, on the engine's clock; its failure is the agent's to handle", async () => {
    const at: number[] = [];
    const agent = defineAgent({
      name: "stubborn",
      run: async ({ step }) => {
        const retry = { maxFailures: 4, delay: 100, jitter: "none" } as const;
        const tries = await step("flaky", ({ tries }) => fail(tries, 4), { retry });
        const lost = await step("hopeless", ({ tries }) => fail(tries, 9), {
          retry: { ...retry, maxFailures: 2 },
        }).catch((error: Error) => error.message);
        return { output: { tries, lost } };
      },
    });
    const { engine, clock, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const fail = (tries: number, succeedsAt: number): number => {
      at.push(clock.now());
      if (tries < succeedsAt) throw new Error(`try ${tries}`);
      return tries;
    };
    const run = await engine.runs.start(agent, null);
    await runUntilIdle();
    expect(await run.result()).toEqual({ tries: 4, lost: "try 2" });
    expect(at.slice(1).map((time, index) => time - (at[index] ?? 0))).toEqual([100, 200, 400, 0, 100]);
    expect(await run.info()).toMatchObject({ attempt: 1, failures: 0 });
  });

  test("a step that takes too long fails with STEP_TIMEOUT, and its signal aborts with it", async () => {
    const reasons: unknown[] = [];
    const agent = defineAgent({
      name: "slow",
      run: async ({ step }) => {
        const work = ({ signal }: { signal: AbortSignal }) =>
          new Promise<never>(() => signal.addEventListener("abort", () => reasons.push(signal.reason)));
        await step("hangs", work, { timeout: 1_000, retry: { maxFailures: 2, delay: 0 } });
      },
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const run = await engine.runs.start(agent, null);
    await runUntilIdle();
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code: "STEP_TIMEOUT" } });
    expect(reasons.map((reason) => HeddleError.is(reason, "STEP_TIMEOUT"))).toEqual([true, true]);
  });

  test.each([
    ["a key that is used twice", "DUPLICATE_KEY", (step: Step) => step("a", () => 1).then(() => step("a", () => 2))],
    ["a result that JSON cannot hold", "INVALID_JSON", (step: Step) => step("a", () => new Map())],
    ["a result that is too large", "TOO_LARGE", (step: Step) => step("a", () => "x".repeat(101))],
    ["an empty key", "INVALID_ID", (step: Step) => step("", () => 1)],
    ["no function", "INVALID_ARGUMENT", (step: Step) => step("a", "work" as never)],
    ["a timeout of nothing", "INVALID_ARGUMENT", (step: Step) => step("a", () => 1, { timeout: 0 })],
  ])("%s is refused: %s", async (_, code, use) => {
    const agent = defineAgent({ name: "wrong", run: async ({ step }) => void (await use(step)) });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent], limits: { step: 100 } });
    const run = await engine.runs.start(agent, null);
    await runUntilIdle();
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code } });
  });
});

type Step = <Result>(key: string, work: () => Result, options?: { timeout?: number }) => Promise<Result>;
