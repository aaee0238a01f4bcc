/** Cancel stops work: the signal reaches the agent at once, and after the grace nothing of it can write any more. */

import type { AgentContext, Json, JsonObject } from "@heddle/core";
import { createEngine, defineAgent } from "@heddle/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { namesOf, read } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import { isPending, refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

onEveryStorage("cancellation", (kind) => {
  test("of a run that waits settles it at once: it never runs", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent], concurrency: 1 });
    const thread = await engine.threads.create();
    const active = await thread.start(worker.agent, "active");
    const waiting = {
      queued: await thread.start(worker.agent, "queued"),
      delayed: await engine.runs.start(worker.agent, "delayed", { delay: 1_000 }),
      slotless: await engine.runs.start(worker.agent, "no slot"),
      delayedInThread: await thread.start(worker.agent, "delayed", { delay: 1_000 }),
    };
    await worker.next();
    for (const [name, run] of Object.entries(waiting)) {
      expect(await run.cancel(), name).toEqual({ outcome: "canceled" });
      expect(await run.settled(), name).toEqual({ status: "canceled", reason: { kind: "user" } });
      expect(await run.info(), name).toMatchObject({ status: "canceled", attempt: 0, startedAt: undefined });
      expect(namesOf(await read(run.events()).ended), name).toEqual(["run_canceled"]);
    }
    expect(await thread.info()).toMatchObject({ status: "busy", activeRunId: active.id, queueLength: 0 });
    await advance(10_000);
    expect(worker.turns).toHaveLength(1);
  });

  test("of a queued run leaves the line as it was", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const [a, b, c, d] = [
      await thread.start(worker.agent, "a"),
      await thread.start(worker.agent, "b"),
      await thread.start(worker.agent, "c"),
      await thread.start(worker.agent, "d"),
    ];
    await c.cancel();
    expect((await thread.queue()).map(({ id }) => id)).toEqual([b.id, d.id]);
    for (const expected of ["a", "b", "d"]) {
      const turn = await worker.next();
      expect(turn.context.input).toBe(expected);
      turn.finish();
    }
    await d.result();
    expect(await a.result()).toBeNull();
  });

  test("of a running one aborts its signal, with the reason", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    const { context, fail } = await worker.next();
    expect(await run.cancel({ note: "too slow" })).toEqual({ outcome: "requested" });
    expect(context.signal.aborted).toBe(true);
    expect(context.signal.reason).toMatchObject({
      code: "RUN_CANCELED",
      details: { runId: run.id, reason: { kind: "user", note: "too slow" } },
    });
    expect(await run.info()).toMatchObject({ status: "running", cancelRequestedAt: expect.any(Date) });
    fail(context.signal.reason);
    const error = await refusal("RUN_CANCELED", () => run.result());
    expect(error.details).toEqual({ runId: run.id, reason: { kind: "user", note: "too slow" } });
  });

  test("reaches an agent in the same process within 50 ms of real time", async () => {
    const database = await kind.create();
    let began = (_: AgentContext<Json, JsonObject, Json>): void => {};
    const agent = defineAgent({
      name: "real",
      run: (context) =>
        new Promise<void>((_, reject) => {
          context.signal.addEventListener("abort", () => reject(context.signal.reason));
          began(context);
        }),
    });
    const engine = createEngine({ storage: database.storage, agents: [agent] });
    onTestFinished(async () => {
      await engine.close();
      await database.cleanup();
    });
    await engine.start();
    const delays: number[] = [];
    for (let round = 0; round < 20; round++) {
      const running = new Promise<AgentContext<Json, JsonObject, Json>>((resolve) => (began = resolve));
      const run = await engine.runs.start(agent, null);
      const { signal } = await running;
      let heard = 0;
      signal.addEventListener("abort", () => (heard = performance.now()));
      const asked = performance.now();
      await run.cancel({ wait: true });
      delays.push(heard - asked);
    }
    // One round may meet the garbage collector or a busy neighbour; the promise is about the engine.
    expect(delays.sort((a, b) => a - b)[17], `${delays}`).toBeLessThan(50);
  });

  test("beats success: what the agent returns afterwards is not taken", async () => {
    const worker = handDriven({ retry: { maxFailures: 5 } });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(worker.agent, null);
    const turn = await worker.next();
    await run.cancel();
    turn.finish({ output: "done after all", values: { done: true } });
    expect(await run.settled()).toEqual({ status: "canceled", reason: { kind: "user" } });
    expect(await thread.values()).toEqual({});
    expect(await thread.info()).toMatchObject({ status: "idle" });
    await advance(60_000);
    expect(worker.turns, "no retry").toHaveLength(1);
  });

  test("events that the agent emitted before it stopped are kept, in front of the terminal one", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    const { context, fail } = await worker.next();
    await run.cancel();
    await context.emit("log", { level: "info", message: "cleaning up" });
    fail(context.signal.reason);
    expect(namesOf(await read(run.events()).ended)).toEqual(["run_started", "log", "run_canceled"]);
  });

  test("a mid-run checkpoint stays when the run is canceled", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(worker.agent, null);
    const { context, finish } = await worker.next();
    await context.checkpoint({ half: true });
    await run.cancel();
    finish({ values: { whole: true } });
    await run.settled();
    expect(await thread.values()).toEqual({ half: true });
    expect((await thread.history()).map(({ kind }) => kind)).toEqual(["final", "mid"]);
  });

  describe("of code that does not stop", () => {
    test("ends after the grace: abandoned, fenced off, and the thread is usable again", async () => {
      const worker = handDriven();
      const { engine, advance } = await setUp(kind, { agents: [worker.agent], cancelGrace: 1_000 });
      const abandoned: string[] = [];
      engine.on("attempt_abandoned", ({ runId }) => abandoned.push(runId));
      const thread = await engine.threads.create();
      const run = await thread.start(worker.agent, "stubborn");
      const stubborn = await worker.next();
      const canceled = run.cancel({ wait: true });
      await advance(999);
      expect(await isPending(canceled)).toBe(true);
      expect(await thread.info()).toMatchObject({ status: "busy" });
      await advance(2);
      expect(await canceled).toEqual({ outcome: "canceled", stopped: "abandoned" });
      expect(abandoned).toEqual([run.id]);
      expect(await thread.info()).toMatchObject({ status: "idle", activeRunId: undefined });
      const next = await thread.start(worker.agent, "next");
      const turn = await worker.next();
      const before = await read(run.events()).ended;
      await refusal("LEASE_LOST", () => stubborn.context.emit("log", { level: "info", message: "late" }));
      await refusal("LEASE_LOST", () => stubborn.context.checkpoint({ late: true }));
      stubborn.finish({ output: "late", values: { late: true } });
      turn.finish({ output: "fine", values: { fine: true } });
      expect(await next.result()).toBe("fine");
      expect(await thread.values()).toEqual({ fine: true });
      expect(await read(run.events()).ended).toEqual(before);
      expect(await run.settled()).toMatchObject({ status: "canceled" });
    });

    test("keeps its slot until it returns", async () => {
      const worker = handDriven();
      const { engine, advance } = await setUp(kind, { agents: [worker.agent], cancelGrace: 10, concurrency: 2 });
      const run = await engine.runs.start(worker.agent, "stubborn");
      const stubborn = await worker.next();
      await run.cancel();
      await advance(1_000);
      for (let n = 0; n < 3; n++) await engine.runs.start(worker.agent, n);
      await advance(0);
      expect(worker.turns).toHaveLength(2);
      stubborn.finish();
      await advance(0);
      expect(worker.turns).toHaveLength(3);
    });

    test("each cancel may bring its own grace; the first one counts", async () => {
      const worker = handDriven();
      const { engine, clock, advance } = await setUp(kind, { agents: [worker.agent] });
      const from = clock.now();
      const run = await engine.runs.start(worker.agent, null);
      await worker.next();
      await run.cancel({ grace: 100, note: "first" });
      const again = run.cancel({ grace: 60_000, note: "second", wait: true });
      await advance(101);
      expect(await again).toEqual({ outcome: "canceled", stopped: "abandoned" });
      expect(await run.info()).toMatchObject({ reason: { kind: "user", note: "first" } });
      expect(clock.now()).toBe(from + 101);
    });

    test("without any grace it is fenced at once", async () => {
      const worker = handDriven();
      const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
      const run = await engine.runs.start(worker.agent, null);
      const { context } = await worker.next();
      const canceled = run.cancel({ grace: 0, wait: true });
      await advance(1);
      expect(await canceled).toMatchObject({ outcome: "canceled" });
      await refusal("LEASE_LOST", () => context.emit("log", { level: "info", message: "late" }));
    });

    test("an endless grace waits for the code", async () => {
      const worker = handDriven();
      const { engine, advance } = await setUp(kind, { agents: [worker.agent], cancelGrace: Number.POSITIVE_INFINITY });
      const run = await engine.runs.start(worker.agent, null);
      const turn = await worker.next();
      const canceled = run.cancel({ wait: true });
      await advance(100_000);
      expect(await isPending(canceled)).toBe(true);
      turn.finish();
      expect(await canceled).toEqual({ outcome: "canceled", stopped: true });
    });
  });

  test("with wait resolves when nothing of the run can write any more", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    const { context, fail } = await worker.next();
    const canceled = run.cancel({ wait: true });
    expect(await isPending(canceled)).toBe(true);
    fail(context.signal.reason);
    expect(await canceled).toEqual({ outcome: "canceled", stopped: true });
    expect(await run.info()).toMatchObject({ status: "canceled" });
    const waiting = await engine.runs.start(worker.agent, null, { delay: 1_000 });
    expect(await waiting.cancel({ wait: true })).toEqual({ outcome: "canceled", stopped: true });
  });

  test("of a settled run is late and changes nothing", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    (await worker.next()).finish({ output: 1 });
    await run.result();
    const before = await run.info();
    expect(await run.cancel({ wait: true })).toEqual({ outcome: "late" });
    expect(await run.info()).toEqual(before);
    await refusal("RUN_NOT_FOUND", () => engine.runs.cancel("run_none"));
  });

  test("a run that waits for its retry is canceled at once and leaves its thread", async () => {
    const worker = handDriven({ retry: { maxFailures: 2, jitter: "none", delay: 60_000 } });
    const { engine, quiet, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(worker.agent, null);
    const queued = await thread.start(worker.agent, null, { whenBusy: "enqueue" });
    (await worker.next()).fail(new Error("once"));
    await quiet();
    expect(await run.cancel()).toEqual({ outcome: "canceled" });
    expect(await thread.info()).toMatchObject({ status: "busy", activeRunId: queued.id });
    expect((await thread.history()).map(({ runId, kind }) => [runId, kind])).toEqual([[run.id, "final"]]);
    (await worker.next()).finish();
    await advance(120_000);
    expect(worker.turns).toHaveLength(2);
  });

  test("of many: by filter and by ids; settled and foreign ones are left alone", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const done = await engine.runs.start(worker.agent, "done", { metadata: { batch: 1 } });
    (await worker.next()).finish({ output: "kept" });
    await done.result();
    const running = await engine.runs.start(worker.agent, "running", { metadata: { batch: 1 } });
    const turn = await worker.next();
    const inThread = await thread.start(worker.agent, "in thread", { metadata: { batch: 1 } });
    const inThreadTurn = await worker.next();
    const queued = await thread.start(worker.agent, "queued", { metadata: { batch: 2 } });
    const delayed = await engine.runs.start(worker.agent, "delayed", { metadata: { batch: 1 }, delay: 1_000 });
    expect(await engine.runs.cancelMany({ metadata: { batch: 1 } }, { note: "stop" })).toEqual({ canceled: 3 });
    expect(await delayed.info()).toMatchObject({ status: "canceled", reason: { kind: "user", note: "stop" } });
    expect([turn.context.signal.aborted, inThreadTurn.context.signal.aborted]).toEqual([true, true]);
    turn.finish();
    inThreadTurn.finish();
    expect([(await running.settled()).status, (await inThread.settled()).status]).toEqual(["canceled", "canceled"]);
    expect(await done.result()).toBe("kept");
    await quiet();
    expect(await queued.info()).toMatchObject({ status: "running" });
    expect(await engine.runs.cancelMany({ ids: [queued.id, done.id, "run_none"] })).toEqual({ canceled: 1 });
    expect(await engine.runs.cancelMany({ status: "succeeded" })).toEqual({ canceled: 0 });
    expect(await engine.runs.cancelMany({ threadId: thread.id, agent: "other" })).toEqual({ canceled: 0 });
  });

  test("of more than a page of runs leaves none out", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent], work: false });
    await engine.runs.startMany(Array.from({ length: 250 }, (_, n) => ({ agent: worker.agent, input: n })));
    expect(await engine.runs.cancelMany({ agent: "worker" })).toEqual({ canceled: 250 });
    expect(await engine.runs.count({ status: "canceled" })).toBe(250);
  });

  describe("when the reader leaves", () => {
    test("result and settled cancel the run where they were told to", async () => {
      const worker = handDriven();
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
      const run = await engine.runs.start(worker.agent, null);
      const { context, finish } = await worker.next();
      const abort = new AbortController();
      const waiting = run.result({ signal: abort.signal, onDisconnect: "cancel" });
      abort.abort(new Error("tab closed"));
      await expect(waiting).rejects.toThrow("tab closed");
      await quiet();
      expect(context.signal.aborted).toBe(true);
      finish();
      expect(await run.settled()).toEqual({ status: "canceled", reason: { kind: "disconnect" } });
    });

    test("an event stream that is left cancels it, by break as well as by signal", async () => {
      const worker = handDriven();
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
      const [first, second] = [
        await engine.runs.start(worker.agent, null),
        await engine.runs.start(worker.agent, null),
      ];
      const turns = [await worker.next(), await worker.next()];
      for await (const _ of first.events({ onDisconnect: "cancel" })) break;
      const abort = new AbortController();
      const reading = read(second.events({ onDisconnect: "cancel", signal: abort.signal }));
      await quiet();
      abort.abort();
      await reading.ended;
      await quiet();
      expect(turns.map(({ context }) => context.signal.aborted)).toEqual([true, true]);
      for (const turn of turns) turn.finish();
      for (const run of [first, second]) expect(await run.settled()).toMatchObject({ reason: { kind: "disconnect" } });
    });

    test("a stream that came to its end, or was told nothing, cancels nothing", async () => {
      const worker = handDriven();
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
      const run = await engine.runs.start(worker.agent, null);
      const turn = await worker.next();
      for await (const _ of run.events()) break;
      await quiet();
      expect(turn.context.signal.aborted).toBe(false);
      const whole = read(run.events({ onDisconnect: "cancel" }));
      turn.finish({ output: 1 });
      await whole.ended;
      expect(await run.result()).toBe(1);
      expect(namesOf(whole.frames)).toEqual(["run_started", "run_succeeded"]);
    });
  });

  test("races of cancel against finish: one outcome each, told the same everywhere", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent], concurrency: Number.POSITIVE_INFINITY });
    const seen = new Set<string>();
    for (let round = 0; round < 60; round++) {
      const run = await engine.runs.start(worker.agent, round);
      const turn = await worker.next();
      const steps = [() => turn.finish({ output: round }), () => run.cancel()];
      if (round % 2 === 0) steps.reverse();
      for (const [index, step] of steps.entries()) {
        if (index > 0) for (let ticks = 0; ticks < round; ticks++) await Promise.resolve();
        void step();
      }
      const outcome = await run.settled();
      seen.add(outcome.status);
      await quiet();
      const terminal = namesOf(await read(run.events()).ended).filter((type) => type !== "run_started");
      expect(terminal).toEqual([`run_${outcome.status}`]);
      expect((await run.info()).status).toBe(outcome.status);
    }
    expect([...seen].sort()).toEqual(["canceled", "succeeded"]);
  });
});
