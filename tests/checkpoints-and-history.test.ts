/** Every checkpoint reads back as it was committed, for ever; history shows what happened; copies share it. */

import type { Json, JsonObject } from "@heddle/core";
import { defineAgent } from "@heddle/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { size } from "./size.js";
import { onEveryStorage } from "./storages.js";

const put = defineAgent({ name: "put", run: ({ input }) => ({ values: input as JsonObject }) });

/** Small trees over few keys, so that changes meet each other. */
const tree = fc.letrec<{ json: Json; object: JsonObject }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom<Json>(null, true, 0, 1, "a", "ab", "\u0000", "😀"),
    fc.array(tie("json"), { maxLength: 5 }),
    tie("object"),
  ),
  object: fc.dictionary(fc.constantFrom("a", "b", "c", "__proto__", "x.y", ""), tie("json"), {
    maxKeys: 4,
  }) as fc.Arbitrary<JsonObject>,
}));

onEveryStorage("checkpoints and history", (kind) => {
  test("every checkpoint of any history reads back deep-equal, from a cold start too", {
    timeout: 60_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(tree.object, { minLength: 1, maxLength: 25 }), async (updates) => {
        const { engine, join, close } = await setUp(kind, { agents: [put] });
        const thread = await engine.threads.create({ id: "t" });
        const expected: JsonObject[] = [];
        for (const update of updates) {
          await (await thread.start(put, update)).result();
          expected.unshift({ ...expected[0], ...update });
        }
        const cold = await join();
        for (const each of [engine, cold.engine]) {
          const thread = await each.threads.get("t");
          const history = await thread.history({ limit: 100 });
          expect(history).toHaveLength(expected.length);
          for (const [index, { id }] of history.entries()) expect(await thread.valuesAt(id)).toEqual(expected[index]);
          expect(await thread.values()).toEqual(expected[0]);
        }
        await cold.close();
        await close();
      }),
      { numRuns: size(15, kind.fullShare * 200) },
    );
  });

  test("a thread that only appends stores each thing once; one that rewrites stores a snapshot now and then", async () => {
    const { engine } = await setUp(kind, { agents: [put] });
    const growing = await engine.threads.create();
    const rewriting = await engine.threads.create({ values: { base: "z".repeat(10_000) } });
    let messages: Json[] = [];
    for (let n = 0; n < 150; n++) {
      messages = [...messages, `message ${n} ${"x".repeat(100)}`];
      await (await growing.start(put, { messages })).result();
      await (await rewriting.start(put, { draft: `${n} ${"y".repeat(3_000)}` })).result();
    }
    const stored = async (thread: typeof growing) => {
      const pages = [await thread.history({ limit: 100 })];
      pages.push(await thread.history({ limit: 100, before: pages[0]?.at(-1)?.id ?? "" }));
      return pages.flat().map(({ storedBytes }) => storedBytes);
    };
    const appended = await stored(growing);
    expect(appended).toHaveLength(150);
    const live = JSON.stringify(await growing.values()).length;
    expect(appended.reduce((a, b) => a + b, 0)).toBeLessThan(1.5 * live);
    // Newest first. What is read for any state: the deltas back to a snapshot, at most about three times the state.
    const rewritten = await stored(rewriting);
    const state = JSON.stringify(await rewriting.values()).length;
    let sinceSnapshot = 0;
    for (const bytes of rewritten.toReversed().slice(1)) {
      sinceSnapshot = bytes > 10_000 ? 0 : sinceSnapshot + bytes;
      expect(sinceSnapshot).toBeLessThanOrEqual(2 * state);
    }
    expect(rewritten.filter((bytes) => bytes > 10_000).length).toBeLessThan(20);
    expect((await rewriting.values()).draft).toBe(`149 ${"y".repeat(3_000)}`);
    const ids = (await rewriting.history({ limit: 100 })).map(({ id }) => id);
    for (const [index, id] of ids.entries())
      expect((await rewriting.valuesAt(id)).draft).toMatch(new RegExp(`^${149 - index} y`));
  });

  test("history says who wrote what, newest first, page by page", async () => {
    const worker = handDriven();
    const { engine, clock } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create({ values: { n: 0 } });
    const created = clock.now();
    await clock.advance(1_000);
    const run = await thread.start(worker.agent, null);
    const { context, finish } = await worker.next();
    await context.checkpoint({ n: 1 });
    finish({ values: { n: 2 } });
    await run.result();
    const history = await thread.history();
    expect(history).toMatchObject([
      { runId: run.id, kind: "final", attempt: 1, createdAt: new Date(created + 1_000), valuesBytes: 7 },
      { runId: run.id, kind: "mid", attempt: 1 },
      { runId: undefined, kind: "initial", attempt: 0, createdAt: new Date(created), parentId: undefined },
    ]);
    expect(history.map(({ parentId }) => parentId)).toEqual([history[1]?.id, history[2]?.id, undefined]);
    expect((await thread.info()).headCheckpointId).toBe(history[0]?.id);
    const first = await thread.history({ limit: 1 });
    const rest = await thread.history({ before: first[0]?.id ?? "" });
    expect([...first, ...rest]).toEqual(history);
    expect(await thread.history({ before: history[2]?.id ?? "" })).toEqual([]);
  });

  test("each run that ended while active left exactly one final checkpoint, failed and canceled ones an unchanged one", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create({ values: { n: 0 } });
    const [ok, failed, canceled, never] = [
      await thread.start(worker.agent, 1),
      await thread.start(worker.agent, 2),
      await thread.start(worker.agent, 3),
      await thread.start(worker.agent, 4),
    ];
    await never.cancel();
    (await worker.next()).finish({ values: { n: 1 } });
    (await worker.next()).fail(new Error("boom"));
    const turn = await worker.next();
    await canceled.cancel();
    turn.finish({ values: { n: 3 } });
    await canceled.settled();
    const history = await thread.history();
    expect(
      history.map(({ runId, kind, valuesBytes, storedBytes }) => [runId, kind, valuesBytes, storedBytes > 0]),
    ).toEqual([
      [canceled.id, "final", undefined, false],
      [failed.id, "final", undefined, false],
      [ok.id, "final", 7, true],
      [undefined, "initial", 7, true],
    ]);
    expect(await Promise.all(history.map(({ id }) => thread.valuesAt(id)))).toEqual([
      { n: 1 },
      { n: 1 },
      { n: 1 },
      { n: 0 },
    ]);
  });

  test("a checkpoint of another thread, or of nobody, is not found", async () => {
    const { engine } = await setUp(kind, { agents: [put] });
    const [a, b] = [
      await engine.threads.create({ values: { a: 1 } }),
      await engine.threads.create({ values: { b: 1 } }),
    ];
    const [foreign] = await b.history();
    await refusal("CHECKPOINT_NOT_FOUND", () => a.valuesAt(foreign?.id ?? ""));
    await refusal("CHECKPOINT_NOT_FOUND", () => a.history({ before: foreign?.id ?? "" }));
    await refusal("CHECKPOINT_NOT_FOUND", () => a.valuesAt("chk_none"));
    const copy = await a.copy();
    await (await a.start(put, { later: true })).result();
    await refusal("CHECKPOINT_NOT_FOUND", () => a.history().then(([head]) => copy.valuesAt(head?.id ?? "")));
  });

  test("what was read cannot be changed, and reading again gives the same", async () => {
    const { engine } = await setUp(kind, { agents: [put] });
    const thread = await engine.threads.create({ values: { list: [{ n: 1 }] } });
    const values = (await thread.values()) as { list: { n: number }[] };
    expect(() => values.list.push({ n: 2 })).toThrow(TypeError);
    expect(() => Object.assign(values.list[0] ?? {}, { n: 2 })).toThrow(TypeError);
    expect(await thread.values()).toEqual({ list: [{ n: 1 }] });
  });
});
