/** Retry policy is obeyed to the letter; failures and crashes are counted apart; timeouts and deadlines end attempts. */

import type { RetryPolicy } from "@heddle/core";
import { defineAgent } from "@heddle/core";
import { expect, test } from "vitest";
import { eventsOf, namesOf, read } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import { isPending, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

/** Fails `failures` times, then succeeds with the attempt's number. */
function flaky(failures: number, retry: Partial<RetryPolicy>) {
  const at: number[] = [];
  const clock = { now: () => 0 };
  const agent = defineAgent({
    name: "flaky",
    retry,
    run: ({ attempt }) => {
      at.push(clock.now());
      if (attempt <= failures) throw new Error(`failure ${attempt}`);
      return { output: attempt };
    },
  });
  const waits = (): number[] => at.slice(1).map((time, index) => time - (at[index] ?? 0));
  return { agent, clock, at, waits };
}

onEveryStorage("retries and timeouts", (kind) => {
  test("without a policy a failure is final", async () => {
    const { agent } = flaky(1, {});
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const run = await engine.runs.start(agent, null);
    await runUntilIdle();
    expect(await run.settled()).toMatchObject({ status: "failed", error: { message: "failure 1" } });
    expect(await run.info()).toMatchObject({ attempt: 1, failures: 1, crashes: 0 });
  });

  test("backoff doubles from the first wait up to the longest", async () => {
    const { agent, clock, waits } = flaky(6, { maxFailures: 7, jitter: "none", delay: 1_000, maxDelay: 10_000 });
    const world = await setUp(kind, { agents: [agent] });
    clock.now = () => world.clock.now();
    const run = await world.engine.runs.start(agent, null);
    await world.runUntilIdle();
    expect(await run.result()).toBe(7);
    expect(waits()).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    expect(await run.info()).toMatchObject({ attempt: 7, failures: 6, crashes: 0 });
  });

  test("the limit counts attempts: the last failure is the run's error", async () => {
    const { agent } = flaky(9, { maxFailures: 3, jitter: "none", delay: 10 });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const run = await engine.runs.start(agent, null);
    await runUntilIdle();
    expect(await run.settled()).toMatchObject({ status: "failed", error: { message: "failure 3" } });
    expect(await run.info()).toMatchObject({ attempt: 3, failures: 3 });
  });

  test("full jitter waits between nothing and the whole backoff", async () => {
    const { agent, clock, waits } = flaky(40, { maxFailures: 41, jitter: "full", delay: 1_000, factor: 1 });
    const world = await setUp(kind, { agents: [agent] });
    clock.now = () => world.clock.now();
    const run = await world.engine.runs.start(agent, null);
    await world.runUntilIdle();
    expect(await run.result()).toBe(41);
    for (const wait of waits()) expect(wait).toBeLessThanOrEqual(1_000);
    expect(Math.min(...waits())).toBeLessThan(250);
    expect(Math.max(...waits())).toBeGreaterThan(750);
    expect(new Set(waits()).size).toBeGreaterThan(20);
  });

  test.each([
    ["no wait at all", { delay: 0, factor: 10 }, 0],
    ["an endless limit", { maxDelay: Number.POSITIVE_INFINITY, delay: 100, factor: 1 }, 100],
  ])("%s", async (_, policy, wait) => {
    const { agent, clock, waits } = flaky(3, { maxFailures: Number.POSITIVE_INFINITY, jitter: "none", ...policy });
    const world = await setUp(kind, { agents: [agent] });
    clock.now = () => world.clock.now();
    const run = await world.engine.runs.start(agent, null);
    await world.runUntilIdle();
    expect(await run.result()).toBe(4);
    expect(waits()).toEqual([wait, wait, wait]);
  });

  test("the run's own policy goes before the agent's, that before the engine's, field by field", async () => {
    const { agent, clock, waits } = flaky(9, { maxFailures: 2, delay: 100 });
    const world = await setUp(kind, { agents: [agent], retry: { maxFailures: 9, jitter: "none", delay: 7 } });
    clock.now = () => world.clock.now();
    const run = await world.engine.runs.start(agent, null, { retry: { maxFailures: 3 } });
    await world.runUntilIdle();
    expect(await run.info()).toMatchObject({ status: "failed", failures: 3 });
    expect(waits()).toEqual([100, 200]);
  });

  test("each retry is told: an event with the error, and when it goes on", async () => {
    const { agent } = flaky(1, { maxFailures: 2, jitter: "none", delay: 500 });
    const { engine, clock, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const from = clock.now();
    const run = await engine.runs.start(agent, null);
    await runUntilIdle();
    const frames = await read(run.events()).ended;
    expect(namesOf(frames)).toEqual(["run_started", "run_retrying", "run_started", "run_succeeded"]);
    expect(eventsOf(frames).map(({ attempt }) => attempt)).toEqual([1, 1, 2, 2]);
    expect(frames[1]).toMatchObject({
      payload: { why: "retry", error: { message: "failure 1" }, failures: 1, crashes: 0, availableAt: from + 500 },
    });
  });

  test("while a run waits for its retry it keeps its thread", async () => {
    const { agent } = flaky(1, { maxFailures: 2, jitter: "none", delay: 500 });
    const { engine, quiet, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(agent, null);
    const next = await thread.start(agent, null, { whenBusy: "enqueue", retry: { maxFailures: 1 } });
    await quiet();
    expect(await run.info()).toMatchObject({ status: "pending", waiting: "ready", failures: 1 });
    expect(await thread.info()).toMatchObject({ status: "busy", activeRunId: run.id, queueLength: 1 });
    await runUntilIdle();
    expect(await run.result()).toBe(2);
    expect((await next.settled()).status).toBe("failed");
  });

  test("one that waits for its retry gives its slot to others", async () => {
    const { agent } = flaky(1, { maxFailures: 2, jitter: "none", delay: 60_000 });
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [agent, worker.agent], concurrency: 1 });
    await engine.runs.start(agent, null);
    await engine.runs.start(worker.agent, null);
    await quiet();
    expect(worker.turns).toHaveLength(1);
  });

  test("a mid-run checkpoint is what the next attempt goes on from", async () => {
    const steps: unknown[] = [];
    const climber = defineAgent({
      name: "climber",
      retry: { maxFailures: 3, jitter: "none", delay: 1 },
      run: async ({ values, checkpoint, attempt }) => {
        steps.push(values.step ?? 0);
        await checkpoint({ step: attempt });
        if (attempt < 3) throw new Error("slipped");
        return { output: attempt };
      },
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [climber] });
    const thread = await engine.threads.create();
    const run = await thread.start(climber, null);
    await runUntilIdle();
    expect(await run.result()).toBe(3);
    expect(steps).toEqual([0, 1, 2]);
    expect(await thread.values()).toEqual({ step: 3 });
  });

  test("an attempt that takes too long is told by its signal, and fails with ATTEMPT_TIMEOUT", async () => {
    const worker = handDriven({ attemptTimeout: 1_000, retry: { maxFailures: 2, jitter: "none", delay: 100 } });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    const first = await worker.next();
    first.context.signal.addEventListener("abort", () => first.fail(first.context.signal.reason));
    await advance(999);
    expect(first.context.signal.aborted).toBe(false);
    await advance(1);
    expect(first.context.signal.reason).toMatchObject({ code: "ATTEMPT_TIMEOUT" });
    expect(await run.info()).toMatchObject({ status: "pending", failures: 1, crashes: 0 });
    await advance(100);
    const second = await worker.next();
    await advance(999);
    second.finish({ output: "in time" });
    expect(await run.result()).toBe("in time");
  });

  test("a timeout counts whatever the code makes of it: what it returns too late is not taken", async () => {
    const worker = handDriven({ attemptTimeout: 1_000 });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(worker.agent, null);
    const turn = await worker.next();
    await advance(1_000);
    turn.finish({ output: "too late", values: { late: true } });
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code: "ATTEMPT_TIMEOUT" } });
    expect(await thread.values()).toEqual({});
  });

  test("code that does not stop after a timeout is abandoned after the grace, and fenced", async () => {
    const worker = handDriven({ attemptTimeout: 1_000, retry: { maxFailures: 2, jitter: "none", delay: 0 } });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent], cancelGrace: 500 });
    const abandoned: number[] = [];
    engine.on("attempt_abandoned", ({ attempt }) => abandoned.push(attempt));
    const thread = await engine.threads.create();
    const run = await thread.start(worker.agent, null);
    const stubborn = await worker.next();
    await advance(1_000);
    expect(await run.info()).toMatchObject({ status: "running" });
    await advance(501);
    expect(abandoned).toEqual([1]);
    const second = await worker.next();
    expect(second.context.attempt).toBe(2);
    await expect(stubborn.context.checkpoint({ late: true })).rejects.toMatchObject({ code: "LEASE_LOST" });
    await expect(stubborn.context.emit("log", { level: "info", message: "late" })).rejects.toMatchObject({
      code: "LEASE_LOST",
    });
    stubborn.finish({ output: "from the grave", values: { late: true } });
    second.finish({ output: "alive" });
    expect(await run.result()).toBe("alive");
    expect(await thread.values()).toEqual({});
  });

  test("the run's own time limit goes before the agent's, that before the engine's", async () => {
    const [own, ours] = [handDriven({ attemptTimeout: 2_000 }), handDriven({ name: "ours" })];
    const { engine, advance } = await setUp(kind, { agents: [own.agent, ours.agent], attemptTimeout: 3_000 });
    await engine.runs.start(own.agent, null, { attemptTimeout: 1_000 });
    await engine.runs.start(own.agent, null);
    await engine.runs.start(ours.agent, null);
    const signals = [await own.next(), await own.next(), await ours.next()].map((turn) => turn.context.signal);
    for (const expected of [
      [true, false, false],
      [true, true, false],
      [true, true, true],
    ]) {
      await advance(1_000);
      expect(signals.map(({ aborted }) => aborted)).toEqual(expected);
    }
  });

  test("a deadline ends a run that waits in a queue, and touches nothing else", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine, clock, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const active = await thread.start(worker.agent, "active");
    const waiting = await thread.start(worker.agent, "waiting", { deadline: 5_000 });
    const deadlineAt = new Date(clock.now() + 5_000);
    expect(await waiting.info()).toMatchObject({ deadlineAt });
    await advance(4_999);
    expect(await isPending(waiting.settled())).toBe(true);
    await advance(1);
    expect(await waiting.settled()).toMatchObject({ status: "failed", error: { code: "DEADLINE_EXCEEDED" } });
    expect(await waiting.info()).toMatchObject({ attempt: 0, failures: 0, crashes: 0 });
    expect(await thread.info()).toMatchObject({ status: "busy", activeRunId: active.id, queueLength: 0 });
    expect(await thread.history()).toEqual([]);
  });

  test("a deadline ends a delayed run, one that waits for a slot and one that waits for its retry", async () => {
    const worker = handDriven({ retry: { maxFailures: 2, jitter: "none", delay: 60_000 } });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent], concurrency: 1 });
    const thread = await engine.threads.create();
    const retrying = await thread.start(worker.agent, "retrying", { deadline: 1_000 });
    (await worker.next()).fail(new Error("once"));
    await engine.runs.start(worker.agent, "holds the slot");
    const delayed = await engine.runs.start(worker.agent, "delayed", { delay: 2_000, deadline: 1_000 });
    const slotless = await engine.runs.start(worker.agent, "no slot", { deadline: 1_000 });
    await advance(1_000);
    for (const run of [retrying, delayed, slotless]) {
      expect(await run.settled()).toMatchObject({ status: "failed", error: { code: "DEADLINE_EXCEEDED" } });
    }
    expect(await thread.info()).toMatchObject({ status: "error", activeRunId: undefined });
    expect(await thread.history()).toHaveLength(1);
  });

  test("a deadline while it runs aborts the signal and is final: no retry", async () => {
    const worker = handDriven({ retry: { maxFailures: 5, jitter: "none", delay: 1 } });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null, { deadline: 1_000 });
    const turn = await worker.next();
    await advance(1_000);
    expect(turn.context.signal.reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    turn.fail(new Error("whatever"));
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code: "DEADLINE_EXCEEDED" } });
    await advance(60_000);
    expect(worker.turns).toHaveLength(1);
  });

  test("a deadline that passes while the code does not stop is kept after the grace", async () => {
    const worker = handDriven();
    const { engine, advance } = await setUp(kind, { agents: [worker.agent], cancelGrace: 200 });
    const run = await engine.runs.start(worker.agent, null, { deadline: 1_000 });
    await worker.next();
    await advance(1_201);
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code: "DEADLINE_EXCEEDED" } });
  });

  test("bad values, bad output and oversized output are failures like any other, and are retried", async () => {
    const worker = handDriven({ retry: { maxFailures: 3, jitter: "none", delay: 1 } });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent], limits: { output: 50 } });
    const run = await engine.runs.start(worker.agent, null);
    (await worker.next()).finish({ values: { n: Number.NaN } });
    await advance(1);
    (await worker.next()).finish({ output: "x".repeat(60) });
    await advance(2);
    (await worker.next()).finish({ output: "good" });
    expect(await run.result()).toBe("good");
    expect(await run.info()).toMatchObject({ attempt: 3, failures: 2 });
  });
});
