/** Never more attempts at once than `concurrency`; the most urgent run is claimed first. */

import { defineAgent } from "@heddle/core";
import { expect, test } from "vitest";
import { handDriven } from "./hand-driven.js";
import { setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

onEveryStorage("concurrency and priorities", (kind) => {
  test.each([1, 2, 3, 7])("never more than %i at once, and no slot stays empty", async (concurrency) => {
    let atOnce = 0;
    let most = 0;
    const busy = defineAgent({
      name: "busy",
      run: async () => {
        most = Math.max(most, ++atOnce);
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
        atOnce--;
      },
    });
    const { engine } = await setUp(kind, { agents: [busy], concurrency });
    const runs = await Promise.all(Array.from({ length: 40 }, (_, n) => engine.runs.start(busy, n)));
    await Promise.all(runs.map((run) => run.result()));
    expect(most).toBe(concurrency);
  });

  test("with Infinity all run at once", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent], concurrency: Number.POSITIVE_INFINITY });
    const runs = await Promise.all(Array.from({ length: 300 }, (_, n) => engine.runs.start(worker.agent, n)));
    await quiet();
    expect(worker.turns).toHaveLength(300);
    for (const turn of worker.turns) turn.finish();
    await Promise.all(runs.map((run) => run.result()));
  });

  test("waiting runs start by priority, equal ones in the order in which they came", async () => {
    const worker = handDriven();
    const { engine, advance } = await setUp(kind, { agents: [worker.agent], concurrency: 1 });
    await engine.runs.start(worker.agent, "first");
    for (const [input, priority] of [
      ["low", -1],
      ["a", 0],
      ["urgent", 10],
      ["b", 0],
      ["most urgent", 2 ** 31 - 1],
    ] as const) {
      await engine.runs.start(worker.agent, input, { priority });
      await advance(1);
    }
    const order: unknown[] = [];
    for (let n = 0; n < 6; n++) {
      const turn = await worker.next();
      order.push(turn.context.input);
      turn.finish();
    }
    expect(order).toEqual(["first", "most urgent", "urgent", "a", "b", "low"]);
  });

  test("a newcomer does not overtake older runs that wait for the slot", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent], concurrency: 1 });
    await engine.runs.start(worker.agent, "first");
    await engine.runs.start(worker.agent, "second");
    const turn = await worker.next();
    turn.finish();
    const third = engine.runs.start(worker.agent, "third");
    expect((await worker.next()).context.input).toBe("second");
    await third;
    await quiet();
    expect(worker.turns).toHaveLength(2);
  });

  test("inside a thread the order of arrival decides, whatever the priorities", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    for (const [input, priority] of [
      [1, 0],
      [2, 0],
      [3, 99],
    ] as const)
      await thread.start(worker.agent, input, { priority });
    for (const expected of [1, 2, 3]) {
      const turn = await worker.next();
      expect(turn.context.input).toBe(expected);
      turn.finish();
    }
  });

  test("a busy thread does not keep others from running", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent], concurrency: 2 });
    const [a, b] = [await engine.threads.create(), await engine.threads.create()];
    for (let n = 0; n < 5; n++) await a.start(worker.agent, `a${n}`, { priority: 5 });
    await b.start(worker.agent, "b");
    await quiet();
    expect(worker.turns.map(({ context }) => context.input)).toEqual(["a0", "b"]);
  });

  test("a slot is free again only when the attempt's code has returned", async () => {
    const worker = handDriven();
    const { engine, advance } = await setUp(kind, { agents: [worker.agent], concurrency: 1, cancelGrace: 100 });
    const stubborn = await engine.runs.start(worker.agent, "stubborn");
    const turn = await worker.next();
    await engine.runs.start(worker.agent, "next");
    await stubborn.cancel();
    await advance(10_000);
    expect(await stubborn.info()).toMatchObject({ status: "canceled" });
    expect(worker.turns).toHaveLength(1);
    turn.finish();
    await advance(0);
    expect(worker.turns).toHaveLength(2);
  });

  test("agents that fail at once do not leak slots", async () => {
    const broken = defineAgent({
      name: "broken",
      run: () => {
        throw new Error("broken");
      },
    });
    const { engine } = await setUp(kind, { agents: [broken], concurrency: 2 });
    for (let round = 0; round < 5; round++) {
      const runs = await Promise.all(Array.from({ length: 5 }, (_, n) => engine.runs.start(broken, n)));
      for (const run of runs) expect((await run.settled()).status).toBe("failed");
    }
  });
});
