/** What is kept of a thread's checkpoints, and that whatever is kept reads back the same. */

import type { JsonObject, ThreadHandle } from "@heddle/core";
import { defineAgent, HeddleError } from "@heddle/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { size } from "./size.js";
import { onEveryStorage } from "./storages.js";

const minute = 60_000;
const put = defineAgent({ name: "put", run: ({ input }) => ({ values: input as JsonObject }) });

async function grow(thread: ThreadHandle, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await (await thread.start(put, { n, [`k${n % 4}`]: n })).result();
}

async function valuesOfAll(thread: ThreadHandle): Promise<ReadonlyMap<string, JsonObject>> {
  const values = new Map<string, JsonObject>();
  for (const { id } of await thread.history({ branches: true, limit: 100 })) values.set(id, await thread.valuesAt(id));
  return values;
}

onEveryStorage("retention of checkpoints", (kind) => {
  test("prune keeps the newest, and they read back the same, also elsewhere", async () => {
    const { engine, join } = await setUp(kind, { pruned: true, agents: [put] });
    const thread = await engine.threads.create({ values: { big: "x".repeat(500) } });
    await grow(thread, 1, 9);
    const before = await valuesOfAll(thread);
    const usage = await thread.storage();
    expect(usage.checkpoints.rows).toBe(10);
    expect(await thread.prune({ keep: 3 })).toEqual({ removed: 7 });
    const kept = await thread.history();
    expect(kept.map(({ id }) => id)).toEqual([...before.keys()].slice(0, 3));
    expect(kept.at(-1)?.parentId).toBeUndefined();
    const other = await (await join()).engine.threads.get(thread.id);
    for (const { id } of kept)
      for (const each of [thread, other]) expect(await each.valuesAt(id)).toEqual(before.get(id));
    for (const id of [...before.keys()].slice(3)) {
      await refusal("CHECKPOINT_NOT_FOUND", () => thread.valuesAt(id));
      await refusal("CHECKPOINT_NOT_FOUND", () => thread.branch(id));
      await refusal("CHECKPOINT_NOT_FOUND", () => thread.copy({ at: id }));
      await refusal("CHECKPOINT_NOT_FOUND", () => thread.start(put, {}, { from: id }));
    }
    expect((await thread.storage()).checkpoints.rows).toBe(3);
    expect(await thread.prune({ keep: 3 })).toEqual({ removed: 0 });
    await grow(thread, 10, 11);
    expect(await thread.values()).toMatchObject({ n: 11, big: "x".repeat(500) });
    expect(await thread.prune({ keep: 1 })).toEqual({ removed: 4 });
    expect(await thread.values()).toMatchObject({ n: 11, k3: 11, k2: 10 });
    expect(await other.values()).toEqual(await thread.values());
  });

  test("prune by age keeps the head whatever its age, and is told what it may not be told", async () => {
    const { engine, advance } = await setUp(kind, { pruned: true, agents: [put] });
    const thread = await engine.threads.create();
    await grow(thread, 1, 3);
    await advance(minute);
    await grow(thread, 4, 5);
    expect(await thread.prune({ olderThan: minute / 2 })).toEqual({ removed: 3 });
    await advance(10 * minute);
    expect(await thread.prune({ olderThan: minute })).toEqual({ removed: 1 });
    expect(await thread.values()).toMatchObject({ n: 5 });
    for (const wrong of [{}, { keep: 0 }, { keep: "all" }, { olderThan: -1 }, null])
      await refusal("INVALID_ARGUMENT", () => thread.prune(wrong as never));
    await thread.delete();
    await refusal("THREAD_NOT_FOUND", () => thread.prune({ keep: 1 }));
  });

  test("copies, branches, runs under way and replays that wait keep what they need", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { pruned: true, agents: [put, worker.agent] });
    const thread = await engine.threads.create();
    await grow(thread, 1, 8);
    const ids = [...(await valuesOfAll(thread)).keys()].reverse();
    const at = (n: number): string => ids[n - 1] as string;
    const copy = await thread.copy({ at: at(2) });
    const active = await thread.start(worker.agent, null, { from: at(6) });
    const turn = await worker.next();
    await turn.context.checkpoint({ mid: true });
    const replay = await thread.start(put, { replayed: true }, { from: at(4), whenBusy: "enqueue" });
    await thread.prune({ keep: 1 });
    expect(await copy.values()).toMatchObject({ n: 2 });
    turn.finish({ values: { end: true } });
    await active.result();
    await replay.result();
    expect(await thread.values()).toEqual({ n: 4, k0: 4, k1: 1, k2: 2, k3: 3, replayed: true });
    await thread.prune({ keep: 1 });
    expect(await thread.values()).toMatchObject({ n: 4, replayed: true });
    expect(await copy.values()).toMatchObject({ n: 2 });
    await copy.delete();
    await thread.prune({ keep: 1 });
    expect((await thread.storage()).checkpoints.rows).toBe(1);
  });

  test("the sweep keeps threads near their bound, and what gets old goes without anybody touching it", async () => {
    const retention = { checkpoints: { keep: 4, maxAge: 40 * minute }, sweep: minute };
    const { engine, advance } = await setUp(kind, { pruned: true, agents: [put], retention });
    const errors: unknown[] = [];
    engine.on("error", ({ error }) => errors.push(error));
    const threads = await Promise.all([1, 2, 3].map(() => engine.threads.create()));
    for (const thread of threads) await grow(thread, 1, 9);
    await advance(2 * minute);
    for (const thread of threads) {
      expect((await thread.history()).length).toBeLessThanOrEqual(5);
      expect(await thread.values()).toMatchObject({ n: 9, k0: 8, k1: 9 });
    }
    await advance(60 * minute);
    for (const thread of threads) {
      expect(await thread.history()).toHaveLength(1);
      expect(await thread.values()).toMatchObject({ n: 9, k0: 8, k1: 9 });
    }
    expect(errors).toEqual([]);
  });

  test("several engines may prune one thread at once, while it grows", async () => {
    const first = await setUp(kind, { pruned: true, agents: [put] });
    const second = await first.join({ agents: [put] });
    const thread = await first.engine.threads.create();
    const other = await second.engine.threads.get(thread.id);
    await grow(thread, 1, 20);
    const [a, b] = await Promise.all([
      thread.prune({ keep: 5 }),
      other.prune({ keep: 3 }),
      grow(thread, 21, 24),
      thread.prune({ keep: 2 }),
    ]);
    expect((a?.removed ?? 0) + (b?.removed ?? 0)).toBeGreaterThan(0);
    const values = await valuesOfAll(other);
    for (const each of values.values()) expect(Object.keys(each)).toContain("n");
    expect(await other.values()).toEqual({ n: 24, k0: 24, k1: 21, k2: 22, k3: 23 });
  });

  test("any tree of runs, edits, branches, forks and prunes reads back as a plain model of it", {
    timeout: 120_000,
  }, async () => {
    const runs = size(12, Math.ceil(kind.fullShare * 150));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const { engine, join, close } = await setUp(kind, { pruned: true, agents: [put] });
        const cold = await join({ agents: [put] });
        await new Model(engine.threads, cold.engine.threads).play(steps);
        await cold.close();
        await close();
      }),
      { numRuns: runs, interruptAfterTimeLimit: 100_000 },
    );
  });
});

