/** What a run does whose thread is busy: refused, queued, or in place of the one that runs. Steering: `steering.test.ts`. */

import { describe, expect, test } from "vitest";
import { eventsOf, read } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

onEveryStorage("busy strategies", (kind) => {
  const start = async (options: Parameters<typeof handDriven>[0] = {}) => {
    const worker = handDriven(options);
    const world = await setUp(kind, { agents: [worker.agent] });
    const thread = await world.engine.threads.create();
    return { worker, thread, ...world };
  };

  test("interrupt: the signal tells the active run what superseded it, and the new one starts when it has stopped", async () => {
    const { worker, thread } = await start();
    const old = await thread.start(worker.agent, "old");
    const turn = await worker.next();
    const next = await thread.start(worker.agent, "new", { whenBusy: "interrupt" });
    const reason = { kind: "superseded", by: next.id };
    expect(turn.context.signal.reason).toMatchObject({ code: "RUN_CANCELED", details: { reason } });
    expect(await thread.info()).toMatchObject({ activeRunId: old.id, queueLength: 1 });
    turn.finish({ output: "too late", values: { old: true } });
    expect(await old.settled()).toEqual({ status: "canceled", reason });
    const second = await worker.next();
    expect(second.context).toMatchObject({ input: "new", values: {}, runId: next.id });
    second.finish({ output: "done" });
    expect(await next.result()).toBe("done");
  });

  test("interrupt: what the active run wrote before stays, and the new one goes on from there", async () => {
    const { worker, thread } = await start();
    const old = await thread.start(worker.agent, "old");
    const turn = await worker.next();
    await turn.context.checkpoint({ half: true });
    const next = await thread.start(worker.agent, "new", { whenBusy: "interrupt" });
    turn.fail(turn.context.signal.reason);
    await old.settled();
    const second = await worker.next();
    expect(second.context.values).toEqual({ half: true });
    second.finish();
    await next.result();
    expect((await thread.history()).map(({ kind }) => kind)).toEqual(["final", "final", "mid"]);
  });

  test("interrupt: code that does not stop is left behind after its grace", async () => {
    const { worker, thread, advance } = await start();
    const old = await thread.start(worker.agent, "old");
    await worker.next();
    const next = await thread.start(worker.agent, "new", { whenBusy: "interrupt" });
    await advance(5_001);
    expect(await old.settled()).toMatchObject({ status: "canceled", reason: { by: next.id } });
    (await worker.next()).finish();
    await next.result();
  });

  test("interrupt: those that wait are superseded too, but for delayed ones that are not due", async () => {
    const { worker, thread, advance } = await start();
    await thread.start(worker.agent, "old");
    const turn = await worker.next();
    const queued = await thread.start(worker.agent, "queued", { whenBusy: "enqueue" });
    const delayed = await thread.start(worker.agent, "delayed", { delay: 10_000 });
    const next = await thread.start(worker.agent, "new", { whenBusy: "interrupt" });
    expect(await queued.settled()).toEqual({ status: "canceled", reason: { kind: "superseded", by: next.id } });
    expect((await thread.queue()).map(({ id }) => id)).toEqual([next.id, delayed.id]);
    turn.fail(turn.context.signal.reason);
    (await worker.next()).finish();
    await next.result();
    await advance(10_000);
    (await worker.next()).finish();
    await delayed.result();
  });

  test("interrupt: a run that waits for its retry gives way at once", async () => {
    const { worker, thread, quiet } = await start({ retry: { maxFailures: 3, delay: 60_000, jitter: "none" } });
    const old = await thread.start(worker.agent, "old");
    (await worker.next()).fail(new Error("once"));
    await quiet();
    const next = await thread.start(worker.agent, "new", { whenBusy: "interrupt" });
    expect(await old.settled()).toMatchObject({ status: "canceled", reason: { kind: "superseded" } });
    (await worker.next()).finish({ output: "new" });
    expect(await next.result()).toBe("new");
  });

  test("interrupt: of many at once one is left, and all others tell what superseded them", async () => {
    const { worker, thread, quiet } = await start();
    await thread.start(worker.agent, "old");
    const turn = await worker.next();
    const many = await Promise.all(
      Array.from({ length: 20 }, (_, n) => thread.start(worker.agent, n, { whenBusy: "interrupt" })),
    );
    turn.fail(turn.context.signal.reason);
    const last = await worker.next();
    last.finish({ output: "last" });
    await quiet();
    const ends = await Promise.all(many.map((run) => run.settled()));
    expect(ends.filter(({ status }) => status === "succeeded")).toHaveLength(1);
    for (const end of ends) {
      if (end.status === "succeeded") expect(end.output).toBe("last");
      else expect(end).toMatchObject({ status: "canceled", reason: { kind: "superseded", by: expect.any(String) } });
    }
    expect(worker.turns).toHaveLength(2);
  });

  test("rollback: the new run starts with the values from before the old one", async () => {
    const { worker, thread } = await start();
    const first = await thread.start(worker.agent, "first");
    (await worker.next()).finish({ values: { kept: true } });
    await first.result();
    const before = await headOf(thread);
    const old = await thread.start(worker.agent, "old", { whenBusy: "enqueue" });
    const turn = await worker.next();
    await turn.context.checkpoint({ kept: "overwritten", more: 1 });
    const next = await thread.start(worker.agent, "new", { whenBusy: "rollback" });
    turn.fail(turn.context.signal.reason);
    expect(await old.settled()).toEqual({ status: "canceled", reason: { kind: "rolled_back", by: next.id } });
    const second = await worker.next();
    expect(second.context.values).toEqual({ kept: true });
    expect(await headOf(thread)).toBe(before);
    second.finish();
    await next.result();
  });

  describe("is that of", () => {
    test("the run, else its thread, else its agent, else the engine", async () => {
      const plain = handDriven({ name: "plain" });
      const polite = handDriven({ name: "polite", whenBusy: "enqueue" });
      const { engine, quiet } = await setUp(kind, { agents: [plain.agent, polite.agent], whenBusy: "interrupt" });
      const wait = async (agent: typeof plain.agent, thread: Awaited<ReturnType<typeof engine.threads.create>>) => {
        const run = await thread.start(agent, null);
        await quiet();
        return run;
      };
      const ofEngine = await engine.threads.create();
      await wait(plain.agent, ofEngine);
      await wait(plain.agent, ofEngine);
      expect((await plain.next()).context.signal.aborted).toBe(true);
      const ofAgent = await engine.threads.create();
      await wait(polite.agent, ofAgent);
      await wait(polite.agent, ofAgent);
      expect((await polite.next()).context.signal.aborted).toBe(false);
      expect(await ofAgent.info()).toMatchObject({ queueLength: 1, whenBusy: undefined });
      const ofThread = await engine.threads.create({ whenBusy: "reject" });
      await wait(polite.agent, ofThread);
      expect(await ofThread.info()).toMatchObject({ whenBusy: "reject" });
      await refusal("THREAD_BUSY", () => ofThread.start(polite.agent, null));
      await ofThread.start(polite.agent, null, { whenBusy: "enqueue" });
      expect(await ofThread.update({ whenBusy: "enqueue" })).toMatchObject({ whenBusy: "enqueue" });
      await ofThread.start(plain.agent, null);
      expect(await ofThread.update({ whenBusy: null })).toMatchObject({ whenBusy: undefined });
      expect(await ofThread.info()).toMatchObject({ queueLength: 2 });
    });

    test("a delayed run when it falls due, also after a restart", async () => {
      const { worker, thread, advance, close, join } = await start();
      await thread.start(worker.agent, "old");
      await worker.next();
      const { id } = await thread.start(worker.agent, "new", { whenBusy: "rollback", delay: 60_000 });
      await close();
      const { engine, ...later } = await join({ agents: [worker.agent] });
      await later.quiet();
      const again = await worker.next();
      await again.context.checkpoint({ half: true });
      await advance(60_000);
      await later.quiet();
      expect(again.context.signal.reason).toMatchObject({ details: { reason: { kind: "rolled_back", by: id } } });
      again.fail(again.context.signal.reason);
      const turn = await worker.next();
      expect(turn.context).toMatchObject({ input: "new", values: {} });
      turn.finish();
      await (await engine.runs.get(id)).result();
    });
  });

  test("a wrong one is refused", async () => {
    const { worker, thread, engine } = await start();
    await refusal("INVALID_ARGUMENT", () => thread.start(worker.agent, null, { whenBusy: "politely" as never }));
    await refusal("INVALID_ARGUMENT", () => thread.update({ whenBusy: "" as never }));
    await refusal("INVALID_ARGUMENT", () => engine.threads.create({ whenBusy: 5 as never }));
    await refusal("INVALID_ARGUMENT", () => engine.runs.list({ rolledBack: "yes" as never }));
  });

  test("the thread's stream tells the whole story", async () => {
    const { worker, thread } = await start();
    const reading = read(thread.events({ after: 0 }));
    const old = await thread.start(worker.agent, "old");
    const turn = await worker.next();
    const queued = await thread.start(worker.agent, "queued", { whenBusy: "enqueue" });
    const next = await thread.start(worker.agent, "new", { whenBusy: "interrupt" });
    turn.fail(turn.context.signal.reason);
    (await worker.next()).finish();
    await next.result();
    await thread.delete();
    const story = eventsOf(await reading.ended).map(({ type, runId }) => [type, runId]);
    expect(story).toEqual([
      ["run_started", old.id],
      ["run_canceled", queued.id],
      ["run_canceled", old.id],
      ["run_started", next.id],
      ["run_succeeded", next.id],
    ]);
  });
});

async function headOf(thread: { info(): Promise<{ headCheckpointId: string | undefined }> }) {
  return (await thread.info()).headCheckpointId;
}
