/** What is kept and what goes: stateless runs on completion, or when they are old. Threads' runs stay. */

import { expect, test } from "vitest";
import { read } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const minute = 60_000;

onEveryStorage("retention", (kind) => {
  test.each(["succeeded", "failed", "canceled"] as const)(
    "a run to be deleted on completion goes when it %s; who waited knows how it ended",
    async (how) => {
      const worker = handDriven();
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
      const deleted: string[] = [];
      engine.on("run_deleted", ({ runId }) => deleted.push(runId));
      const run = await engine.runs.start(worker.agent, null, { onCompletion: "delete" });
      const live = read(run.events());
      const turn = await worker.next();
      await quiet();
      await turn.context.checkpoint({ own: true });
      if (how === "canceled") await run.cancel();
      if (how === "failed") turn.fail(new Error("boom"));
      else turn.finish({ output: 1 });
      expect((await run.settled()).status).toBe(how);
      expect((await live.ended).at(-1)).toMatchObject({ type: `run_${how}` });
      expect(deleted).toEqual([run.id]);
      await refusal("RUN_NOT_FOUND", () => run.info());
      await refusal("RUN_NOT_FOUND", () => engine.runs.get(run.id));
      expect(await engine.runs.count()).toBe(0);
    },
  );

  test("one that waits and is canceled goes as well; one that is retried does not", async () => {
    const worker = handDriven({ onCompletion: "delete", retry: { maxFailures: 2, jitter: "none", delay: 10 } });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const waiting = await engine.runs.start(worker.agent, null, { delay: 1_000 });
    await waiting.cancel();
    expect(await waiting.settled()).toMatchObject({ status: "canceled" });
    const retried = await engine.runs.start(worker.agent, null);
    (await worker.next()).fail(new Error("once"));
    await advance(5);
    expect(await retried.info()).toMatchObject({ status: "pending", failures: 1 });
    await advance(5);
    (await worker.next()).finish();
    await retried.result();
    expect(await engine.runs.count()).toBe(0);
  });

  test("the start's word goes before the agent's, that before the engine's; runs of threads are kept", async () => {
    const [keeper, plain] = [handDriven({ name: "keeper", onCompletion: "keep" }), handDriven({ name: "plain" })];
    const { engine } = await setUp(kind, {
      agents: [keeper.agent, plain.agent],
      retention: { statelessRuns: "delete" },
    });
    const thread = await engine.threads.create();
    const runs = [
      await engine.runs.start(keeper.agent, "agent keeps"),
      await engine.runs.start(keeper.agent, "start deletes", { onCompletion: "delete" }),
      await engine.runs.start(plain.agent, "engine deletes"),
      await engine.runs.start(plain.agent, "start keeps", { onCompletion: "keep" }),
      await thread.start(plain.agent, "in thread"),
    ];
    for (const agent of [keeper, keeper, plain, plain, plain]) (await agent.next()).finish();
    await Promise.all(runs.map((run) => run.result()));
    const { items } = await engine.runs.list({ order: "asc" });
    expect(items.map(({ input }) => input)).toEqual(["agent keeps", "start keeps", "in thread"]);
  });

  test("old settled stateless runs are swept, by the hundreds; all others stay", async () => {
    const worker = handDriven();
    const { engine, advance, quiet } = await setUp(kind, {
      agents: [worker.agent],
      concurrency: Number.POSITIVE_INFINITY,
      retention: { maxAge: 10 * minute, sweep: minute },
    });
    const thread = await engine.threads.create();
    const inThread = await thread.start(worker.agent, "in thread");
    await engine.runs.startMany(Array.from({ length: 230 }, (_, n) => ({ agent: worker.agent, input: n })));
    await quiet();
    for (const turn of worker.turns) turn.finish();
    await quiet();
    const running = await engine.runs.start(worker.agent, "running");
    await advance(5 * minute);
    const young = await engine.runs.start(worker.agent, "young");
    await quiet();
    worker.turns.at(-1)?.finish();
    await young.result();
    expect(await engine.runs.count()).toBe(233);
    await advance(6 * minute + 1_000);
    const left = (await engine.runs.list({ order: "asc" })).items.map(({ id }) => id);
    expect(left).toEqual([inThread.id, running.id, young.id]);
    await advance(5 * minute);
    expect((await engine.runs.list()).items.map(({ id }) => id).sort()).toEqual([inThread.id, running.id].sort());
  });

  test("two engines may sweep at once without getting in each other's way", async () => {
    const worker = handDriven();
    const retention = { maxAge: minute, sweep: minute };
    const first = await setUp(kind, { agents: [worker.agent], retention });
    const second = await first.join({ agents: [], retention });
    const errors: unknown[] = [];
    for (const { engine } of [first, second]) engine.on("error", ({ error, during }) => errors.push([during, error]));
    const runs = await first.engine.runs.startMany(
      Array.from({ length: 20 }, (_, n) => ({ agent: worker.agent, input: n })),
    );
    await first.quiet();
    for (const turn of worker.turns) turn.finish();
    await Promise.all(runs.map((run) => run.result()));
    await first.advance(5 * minute);
    expect(await second.engine.runs.count()).toBe(0);
    expect(errors).toEqual([]);
  });
});
