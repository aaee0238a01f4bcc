/** `startMany`: all are accepted, in one transaction, or none is. */

import { expect, test } from "vitest";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

onEveryStorage("many runs start together", (kind) => {
  test("handles come in the order of the starts; stateless and thread runs mix", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const runs = await engine.runs.startMany([
      { agent: worker.agent, input: "a" },
      { agent: worker.agent, input: "b", threadId: thread.id },
      { agent: worker.agent, input: "c", options: { metadata: { n: 3 }, priority: 5 } },
    ]);
    expect(runs.map(({ threadId }) => threadId)).toEqual([undefined, thread.id, undefined]);
    for (let n = 0; n < 3; n++) {
      const { context, finish } = await worker.next();
      finish({ output: `${context.input}!` });
    }
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(["a!", "b!", "c!"]);
    expect(await runs[2]?.info()).toMatchObject({ metadata: { n: 3 }, priority: 5 });
  });

  test("runs of one batch queue up in their thread", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const runs = await engine.runs.startMany(
      ["a", "b", "c"].map((input) => ({ agent: worker.agent, input, threadId: thread.id })),
    );
    for (const input of ["a", "b", "c"]) {
      const turn = await worker.next();
      expect(turn.context.input).toBe(input);
      turn.finish({ output: input });
    }
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(["a", "b", "c"]);
  });

  test("one refusal in the transaction takes all back", async () => {
    const worker = handDriven();
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    await refusal("THREAD_BUSY", () =>
      engine.runs.startMany([
        { agent: worker.agent, input: "a", threadId: thread.id },
        { agent: worker.agent, input: "b" },
        { agent: worker.agent, input: "c", threadId: thread.id },
      ]),
    );
    await advance(60_000);
    expect(await engine.runs.count()).toBe(0);
    expect(worker.turns).toHaveLength(0);
    expect(await thread.info()).toMatchObject({ status: "idle", lastSeq: 0, queueLength: 0 });
  });

  test.each([
    ["an unknown agent", { agent: { name: "nobody" }, input: null }, "UNKNOWN_AGENT"],
    ["a thread that is not there", { agent: { name: "worker" }, input: null, threadId: "none" }, "THREAD_NOT_FOUND"],
    ["bad metadata", { agent: { name: "worker" }, input: null, options: { metadata: { n: 1n } } }, "INVALID_JSON"],
  ] as const)("%s refuses the whole batch", async (_, bad, code) => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    await refusal(code, () => engine.runs.startMany([{ agent: worker.agent, input: "good" }, bad]));
    expect(await engine.runs.count()).toBe(0);
  });

  test("none is many, too", async () => {
    const { engine } = await setUp(kind);
    expect(await engine.runs.startMany([])).toEqual([]);
  });

  test("a repeated idempotency key gives the run that is there, also within one batch", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const one = { agent: worker.agent, input: 1, options: { idempotencyKey: "k" } };
    const [a, b] = await engine.runs.startMany([one, one]);
    const [c] = await engine.runs.startMany([one]);
    expect([b?.id, c?.id]).toEqual([a?.id, a?.id]);
    expect(await engine.runs.count()).toBe(1);
    (await worker.next()).finish({ output: "once" });
    expect(await c?.result()).toBe("once");
  });

  test("a run that is deleted on completion still answers those who started it", async () => {
    const worker = handDriven({ onCompletion: "delete" });
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const [run] = await engine.runs.startMany([{ agent: worker.agent, input: 1 }]);
    (await worker.next()).finish({ output: "gone" });
    await quiet();
    expect(await engine.runs.count()).toBe(0);
    expect(await run?.result()).toBe("gone");
  });

  test("a thousand at once", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent], concurrency: Number.POSITIVE_INFINITY });
    const runs = await engine.runs.startMany(
      Array.from({ length: 1_000 }, (_, n) => ({ agent: worker.agent, input: n })),
    );
    await quiet();
    expect(worker.turns).toHaveLength(1_000);
    for (const turn of worker.turns) turn.finish({ output: turn.context.input });
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
  });
});
