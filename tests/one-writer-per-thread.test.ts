/** A thread has one writer at a time; who comes meanwhile is refused, or stands in line. */

import { expect, test } from "vitest";
import { namesOf, read } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

onEveryStorage("one writer per thread", (kind) => {
  test("a busy thread refuses, and says who is at work; the refused start changes nothing", async () => {
    const worker = handDriven();
    const { engine, clock, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(worker.agent, 1);
    const turn = await worker.next();
    const before = await thread.info();
    await clock.advance(100);
    const error = await refusal("THREAD_BUSY", () => thread.start(worker.agent, 2));
    expect(error.details).toMatchObject({
      threadId: thread.id,
      activeRunId: run.id,
      status: "running",
      worker: expect.any(String),
      leaseUntil: new Date(before.createdAt.getTime() + 15_000),
    });
    expect(await thread.info()).toEqual(before);
    expect(await engine.runs.count()).toBe(1);
    turn.finish();
    await run.result();
    await advance(0);
    expect(worker.turns).toHaveLength(1);
    expect(await thread.info()).toMatchObject({ status: "idle" });
  });

  test("of many who come at once exactly one wins", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    for (let round = 0; round < 10; round++) {
      const thread = await engine.threads.create();
      const starts = await Promise.allSettled(Array.from({ length: 32 }, (_, n) => thread.start(worker.agent, n)));
      const won = starts.filter((start) => start.status === "fulfilled");
      expect(won).toHaveLength(1);
      for (const start of starts)
        if (start.status === "rejected") expect(start.reason).toMatchObject({ code: "THREAD_BUSY" });
      (await worker.next()).finish();
      await won[0]?.value.result();
    }
    expect(await engine.runs.count()).toBe(10);
  });

  test("of two engines on the same data, too", async () => {
    const worker = handDriven();
    const first = await setUp(kind, { agents: [worker.agent] });
    const second = await first.join({ agents: [worker.agent] });
    for (let round = 0; round < 10; round++) {
      const { id } = await first.engine.threads.create();
      const handles = await Promise.all([first, second].map(({ engine }) => engine.threads.get(id)));
      const starts = await Promise.allSettled(
        Array.from({ length: 10 }, (_, n) => handles[n % 2]?.start(worker.agent, n)),
      );
      const won = starts.flatMap((start) => (start.status === "fulfilled" && start.value ? [start.value] : []));
      expect(won).toHaveLength(1);
      (await worker.next()).finish({ output: round });
      await first.quiet();
      expect(await won[0]?.result()).toBe(round);
    }
  });

  test("enqueue stands in line, first come first served", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent], whenBusy: "enqueue" });
    const thread = await engine.threads.create();
    const runs = await Promise.all(Array.from({ length: 8 }, (_, n) => thread.start(worker.agent, n)));
    expect(await thread.info()).toMatchObject({ status: "busy", activeRunId: runs[0]?.id, queueLength: 7 });
    expect((await thread.queue()).map(({ id }) => id)).toEqual(runs.slice(1).map(({ id }) => id));
    expect(await runs[3]?.info()).toMatchObject({ status: "pending", waiting: "queued" });
    for (let n = 0; n < 8; n++) {
      const { context, finish } = await worker.next();
      expect([context.input, context.values.last]).toEqual([n, n === 0 ? undefined : n - 1]);
      finish({ values: { last: n } });
    }
    await runs[7]?.result();
    expect(await thread.info()).toMatchObject({ status: "idle", queueLength: 0 });
    expect(await thread.queue()).toEqual([]);
  });

  test.each(["succeeded", "failed", "canceled"] as const)(
    "the next in line goes on after one that %s, with what it left",
    async (how) => {
      const worker = handDriven({ whenBusy: "enqueue" });
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.create();
      const first = await thread.start(worker.agent, 1);
      const second = await thread.start(worker.agent, 2);
      const turn = await worker.next();
      await turn.context.checkpoint({ mid: true });
      if (how === "canceled") await first.cancel();
      if (how === "failed") turn.fail(new Error("boom"));
      else turn.finish({ values: { final: true } });
      expect((await first.settled()).status).toBe(how);
      const next = await worker.next();
      expect(next.context.runId).toBe(second.id);
      expect(next.context.values).toEqual(how === "succeeded" ? { mid: true, final: true } : { mid: true });
      next.finish();
      await second.result();
    },
  );

  test("the line has an end: QUEUE_FULL, and nothing changed", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine } = await setUp(kind, { agents: [worker.agent], queueBound: 2 });
    const thread = await engine.threads.create();
    await thread.start(worker.agent, "active");
    const queued = [await thread.start(worker.agent, 1), await thread.start(worker.agent, 2)];
    const error = await refusal("QUEUE_FULL", () => thread.start(worker.agent, 3));
    expect(error.details).toEqual({ threadId: thread.id, queueLength: 2, limit: 2 });
    expect(await thread.info()).toMatchObject({ queueLength: 2 });
    expect(await engine.runs.count()).toBe(3);
    await queued[0]?.cancel();
    const third = await thread.start(worker.agent, 3);
    expect((await thread.queue()).map(({ id }) => id)).toEqual([queued[1]?.id, third.id]);
  });

  test("without a line everyone but the first is turned away", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine } = await setUp(kind, { agents: [worker.agent], queueBound: 0 });
    const thread = await engine.threads.create();
    await thread.start(worker.agent, 1);
    await refusal("QUEUE_FULL", () => thread.start(worker.agent, 2));
  });

  test("a line longer than a thousand is shown whole", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine } = await setUp(kind, { agents: [worker.agent], queueBound: Number.POSITIVE_INFINITY, work: false });
    const thread = await engine.threads.create();
    await engine.runs.startMany(
      Array.from({ length: 1_201 }, (_, n) => ({ agent: worker.agent, input: n, threadId: thread.id })),
    );
    const queue = await thread.queue();
    expect(queue.map(({ input }) => input)).toEqual(Array.from({ length: 1_200 }, (_, n) => n + 1));
  });

  test("what to do on a busy thread: the start's word, else the agent's, else the engine's", async () => {
    const [polite, plain] = [handDriven({ name: "polite", whenBusy: "enqueue" }), handDriven({ name: "plain" })];
    const { engine } = await setUp(kind, { agents: [polite.agent, plain.agent] });
    const thread = await engine.threads.create();
    await thread.start(plain.agent, 1);
    await refusal("THREAD_BUSY", () => thread.start(plain.agent, 2));
    await refusal("THREAD_BUSY", () => thread.start(polite.agent, 3, { whenBusy: "reject" }));
    await thread.start(polite.agent, 4);
    await thread.start(plain.agent, 5, { whenBusy: "enqueue" });
    expect((await thread.queue()).map(({ input }) => input)).toEqual([4, 5]);
  });

  test("threads do not wait for each other", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const threads = await Promise.all(Array.from({ length: 10 }, () => engine.threads.create()));
    await Promise.all(threads.map((thread, n) => thread.start(worker.agent, n)));
    await quiet();
    expect(worker.turns).toHaveLength(10);
  });

  test("an accepted run is settled whoever is canceled, fails or is delayed around it", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const runs = await Promise.all(
      Array.from({ length: 12 }, (_, n) => thread.start(worker.agent, n, n % 4 === 3 ? { delay: 50 } : {})),
    );
    await runs[2]?.cancel();
    await advance(100);
    for (let done = 0; done < 11; done++) {
      const turn = await worker.next();
      if (done % 3 === 0) turn.fail(new Error("boom"));
      else turn.finish();
    }
    const outcomes = await Promise.all(runs.map((run) => run.settled()));
    expect(outcomes.filter(({ status }) => status === "canceled")).toHaveLength(1);
    expect(await thread.info()).toMatchObject({ status: expect.any(String), activeRunId: undefined, queueLength: 0 });
    for (const run of runs)
      expect(namesOf(await read(run.events()).ended).at(-1)).toBe(`run_${(await run.info()).status}`);
  });

  test("status is derived: a settle while others wait keeps it busy; queued ones that settle do not count", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine, quiet, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const failing = await thread.start(worker.agent, 1);
    const second = await thread.start(worker.agent, 2);
    const late = await thread.start(worker.agent, 3, { deadline: 1_000 });
    (await worker.next()).fail(new Error("boom"));
    await failing.settled();
    expect(await thread.info()).toMatchObject({ status: "busy", activeRunId: second.id });
    await advance(1_000);
    expect((await late.settled()).status).toBe("failed");
    (await worker.next()).finish();
    await second.result();
    await quiet();
    expect(await thread.info()).toMatchObject({ status: "idle" });
  });
});