const pick = fc.nat(1_000);
const value = fc.dictionary(
  fc.constantFrom("a", "b", "c"),
  fc.oneof(fc.nat(9), fc.array(fc.nat(9), { maxLength: 4 })),
  {
    minKeys: 1,
    maxKeys: 2,
  },
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("run" as const), thread: pick, value }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("replay" as const), thread: pick, at: pick, value }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("edit" as const), thread: pick, value }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("editAt" as const), thread: pick, at: pick, value }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("branch" as const), thread: pick, at: pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("fork" as const), thread: pick, at: pick }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("prune" as const), thread: pick, keep: fc.integer({ min: 1, max: 6 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), thread: pick }) },
);
type ModelStep = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

interface ModelThread {
  readonly handle: ThreadHandle;
  /** What it can see, oldest first: checkpoint and the values there. */
  readonly seen: Map<string, JsonObject>;
  head: string;
}

/** Values per checkpoint, in plain maps. */
class Model {
  readonly #threads: ModelThread[] = [];
  readonly #here: { create(): Promise<ThreadHandle> };
  readonly #elsewhere: { get(id: string): Promise<ThreadHandle> };

  constructor(here: { create(): Promise<ThreadHandle> }, elsewhere: { get(id: string): Promise<ThreadHandle> }) {
    this.#here = here;
    this.#elsewhere = elsewhere;
  }

