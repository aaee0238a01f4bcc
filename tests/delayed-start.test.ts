/** A delayed run starts when its time has come, and holds nothing before. */

import { expect, test } from "vitest";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const hour = 3_600_000;

onEveryStorage("a delayed run", (kind) => {
  test("starts when it is due and not before", async () => {
    const worker = handDriven();
    const { engine, clock, advance } = await setUp(kind, { agents: [worker.agent] });
    const due = clock.now() + hour;
    const run = await engine.runs.start(worker.agent, "tea", { delay: hour });
    await advance(hour - 1);
    expect(worker.turns).toHaveLength(0);
    expect(await run.info()).toMatchObject({ status: "pending", availableAt: new Date(due) });
    await advance(1);
    expect(worker.turns).toHaveLength(1);
    expect(clock.now()).toBe(due);
    worker.turns[0]?.finish({ output: "tea!" });
    expect(await run.result()).toBe("tea!");
  });

  test("runUntilIdle takes time there", async () => {
    const worker = handDriven();
    const { engine, clock, runUntilIdle } = await setUp(kind, { agents: [worker.agent] });
    const from = clock.now();
    await engine.runs.start(worker.agent, "late", { delay: 2 * hour });
    await engine.runs.start(worker.agent, "soon", { delay: hour });
    void worker.next().then((turn) => turn.finish());
    void worker.next().then((turn) => turn.finish());
    await runUntilIdle();
    expect(worker.turns.map(({ context }) => context.input)).toEqual(["soon", "late"]);
    expect(clock.now()).toBe(from + 2 * hour);
  });

  test("leaves its thread to others until it is due", async () => {
    const worker = handDriven();
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const later = await thread.start(worker.agent, "later", { delay: hour });
    expect(await thread.info()).toMatchObject({ status: "idle", queueLength: 1, lastSeq: 0 });
    expect(await later.info()).toMatchObject({ status: "pending", waiting: "delayed" });
    const now = await thread.start(worker.agent, "now");
    (await worker.next()).finish({ output: "done now" });
    expect(await now.result()).toBe("done now");
    await advance(hour);
    expect(await thread.info()).toMatchObject({ status: "busy", activeRunId: later.id, queueLength: 0 });
    (await worker.next()).finish({ output: "done later" });
    expect(await later.result()).toBe("done later");
  });

  test("joins the queue of a busy thread when it is due: reject means enqueue then", async () => {
    const worker = handDriven({ whenBusy: "reject" });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    await thread.start(worker.agent, "long");
    const later = await thread.start(worker.agent, "delayed", { delay: hour });
    const queued = await thread.start(worker.agent, "queued", { whenBusy: "enqueue" });
    await advance(hour);
    expect(await later.info()).toMatchObject({ status: "pending", waiting: "queued" });
    expect((await thread.queue()).map(({ id }) => id)).toEqual([queued.id, later.id]);
    (await worker.next()).finish();
    (await worker.next()).finish({ output: "second" });
    (await worker.next()).finish({ output: "third" });
    expect([await queued.result(), await later.result()]).toEqual(["second", "third"]);
    expect(await thread.info()).toMatchObject({ status: "idle", queueLength: 0 });
  });

  test("two that fall due at once take turns", async () => {
    const worker = handDriven();
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const runs = [
      await thread.start(worker.agent, 1, { delay: hour }),
      await thread.start(worker.agent, 2, { delay: hour }),
    ];
    await advance(hour);
    expect(worker.turns).toHaveLength(1);
    (await worker.next()).finish({ output: "a" });
    (await worker.next()).finish({ output: "b" });
    expect((await Promise.all(runs.map((run) => run.result()))).sort()).toEqual(["a", "b"]);
  });

  test("counts in the queue bound when it is accepted", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent], queueBound: 2 });
    const thread = await engine.threads.create();
    await thread.start(worker.agent, 1, { delay: hour });
    const second = await thread.start(worker.agent, 2, { delay: hour });
    const error = await refusal("QUEUE_FULL", () => thread.start(worker.agent, 3, { delay: hour }));
    expect(error.details).toEqual({ threadId: thread.id, queueLength: 2, limit: 2 });
    expect(await thread.info()).toMatchObject({ queueLength: 2 });
    await second.cancel();
    await thread.start(worker.agent, 4, { delay: hour });
  });

  test("that is canceled never runs, and its thread hears of nothing but the cancel", async () => {
    const worker = handDriven();
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(worker.agent, 1, { delay: hour });
    expect(await run.cancel()).toEqual({ outcome: "canceled" });
    await advance(2 * hour);
    expect(worker.turns).toHaveLength(0);
    expect(await thread.history()).toEqual([]);
    expect(await thread.info()).toMatchObject({ status: "idle", queueLength: 0, agent: undefined });
  });

  test("outlives its engine", async () => {
    const worker = handDriven();
    const first = await setUp(kind, { agents: [worker.agent] });
    const { id } = await first.engine.runs.start(worker.agent, 1, { delay: hour });
    await first.close();
    await first.clock.advance(2 * hour);
    const second = await first.join({ agents: [worker.agent] });
    (await worker.next()).finish({ output: "there you are" });
    expect(await (await second.engine.runs.get(id)).result()).toBe("there you are");
  });
});
