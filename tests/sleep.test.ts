/** A sleep is a durable timer: it frees the worker, survives the process, and is slept once. */

import { defineAgent } from "@heddle/core";
import { expect, test } from "vitest";
import { namesOf, read } from "./frames.js";
import { isPending, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const hour = 3_600_000;

onEveryStorage("sleep", (kind) => {
  /** Notes when it wakes, by the engine's clock. */
  function sleeper(now: () => number) {
    const woke: number[] = [];
    const agent = defineAgent({
      name: "sleeper",
      run: async ({ sleep, sleepUntil, attempt }) => {
        const from = now();
        await sleep(2 * hour);
        await sleep(0);
        await sleepUntil(new Date(from - hour));
        woke.push(now());
        return { output: attempt };
      },
    });
    return { agent, woke };
  }

  test("a suspended run holds no slot and no lease, and goes on when its time has come", async () => {
    const time = { now: () => 0 };
    const { agent, woke } = sleeper(() => time.now());
    const world = await setUp(kind, { agents: [agent], concurrency: 1 });
    time.now = () => world.clock.now();
    const start = world.clock.now();
    const runs = [await world.engine.runs.start(agent, null), await world.engine.runs.start(agent, null)];
    await world.quiet();
    for (const run of runs) {
      expect(await run.info()).toMatchObject({
        status: "pending",
        availableAt: new Date(start + 2 * hour),
        failures: 0,
        crashes: 0,
      });
    }
    expect(world.engine.attempts).toBe(0);
    await world.runUntilIdle();
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual([2, 2]);
    expect(woke).toEqual([start + 2 * hour, start + 2 * hour]);
    const frames = await read((runs[0] as (typeof runs)[0]).events()).ended;
    expect(namesOf(frames)).toEqual(["run_started", "run_suspended", "run_started", "run_succeeded"]);
    expect(frames[1]).toMatchObject({ payload: { why: "sleep", until: start + 2 * hour } });
  });

  test("within suspendAfter it stays in memory; others have its slot meanwhile", async () => {
    const agent = defineAgent({
      name: "napper",
      run: async ({ sleep, attempt }) => {
        await sleep(1_000);
        return { output: attempt };
      },
    });
    const { engine, clock, runUntilIdle } = await setUp(kind, { agents: [agent], concurrency: 1, suspendAfter: 5_000 });
    const start = clock.now();
    const runs = await Promise.all(Array.from({ length: 5 }, () => engine.runs.start(agent, null)));
    await runUntilIdle();
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual([1, 1, 1, 1, 1]);
    expect(clock.now() - start).toBe(1_000);
  });

  test("another process sleeps only what is left", async () => {
    const time = { now: () => 0 };
    const { agent, woke } = sleeper(() => time.now());
    const world = await setUp(kind, { agents: [agent] });
    time.now = () => world.clock.now();
    const start = world.clock.now();
    const run = await world.engine.runs.start(agent, null);
    await world.advance(hour);
    await world.close();
    const next = await world.join({ agents: [agent] });
    await next.advance(hour - 1);
    expect(await isPending((await next.engine.runs.get(run.id)).result())).toBe(true);
    await next.advance(1);
    expect(await (await next.engine.runs.get(run.id)).result()).toBe(2);
    expect(woke).toEqual([start + 2 * hour]);
  });

  test("steps in flight end first; what else ran is done again", async () => {
    const done: string[] = [];
    let finish = (): void => {};
    const agent = defineAgent({
      name: "both",
      run: async ({ step, sleep }) => {
        const slow = (): Promise<string> => {
          done.push("slow");
          return new Promise((resolve) => {
            finish = () => resolve("slow");
          });
        };
        const [result] = await Promise.all([step("slow", slow), sleep(hour)]);
        return { output: result };
      },
    });
    const world = await setUp(kind, { agents: [agent] });
    const run = await world.engine.runs.start(agent, null);
    await world.advance(1_000);
    expect(await run.info()).toMatchObject({ status: "running" });
    finish();
    await world.quiet();
    await world.advance(0);
    expect(await run.info()).toMatchObject({ status: "pending" });
    await world.runUntilIdle();
    expect(await run.result()).toBe("slow");
    expect(done).toEqual(["slow"]);
  });

  test("a cancel ends it at once; a thread stays busy meanwhile", async () => {
    const agent = defineAgent({ name: "napper", run: async ({ sleep }) => void (await sleep(hour)) });
    const world = await setUp(kind, { agents: [agent] });
    const thread = await world.engine.threads.create();
    const run = await thread.start(agent, null);
    await world.quiet();
    await world.advance(0);
    expect(await thread.info()).toMatchObject({ status: "busy", activeRunId: run.id });
    expect(await run.cancel({ wait: true })).toMatchObject({ outcome: "canceled" });
    expect(await thread.info()).toMatchObject({ status: "idle" });
  });

  test.each([[-1], [Number.NaN], ["1"]])("%s is no duration", async (duration) => {
    const agent = defineAgent({ name: "wrong", run: async ({ sleep }) => void (await sleep(duration as number)) });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const run = await engine.runs.start(agent, null);
    await runUntilIdle();
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code: "INVALID_ARGUMENT" } });
  });

  test("no date is no date", async () => {
    const agent = defineAgent({
      name: "wrong",
      run: async ({ sleepUntil }) => void (await sleepUntil(new Date("no"))),
    });
    const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
    const run = await engine.runs.start(agent, null);
    await runUntilIdle();
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code: "INVALID_ARGUMENT" } });
  });

  test.each([["a key"], [5], [null], [[]]])(
    "a sleep with %j for options is refused: the key would be ignored",
    async (options) => {
      const agent = defineAgent({
        name: "wrong",
        run: async ({ sleep, sleepUntil }) => {
          const calls = [() => sleep(1, options as never), () => sleepUntil(new Date(), options as never)];
          const codes = await Promise.all(calls.map((call) => call().then(undefined, (error) => error.code)));
          return { output: codes };
        },
      });
      const { engine, runUntilIdle } = await setUp(kind, { agents: [agent] });
      const run = await engine.runs.start(agent, null);
      await runUntilIdle();
      expect(await run.result()).toEqual(["INVALID_ARGUMENT", "INVALID_ARGUMENT"]);
    },
  );
});