  async play(steps: readonly ModelStep[]): Promise<void> {
    for (const each of steps) await this.#step(each);
    for (const thread of this.#threads) await this.#check(thread);
  }

  async #step(step: ModelStep): Promise<void> {
    if (this.#threads.length === 0) await this.#create();
    const thread = this.#threads[step.thread % this.#threads.length] as ModelThread;
    const ids = [...thread.seen.keys()];
    const at = "at" in step ? (ids[step.at % ids.length] as string) : thread.head;
    const { handle } = thread;
    switch (step.kind) {
      case "run":
      case "replay": {
        const run = await handle.start(put, step.value, step.kind === "replay" ? { from: at } : {});
        await run.result();
        return this.#moved(thread, at, step.value, (await handle.info()).headCheckpointId as string);
      }
      case "edit":
      case "editAt": {
        const { checkpointId } = await handle.updateValues(step.value, step.kind === "editAt" ? { at } : {});
        return this.#moved(thread, at, step.value, checkpointId);
      }
      case "branch":
        await handle.branch(at);
        thread.head = at;
        return;
      case "fork":
        return this.#fork(thread, at);
      case "prune":
        return this.#prune(thread, step.keep);
      case "delete":
        await handle.delete();
        this.#threads.splice(this.#threads.indexOf(thread), 1);
        for (const each of this.#threads) await this.#check(each);
    }
  }

  async #create(): Promise<void> {
    const handle = await this.#here.create();
    const { checkpointId } = await handle.updateValues({ a: 0 });
    this.#threads.push({ handle, seen: new Map([[checkpointId, { a: 0 }]]), head: checkpointId });
  }

  #moved(thread: ModelThread, from: string, value: JsonObject, to: string): void {
    thread.seen.set(to, { ...thread.seen.get(from), ...value });
    thread.head = to;
  }

  async #fork(thread: ModelThread, at: string): Promise<void> {
    const handle = await thread.handle.copy({ at });
    const line = await handle.history({ limit: 100 });
    const seen = new Map(line.toReversed().map(({ id }) => [id, thread.seen.get(id) as JsonObject]));
    expect([...seen.values()]).not.toContain(undefined);
    this.#threads.push({ handle, seen, head: at });
  }

  /** What is gone must be old: the head and the newest stay. */
  async #prune(thread: ModelThread, keep: number): Promise<void> {
    await thread.handle.prune({ keep });
    const left = new Set((await thread.handle.history({ branches: true, limit: 100 })).map(({ id }) => id));
    expect(left.has(thread.head)).toBe(true);
    expect(left.size).toBeGreaterThanOrEqual(Math.min(keep, thread.seen.size));
    for (const id of thread.seen.keys()) if (!left.has(id)) await this.#forget(thread, id);
  }

  async #forget(thread: ModelThread, id: string): Promise<void> {
    await refusal("CHECKPOINT_NOT_FOUND", () => thread.handle.valuesAt(id));
    thread.seen.delete(id);
  }

  async #check(thread: ModelThread): Promise<void> {
    const cold = await this.#elsewhere.get(thread.handle.id);
    expect((await cold.info()).headCheckpointId).toBe(thread.head);
    expect(await cold.values()).toEqual(thread.seen.get(thread.head));
    for (const [id, values] of thread.seen) {
      const found = await cold.valuesAt(id).catch((error: unknown) => (HeddleError.is(error) ? error.code : error));
      expect(found, `thread ${thread.handle.id}, checkpoint ${id}`).toEqual(values);
    }
  }
}
