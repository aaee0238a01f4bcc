/** A rolled-back run leaves its thread as it was, to the byte, and its numbers to nobody else. */

import type { EventFrame } from "@heddle/core";
import { expect, test } from "vitest";
import { eventsOf, namesOf, read, seqsOf } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

onEveryStorage("rollback", (kind) => {
  const start = async (options: Parameters<typeof handDriven>[0] = {}) => {
    const worker = handDriven({ whenBusy: "enqueue", ...options });
    const world = await setUp(kind, { agents: [worker.agent] });
    const thread = await world.engine.threads.create({ values: { text: "ä\u0000\ud800", n: 1.5 } });
    return { worker, thread, ...world };
  };

  test("by a cancel: values, head and history are those from before", async () => {
    const { worker, thread } = await start();
    const before = { info: await thread.info(), values: await thread.values(), history: await thread.history() };
    const run = await thread.start(worker.agent, null);
    const turn = await worker.next();
    await turn.context.checkpoint({ n: 2 });
    await turn.context.checkpoint({ n: 3, more: true });
    expect(await run.cancel({ rollback: true, note: "never mind" })).toEqual({ outcome: "requested" });
    turn.finish({ values: { n: 4 } });
    const reason = { kind: "rolled_back", note: "never mind" };
    expect(await run.settled()).toEqual({ status: "canceled", reason });
    expect(await thread.values()).toEqual(before.values);
    expect(JSON.stringify(await thread.values())).toBe(JSON.stringify(before.values));
    expect(await thread.history()).toEqual(before.history);
    expect((await thread.info()).headCheckpointId).toBe(before.info.headCheckpointId);
    expect(await thread.info()).toMatchObject({ status: "idle" });
    expect(await run.info()).toMatchObject({ status: "canceled", rolledBack: true, reason });
    expect(await run.values()).toEqual(before.values);
  });

  test("the thread's status is what it was before the run", async () => {
    const { worker, thread } = await start();
    await thread.start(worker.agent, null);
    (await worker.next()).fail(new Error("boom"));
    const run = await thread.start(worker.agent, null);
    const turn = await worker.next();
    await run.cancel({ rollback: true });
    turn.fail(turn.context.signal.reason);
    await run.settled();
    expect(await thread.info()).toMatchObject({ status: "error" });
  });

  test("the run's checkpoints are gone, save for one that a copy was made of", async () => {
    const { worker, thread, quiet } = await start();
    const run = await thread.start(worker.agent, null);
    const turn = await worker.next();
    await turn.context.checkpoint({ n: 2 });
    const copy = await thread.copy();
    const kept = (await thread.info()).headCheckpointId as string;
    await turn.context.checkpoint({ n: 3 });
    const gone = (await thread.info()).headCheckpointId as string;
    await run.cancel({ rollback: true });
    turn.fail(turn.context.signal.reason);
    await run.settled();
    await quiet();
    await refusal("CHECKPOINT_NOT_FOUND", () => thread.valuesAt(gone));
    expect(await copy.values()).toMatchObject({ n: 2 });
    expect(await copy.valuesAt(kept)).toMatchObject({ n: 2 });
  });

  test("default lists leave the run out; it can be asked for", async () => {
    const { worker, thread, engine } = await start();
    const rolledBack = await thread.start(worker.agent, 1);
    const turn = await worker.next();
    await rolledBack.cancel({ rollback: true });
    turn.fail(turn.context.signal.reason);
    const kept = await thread.start(worker.agent, 2);
    (await worker.next()).finish();
    await kept.result();
    const list = async (options: Parameters<typeof engine.runs.list>[0]) =>
      (await engine.runs.list({ order: "asc", ...options })).items.map(({ id }) => id);
    expect(await list({})).toEqual([kept.id]);
    expect(await list({ rolledBack: true })).toEqual([rolledBack.id]);
    expect(await list({ rolledBack: "any" })).toEqual([rolledBack.id, kept.id]);
    expect(await engine.runs.count()).toBe(1);
    expect((await engine.runs.get(rolledBack.id)).id).toBe(rolledBack.id);
  });

  test("events keep their numbers; the terminal one says from where on they are void", async () => {
    const { worker, thread } = await start();
    await thread.start(worker.agent, 1);
    (await worker.next()).finish();
    const run = await thread.start(worker.agent, 2);
    const turn = await worker.next();
    const reading = read(run.events());
    await turn.context.emit("log", { level: "info", message: "half" });
    await turn.context.checkpoint({ n: 2 });
    await run.cancel({ rollback: true });
    turn.fail(turn.context.signal.reason);
    const frames = await reading.ended;
    expect(namesOf(frames)).toEqual(["run_started", "log", "values_updated", "run_canceled"]);
    expect(eventsOf(frames).at(-1)?.payload).toEqual({
      reason: { kind: "rolled_back" },
      rolledBack: { fromSeq: seqsOf(frames)[0] },
    });
    const next = await thread.start(worker.agent, 3);
    (await worker.next()).finish();
    expect(seqsOf(await read(next.events()).ended)[0]).toBe((seqsOf(frames).at(-1) as number) + 1);
  });

  test("a reader in the middle of the run sees every number once and then the end", async () => {
    const { worker, thread } = await start();
    const before = JSON.stringify(await thread.values());
    const all = read(thread.events({ after: 0 }));
    const run = await thread.start(worker.agent, null);
    const turn = await worker.next();
    const half = 40;
    for (let n = 0; n < half; n++) {
      await turn.context.emit("log", { level: "info", message: `${n}` });
      if (n % 10 === 0) await turn.context.checkpoint({ n });
    }
    const early: EventFrame[] = [];
    for await (const frame of run.events()) {
      if (frame.kind === "event") early.push(frame);
      if (early.length === half / 2) break;
    }
    const late = read(run.events({ after: early.at(-1)?.seq as number }));
    await run.cancel({ rollback: true });
    turn.finish({ values: { n: "never" } });
    const whole = [...early, ...eventsOf(await late.ended)];
    const numbers = seqsOf(whole);
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] as number) + index));
    expect(whole.at(-1)).toMatchObject({ type: "run_canceled", payload: { rolledBack: { fromSeq: numbers[0] } } });
    expect(namesOf(whole).filter((name) => name === "log")).toHaveLength(half);
    expect(JSON.stringify(await thread.values())).toBe(before);
    await thread.delete();
    expect(seqsOf(await all.ended)).toEqual(numbers);
  });

  test("of a run that waits for its turn: it never runs, nothing else changes", async () => {
    const { worker, thread } = await start();
    const active = await thread.start(worker.agent, 1);
    const turn = await worker.next();
    const queued = await thread.start(worker.agent, 2);
    expect(await queued.cancel({ rollback: true, wait: true })).toEqual({ outcome: "canceled", stopped: true });
    expect(await queued.info()).toMatchObject({ rolledBack: true, attempt: 0 });
    turn.finish({ output: "kept" });
    expect(await active.result()).toBe("kept");
  });

  test("a cancel that is under way can still become one", async () => {
    const { worker, thread } = await start();
    const run = await thread.start(worker.agent, null);
    const turn = await worker.next();
    await turn.context.checkpoint({ n: 2 });
    await run.cancel();
    await run.cancel({ rollback: true });
    turn.fail(turn.context.signal.reason);
    expect(await run.settled()).toMatchObject({ reason: { kind: "rolled_back" } });
    expect(await thread.values()).toMatchObject({ n: 1.5 });
  });

  test("a keyed event of the run can be emitted again by another run of its thread", async () => {
    const { worker, thread } = await start();
    for (const round of [1, 2]) {
      const run = await thread.start(worker.agent, round);
      const turn = await worker.next();
      await turn.context.emit("log", { level: "info", message: `round ${round}` }, { key: "once" });
      await run.cancel({ rollback: true });
      turn.fail(turn.context.signal.reason);
      expect(namesOf(await read(run.events()).ended)).toEqual(["run_started", "log", "run_canceled"]);
    }
  });

  test("after a crash, by whoever finds the run", async () => {
    const { worker, thread, engine, advance } = await start();
    const run = await thread.start(worker.agent, null);
    const turn = await worker.next();
    await turn.context.checkpoint({ n: 2 });
    await run.cancel({ rollback: true, grace: 100 });
    await advance(101);
    expect(await run.settled()).toMatchObject({ reason: { kind: "rolled_back" } });
    expect(await (await engine.threads.get(thread.id)).values()).toMatchObject({ n: 1.5 });
    await expect(turn.context.checkpoint({ n: 5 })).rejects.toMatchObject({ code: "LEASE_LOST" });
  });

  test("of many by filter", async () => {
    const { worker, thread, engine } = await start();
    await thread.start(worker.agent, 1);
    const turn = await worker.next();
    await turn.context.checkpoint({ n: 9 });
    await thread.start(worker.agent, 2);
    expect(await engine.runs.cancelMany({ threadId: thread.id }, { rollback: true })).toEqual({ canceled: 2 });
    turn.fail(turn.context.signal.reason);
    await thread.start(worker.agent, 3);
    const last = await worker.next();
    expect(last.context).toMatchObject({ input: 3, values: { n: 1.5 } });
    last.finish();
  });

  test("a wrong option is refused", async () => {
    const { worker, thread } = await start();
    const run = await thread.start(worker.agent, null);
    await refusal("INVALID_ARGUMENT", () => run.cancel({ rollback: "yes" as never }));
    (await worker.next()).finish();
  });
});
