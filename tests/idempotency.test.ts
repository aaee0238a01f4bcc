/** Starting again with the same key gives the same run: no work is done twice because a caller repeated itself. */

import { expect, test } from "vitest";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const idempotencyKey = "order-17";
const hour = 3_600_000;

onEveryStorage("an idempotency key", (kind) => {
  test("gives the same run while it runs and after it settled", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const first = await engine.runs.start(worker.agent, { n: 1 }, { idempotencyKey });
    const second = await engine.runs.start(worker.agent, { n: 1 }, { idempotencyKey });
    (await worker.next()).finish({ output: "once" });
    const third = await engine.runs.start(worker.agent, { n: 1 }, { idempotencyKey });
    expect([second.id, third.id]).toEqual([first.id, first.id]);
    expect(await Promise.all([first, second, third].map((run) => run.result()))).toEqual(["once", "once", "once"]);
    expect(worker.turns).toHaveLength(1);
    expect(await first.info()).toMatchObject({ idempotencyKey });
  });

  test("of many who come at once, one starts the run", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const runs = await Promise.all(
      Array.from({ length: 50 }, () => engine.runs.start(worker.agent, 1, { idempotencyKey })),
    );
    expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
    await quiet();
    expect(worker.turns).toHaveLength(1);
    worker.turns[0]?.finish({ output: "all" });
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(runs.map(() => "all"));
  });

  test("is checked before the thread's business: a repeat is not told THREAD_BUSY", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(worker.agent, 1, { idempotencyKey });
    expect((await thread.start(worker.agent, 1, { idempotencyKey })).id).toBe(run.id);
    await refusal("THREAD_BUSY", () => thread.start(worker.agent, 1));
  });

  test("compares the caller's input, agent and config, as JSON and not as text", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, { a: 1, b: [2] }, { idempotencyKey, config: { x: 1 } });
    const same = await engine.runs.start(
      worker.agent,
      { b: [2], a: 1 },
      { idempotencyKey, config: { x: 1 }, priority: 7, metadata: { other: true } },
    );
    expect(same.id).toBe(run.id);
    for (const [input, config] of [
      [{ a: 1, b: [3] }, { x: 1 }],
      [{ a: 1, b: [2] }, { x: 2 }],
      [{ a: 1, b: [2] }, undefined],
    ] as const) {
      const error = await refusal("IDEMPOTENCY_CONFLICT", () =>
        engine.runs.start(worker.agent, input, config ? { idempotencyKey, config } : { idempotencyKey }),
      );
      expect(error.details).toEqual({ idempotencyKey, runId: run.id });
    }
    expect(await engine.runs.count()).toBe(1);
  });

  test("belongs to one agent, and to one thread or to stateless runs", async () => {
    const [worker, other] = [handDriven(), handDriven({ name: "other" })];
    const { engine } = await setUp(kind, { agents: [worker.agent, other.agent] });
    const [a, b] = [await engine.threads.create(), await engine.threads.create({ id: "s" })];
    const runs = [
      await engine.runs.start(worker.agent, 1, { idempotencyKey }),
      await engine.runs.start(other.agent, 1, { idempotencyKey }),
      await a.start(worker.agent, 1, { idempotencyKey }),
      await b.start(worker.agent, 1, { idempotencyKey }),
    ];
    expect(new Set(runs.map(({ id }) => id)).size).toBe(4);
  });

  test("of a deleted run answers RUN_GONE for as long as keys are kept, then starts anew", async () => {
    const worker = handDriven();
    const { engine, advance } = await setUp(kind, { agents: [worker.agent], retention: { keys: hour } });
    const run = await engine.runs.start(worker.agent, 1, { idempotencyKey });
    (await worker.next()).finish();
    await run.result();
    await run.delete();
    const error = await refusal("RUN_GONE", () => engine.runs.start(worker.agent, 1, { idempotencyKey }));
    expect(error.details).toEqual({ idempotencyKey, runId: run.id });
    await advance(hour);
    expect((await engine.runs.start(worker.agent, 1, { idempotencyKey })).id).not.toBe(run.id);
  });

  test("lives as long as its run, however old that is", async () => {
    const worker = handDriven();
    const { engine, advance } = await setUp(kind, { agents: [worker.agent], retention: { keys: hour } });
    const run = await engine.runs.start(worker.agent, 1, { idempotencyKey });
    (await worker.next()).finish();
    await run.result();
    await advance(3 * hour);
    expect((await engine.runs.start(worker.agent, 1, { idempotencyKey })).id).toBe(run.id);
  });

  test("of a run in a deleted thread answers RUN_GONE, also once the thread is there again", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create({ id: "t" });
    await thread.start(worker.agent, 1, { idempotencyKey });
    await thread.delete();
    await refusal("RUN_GONE", () => thread.start(worker.agent, 1, { idempotencyKey, ifNotExists: "create" }));
    await engine.threads.create({ id: "t" });
    await refusal("RUN_GONE", () => thread.start(worker.agent, 1, { idempotencyKey }));
  });

  test("of a refused start is free again", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const first = await thread.start(worker.agent, 1);
    await refusal("THREAD_BUSY", () => thread.start(worker.agent, 2, { idempotencyKey }));
    (await worker.next()).finish();
    await first.result();
    const second = await thread.start(worker.agent, 3, { idempotencyKey });
    (await worker.next()).finish({ output: "taken" });
    expect(await second.result()).toBe("taken");
  });

  test.each(["'quoted' \"key\"", "100%_", "k".repeat(255), "😀", "s", "t:x"])("may be %j", async (key) => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, 1, { idempotencyKey: key });
    expect((await engine.runs.start(worker.agent, 1, { idempotencyKey: key })).id).toBe(run.id);
    expect(
      (await engine.runs.start(worker.agent, 1, { idempotencyKey: `${[...key].slice(1).join("")}-` })).id,
    ).not.toBe(run.id);
  });
});
