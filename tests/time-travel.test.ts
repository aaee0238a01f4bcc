/** Any checkpoint can be read, edited, forked, replayed; what is left behind stays, and leaks into nothing. */

import type { JsonObject, ThreadHandle } from "@heddle/core";
import { defineAgent, REMOVE } from "@heddle/core";
import { expect, test } from "vitest";
import { z } from "zod";
import { read } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const put = defineAgent({ name: "put", run: ({ input }) => ({ values: input as JsonObject }) });
const counter = defineAgent({
  name: "counter",
  values: z.object({ count: z.number().default(0), log: z.array(z.string()).default([]) }),
  run: ({ values, input }) => ({
    output: values.count,
    values: { count: values.count + 1, log: [...values.log, String(input)] },
  }),
});

async function turns(thread: ThreadHandle, inputs: readonly string[]): Promise<string[]> {
  const heads: string[] = [];
  for (const input of inputs) {
    await (await thread.start(counter, input)).result();
    heads.push((await thread.info()).headCheckpointId ?? "");
  }
  return heads;
}

onEveryStorage("time travel", (kind) => {
  test("a branch goes on from an older checkpoint; what it left is readable and leaks into nothing", async () => {
    const { engine, join } = await setUp(kind, { agents: [counter] });
    const thread = await engine.threads.create();
    const [one, two, three] = (await turns(thread, ["a", "b", "c"])) as [string, string, string];
    await thread.branch(one);
    expect(await thread.values()).toEqual({ count: 1, log: ["a"] });
    const run = await thread.start(counter, "x");
    expect(await run.result()).toBe(1);
    const branch = await thread.values();
    expect(branch).toEqual({ count: 2, log: ["a", "x"] });
    const cold = (await join({ agents: [counter] })).engine;
    for (const handle of [thread, await cold.threads.get(thread.id)]) {
      expect(await handle.valuesAt(three)).toEqual({ count: 3, log: ["a", "b", "c"] });
      expect(await handle.values()).toEqual(branch);
      const line = (await handle.history()).map(({ id }) => id);
      expect(line).toEqual([(await handle.info()).headCheckpointId, one]);
      const tree = await handle.history({ branches: true });
      expect(tree.map(({ id }) => id)).toEqual([line[0], three, two, one]);
      expect(tree.map(({ parentId }) => parentId)).toEqual([one, two, one, undefined]);
    }
    await thread.branch(three);
    expect(await (await thread.start(counter, "d")).result()).toBe(3);
  });

  test("the whole tree is listed page by page, with what a copy shares at its end", async () => {
    const { engine } = await setUp(kind, { agents: [counter] });
    const source = await engine.threads.create({ values: { count: 0 } });
    const heads = await turns(source, ["a", "b", "c"]);
    await source.branch(heads[0] ?? "");
    const [left] = await turns(source, ["x"]);
    const copy = await source.copy({ at: heads[1] ?? "" });
    const own = await turns(copy, ["y", "z"]);
    const initial = (await source.history()).at(-1)?.id;
    for (const limit of [1, 2, 3, 50]) {
      expect(await pages(source, limit)).toEqual([left, ...heads.toReversed(), initial]);
      expect(await pages(copy, limit)).toEqual([...own.toReversed(), heads[1], heads[0], initial]);
    }
  });

  test("a replay begins at its checkpoint, at once or when its turn comes", async () => {
    const { engine } = await setUp(kind, { agents: [counter] });
    const thread = await engine.threads.create();
    const [one] = await turns(thread, ["a", "b", "c"]);
    const again = await thread.start(counter, "b2", { from: one ?? "" });
    expect(await again.result()).toBe(1);
    expect(await thread.values()).toEqual({ count: 2, log: ["a", "b2"] });
    const worker = handDriven();
    const busy = await setUp(kind, { agents: [worker.agent, counter] });
    const other = await busy.engine.threads.create();
    const [first] = await turns(other, ["a", "b"]);
    await other.start(worker.agent, null);
    const turn = await worker.next();
    const waiting = await other.start(counter, "r", { from: first ?? "", whenBusy: "enqueue" });
    const behind = await other.start(counter, "s", { whenBusy: "enqueue" });
    turn.finish({ values: { held: true } });
    expect([await waiting.result(), await behind.result()]).toEqual([1, 2]);
    expect(await other.values()).toEqual({ count: 3, log: ["a", "r", "s"] });
  });

  test("values are edited by the schema of the agent that is named, or was active last, or of none", async () => {
    const { engine } = await setUp(kind, { agents: [counter, put] });
    const thread = await engine.threads.create({ values: { free: [1] } });
    const { checkpointId, values } = await thread.updateValues({ free: { any: "json" }, more: 1 });
    expect(values).toEqual({ free: { any: "json" }, more: 1 });
    expect(await thread.values()).toEqual(values);
    expect(await thread.valuesAt(checkpointId)).toEqual(values);
    const [head] = await thread.history();
    expect(head).toMatchObject({ id: checkpointId, kind: "update", runId: undefined });
    await refusal("INVALID_VALUES", () => thread.updateValues({ count: "many" }, { agent: counter }));
    await thread.updateValues({ count: 5 }, { agent: "counter" });
    await turns(thread, ["a"]);
    const error = await refusal("INVALID_VALUES", () => thread.updateValues({ count: "many" }));
    expect(error.details).toMatchObject({ path: expect.anything() });
    await refusal("INVALID_VALUES", () => thread.updateValues({ free: 1 }));
    await thread.updateValues({ free: REMOVE, log: ["edited"] }, { agent: put });
    expect(await (await thread.start(counter, "b")).result()).toBe(6);
    expect(await thread.values()).toEqual({ more: 1, count: 7, log: ["edited", "b"] });
  });

  test("an edit of an older checkpoint is a branch from there", async () => {
    const { engine } = await setUp(kind, { agents: [counter] });
    const thread = await engine.threads.create();
    const heads = await turns(thread, ["a", "b"]);
    await thread.updateValues({ count: 100 }, { at: heads[0] ?? "" });
    expect(await thread.values()).toEqual({ count: 100, log: ["a"] });
    const [edit] = await thread.history();
    expect(edit?.parentId).toBe(heads[0]);
    expect(await thread.valuesAt(heads[1] ?? "")).toEqual({ count: 2, log: ["a", "b"] });
  });

  test("edits and branches are in the thread's log, for those who watch", async () => {
    const { engine, quiet } = await setUp(kind, { agents: [counter] });
    const thread = await engine.threads.create();
    const [head] = await turns(thread, ["a"]);
    const watching = read(thread.events());
    await quiet();
    const { checkpointId } = await thread.updateValues({ count: 9 });
    await thread.branch(head ?? "");
    await quiet();
    const events = watching.frames.filter((frame) => frame.kind === "event");
    expect(events).toMatchObject([
      { type: "values_updated", runId: null, payload: { checkpointId, changedKeys: ["count"] } },
      { type: "values_updated", runId: null, payload: { checkpointId: head } },
    ]);
    expect(events[1]?.payload).not.toHaveProperty("changedKeys");
    await thread.delete();
    await watching.ended;
  });

  test("many edits at once are all kept: none overwrites another", async () => {
    const first = await setUp(kind, { agents: [] });
    const second = await first.join();
    const thread = await first.engine.threads.create();
    const handles = [thread, await second.engine.threads.get(thread.id)];
    await Promise.all(Array.from({ length: 12 }, (_, n) => handles[n % 2]?.updateValues({ [`key${n}`]: n })));
    expect(await thread.values()).toEqual(Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`key${n}`, n])));
    expect(await thread.history({ limit: 100 })).toHaveLength(12);
  });

  test("a fork is a thread of its own: it and its source go different ways, and outlive each other", async () => {
    const { engine } = await setUp(kind, { agents: [counter] });
    const source = await engine.threads.create({ title: "source" });
    const heads = await turns(source, ["a", "b", "c"]);
    const forks = await Promise.all(heads.map((at) => source.copy({ at })));
    for (const [index, fork] of forks.entries()) {
      expect((await fork.info()).title).toBe("source");
      expect(await (await fork.start(counter, "f")).result()).toBe(index + 1);
    }
    expect(await source.values()).toEqual({ count: 3, log: ["a", "b", "c"] });
    await source.delete();
    for (const [index, fork] of forks.entries())
      expect((await fork.values()).log).toEqual([...["a", "b", "c"].slice(0, index + 1), "f"]);
    const grandchild = await forks[2]?.copy({ at: heads[0] ?? "" });
    expect(await grandchild?.values()).toEqual({ count: 1, log: ["a"] });
    await refusal("CHECKPOINT_NOT_FOUND", () => forks[0]?.valuesAt(heads[2] ?? ""));
  });

  test("what is refused is refused by name and changes nothing", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent, counter] });
    const thread = await engine.threads.create({ values: { n: 1 } });
    const other = await engine.threads.create({ values: { n: 2 } });
    const foreign = (await other.info()).headCheckpointId ?? "";
    const head = (await thread.info()).headCheckpointId ?? "";
    const unchanged = async () => [
      await thread.info(),
      await thread.history({ branches: true }),
      await thread.values(),
    ];
    const before = await unchanged();
    for (const wrong of ["chk_none", foreign, "", "\u0000", 7 as unknown as string, null as unknown as string]) {
      await refusal("CHECKPOINT_NOT_FOUND", () => thread.branch(wrong));
      await refusal("CHECKPOINT_NOT_FOUND", () => thread.copy({ at: wrong }));
      await refusal("CHECKPOINT_NOT_FOUND", () => thread.valuesAt(wrong));
      await refusal("CHECKPOINT_NOT_FOUND", () => thread.start(counter, 1, { from: wrong }));
      await refusal("CHECKPOINT_NOT_FOUND", () => thread.updateValues({ n: 3 }, { at: wrong }));
      await refusal("CHECKPOINT_NOT_FOUND", () => thread.history({ before: wrong, branches: true }));
    }
    await refusal("INVALID_JSON", () => thread.updateValues({ n: Number.NaN }));
    await refusal("INVALID_JSON", () => thread.updateValues(null as never));
    await refusal("INVALID_ARGUMENT", () => thread.updateValues({}, null as never));
    await refusal("UNKNOWN_AGENT", () => thread.updateValues({}, { agent: "nobody" }));
    await refusal("INVALID_ARGUMENT", () => engine.runs.start(counter, 1, { from: head } as never));
    await refusal("THREAD_NOT_FOUND", () => engine.threads.get("none"));
    await other.delete();
    await refusal("THREAD_NOT_FOUND", () => other.updateValues({ n: 1 }));
    await refusal("THREAD_NOT_FOUND", () => other.branch(foreign));
    expect(await unchanged()).toEqual(before);
    const run = await thread.start(worker.agent, null);
    const turn = await worker.next();
    const busy = await unchanged();
    for (const attempt of [
      () => thread.updateValues({ n: 5 }),
      () => thread.updateValues({}, { at: head }),
      () => thread.branch(head),
    ]) {
      expect((await refusal("THREAD_BUSY", attempt)).details.activeRunId).toBe(run.id);
    }
    expect(await unchanged()).toEqual(busy);
    turn.finish();
    await run.result();
    await thread.branch(head);
  });

  test("a run that is retried after a replay goes on from its own checkpoint, not from the old head", async () => {
    const worker = handDriven({ retry: { maxFailures: 2, delay: 10, jitter: "none" } });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent, counter] });
    const thread = await engine.threads.create();
    const [one] = await turns(thread, ["a", "b"]);
    const run = await thread.start(worker.agent, null, { from: one ?? "" });
    const first = await worker.next();
    expect(first.context.values).toEqual({ count: 1, log: ["a"] });
    await first.context.checkpoint({ mid: true });
    first.fail(new Error("once"));
    await advance(10);
    const second = await worker.next();
    expect(second.context.values).toEqual({ count: 1, log: ["a"], mid: true });
    second.finish();
    await run.result();
    expect(await thread.values()).toEqual({ count: 1, log: ["a"], mid: true });
  });
});

async function pages(thread: ThreadHandle, limit: number): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const before = ids.at(-1);
    const page = await thread.history({ branches: true, limit, ...(before === undefined ? {} : { before }) });
    if (page.length === 0) return ids;
    ids.push(...page.map(({ id }) => id));
  }
}
