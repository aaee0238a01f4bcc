/** When a checkpoint in the middle of a run is stored, and what a crash costs. */

import { expect, test } from "vitest";
import { faultyStorage } from "./faulty-storage.js";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

onEveryStorage("durability of checkpoints", (kind) => {
  test("sync: each is stored before it resolves", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    await thread.start(worker.agent, null);
    const { context, finish } = await worker.next();
    for (const n of [1, 2, 3]) {
      expect(await context.checkpoint({ n })).toEqual({ n });
      expect(await thread.values()).toEqual({ n });
    }
    expect(await thread.history()).toHaveLength(3);
    finish();
  });

  test("exit: nothing is stored until the attempt ends, then one checkpoint with all of it", async () => {
    const worker = handDriven({ durability: "exit" });
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create({ values: { big: "x".repeat(2_000) } });
    const run = await thread.start(worker.agent, null);
    const { context, finish } = await worker.next();
    for (let n = 1; n <= 20; n++) await context.checkpoint({ n, [`k${n % 3}`]: n, log: `${n}`.repeat(n) });
    await context.emit("log", "an event does not take them along");
    await quiet();
    expect(await thread.history()).toHaveLength(1);
    finish({ values: { last: true } });
    await run.result();
    const [final, mid, initial] = await thread.history();
    expect([final?.kind, mid?.kind, initial?.kind]).toEqual(["final", "mid", "initial"]);
    const expected = { big: "x".repeat(2_000), n: 20, k0: 18, k1: 19, k2: 20, log: "20".repeat(20) };
    expect(await thread.valuesAt(mid?.id ?? "")).toEqual(expected);
    expect(await thread.values()).toEqual({ ...expected, last: true });
  });

  test("exit: however the attempt ends, what it checkpointed is kept", async () => {
    const worker = handDriven({ durability: "exit", retry: { maxFailures: 2, delay: 10, jitter: "none" } });
    const { engine, advance, quiet } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(worker.agent, null);
    const first = await worker.next();
    await first.context.checkpoint({ n: 1 });
    first.fail(new Error("once"));
    await advance(10);
    const second = await worker.next();
    expect(second.context.values).toEqual({ n: 1 });
    await second.context.checkpoint({ n: 2 });
    await run.cancel();
    second.finish({ values: { n: 99 } });
    expect(await run.settled()).toMatchObject({ status: "canceled" });
    await quiet();
    expect(await thread.values()).toEqual({ n: 2 });
  });

  test("exit: a crash loses what it checkpointed; the next attempt begins where the run began", async () => {
    const [mortal, heir] = [handDriven({ durability: "exit" }), handDriven({ durability: "exit" })];
    const faults = faultyStorage();
    const first = await setUp(kind, { agents: [mortal.agent], wrap: faults.wrap });
    const second = await first.join({ agents: [heir.agent] });
    const { id } = await first.engine.threads.create({ values: { n: 0 } });
    const run = await (await first.engine.threads.get(id)).start(mortal.agent, null);
    const lost = await mortal.next();
    await lost.context.checkpoint({ n: 1 });
    faults.freeze();
    await second.advance(16_001);
    const again = await heir.next();
    expect(again.context.values).toEqual({ n: 0 });
    again.finish({ values: { n: 9 } });
    expect((await (await second.engine.runs.get(run.id)).settled()).status).toBe("succeeded");
    faults.thaw();
    await first.quiet();
    lost.finish({ values: { n: 8 } });
    await first.quiet();
    expect(await (await second.engine.threads.get(id)).values()).toEqual({ n: 9 });
  });

  test("async: stored behind the agent's back, in order; what comes meanwhile is merged", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent], durability: "async" });
    const thread = await engine.threads.create();
    const run = await thread.start(worker.agent, null);
    const { context, finish } = await worker.next();
    const seen = await Promise.all([1, 2, 3, 4, 5].map((n) => context.checkpoint({ n, [`k${n}`]: n })));
    expect(seen.at(-1)).toEqual({ n: 5, k1: 1, k2: 2, k3: 3, k4: 4, k5: 5 });
    await quiet();
    expect(await thread.values()).toEqual(seen.at(-1));
    const stored = (await thread.history()).length;
    expect(stored).toBeGreaterThanOrEqual(1);
    expect(stored).toBeLessThanOrEqual(5);
    await context.checkpoint({ n: 6 });
    finish();
    await run.result();
    expect((await thread.values()).n).toBe(6);
  });

  test("the run's word goes before the agent's, that before the engine's", async () => {
    const [plain, exit] = [handDriven({ name: "plain" }), handDriven({ name: "exit", durability: "exit" })];
    const { engine } = await setUp(kind, { agents: [plain.agent, exit.agent], durability: "exit" });
    const stored = async (agent: typeof plain, durability?: "sync") => {
      const thread = await engine.threads.create();
      const run = await thread.start(agent.agent, null, durability === undefined ? {} : { durability });
      const turn = await agent.next();
      await turn.context.checkpoint({ n: 1 });
      const count = (await thread.history()).length;
      turn.finish();
      await run.result();
      return count;
    };
    expect([await stored(plain), await stored(exit), await stored(exit, "sync")]).toEqual([0, 0, 1]);
    await refusal("INVALID_ARGUMENT", () => engine.runs.start(plain.agent, 1, { durability: "never" as never }));
  });

  test("a stateless run's values survive its retry just so", async () => {
    const worker = handDriven({ durability: "exit", retry: { maxFailures: 2, delay: 10, jitter: "none" } });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    const first = await worker.next();
    await first.context.checkpoint({ n: 1 });
    first.fail(new Error("once"));
    await advance(10);
    const second = await worker.next();
    expect(second.context.values).toEqual({ n: 1 });
    second.finish();
    await run.result();
    expect(await run.values()).toEqual({ n: 1 });
  });
});
