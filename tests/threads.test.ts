/** Threads: created, found, changed, copied, shared by several agents, and deleted for good. */

import { defineAgent } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { eventsOf, namesOf, read, seqsOf } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const hostileIds = [
  'it\'s "quoted"; drop table heddle_threads; --',
  "100%",
  "100_",
  "10",
  "100",
  "1000",
  "a",
  "a/b",
  "a/bc",
  "A",
  "t:a",
  "s",
  "r:run_1",
  "__proto__",
  "constructor",
  "null",
  "undefined",
  "0",
  " ",
  " a",
  "a ",
  "\t",
  "line\nbreak",
  "\\",
  "\\%",
  "ä",
  "a\u0308",
  "😀",
  "\uffff",
  "\u200b",
  "x".repeat(255),
];

onEveryStorage("a thread", (kind) => {
  describe("is created", () => {
    test("with a generated id and nothing in it", async () => {
      const { engine, clock } = await setUp(kind);
      const thread = await engine.threads.create();
      const now = new Date(clock.now());
      expect(await thread.info()).toEqual({
        id: thread.id,
        title: undefined,
        metadata: {},
        archived: false,
        status: "idle",
        activeRunId: undefined,
        queueLength: 0,
        agent: undefined,
        headCheckpointId: undefined,
        lastSeq: 0,
        createdAt: now,
        updatedAt: now,
      });
      expect(await thread.values()).toEqual({});
      expect(await thread.history()).toEqual([]);
      expect(await thread.queue()).toEqual([]);
    });

    test("with id, title, metadata and values of one's own", async () => {
      const { engine } = await setUp(kind);
      const metadata = { user: "u1", n: 1, nested: { deep: [true, null] } };
      const thread = await engine.threads.create({
        id: "mine",
        title: "My thread",
        metadata,
        values: { messages: ["hi"] },
      });
      expect(await thread.info()).toMatchObject({ id: "mine", title: "My thread", metadata });
      expect(await thread.values()).toEqual({ messages: ["hi"] });
      expect(await thread.history()).toMatchObject([{ kind: "initial", runId: undefined, parentId: undefined }]);
    });

    test("once: a second one is refused and changes nothing", async () => {
      const { engine } = await setUp(kind);
      const thread = await engine.threads.create({ id: "mine", title: "first", values: { n: 1 } });
      const error = await refusal("THREAD_EXISTS", () =>
        engine.threads.create({ id: "mine", title: "second", values: { n: 2 } }),
      );
      expect(error.details).toEqual({ threadId: "mine" });
      expect(await thread.info()).toMatchObject({ title: "first" });
      expect(await thread.values()).toEqual({ n: 1 });
    });

    test("by whoever comes first: getOrCreate gives all the same", async () => {
      const { engine } = await setUp(kind);
      const threads = await Promise.all(
        Array.from({ length: 10 }, (_, n) => engine.threads.getOrCreate("mine", { title: `of ${n}`, values: { n } })),
      );
      expect(new Set(threads.map(({ id }) => id))).toEqual(new Set(["mine"]));
      expect(await engine.threads.count()).toBe(1);
      const { title } = await (await engine.threads.get("mine")).info();
      const { n } = await (await engine.threads.get("mine")).values();
      expect(title).toBe(`of ${n}`);
    });

    test("by a run, where it is told to", async () => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.getOrCreate("seen");
      await thread.delete();
      await refusal("THREAD_NOT_FOUND", () => thread.start(worker.agent, 1));
      const run = await thread.start(worker.agent, 1, { ifNotExists: "create" });
      (await worker.next()).finish({ values: { n: 1 } });
      await run.result();
      expect(await thread.values()).toEqual({ n: 1 });
    });

    test("under any id that text can hold, and no two are mixed up", async () => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      for (const id of hostileIds) {
        const thread = await engine.threads.create({ id, title: id, metadata: { [id]: id }, values: { [id]: id } });
        expect(thread.id).toBe(id);
      }
      for (const id of hostileIds) {
        const thread = await engine.threads.get(id);
        expect(await thread.info()).toMatchObject({ id, title: id });
        expect(await thread.values()).toEqual({ [id]: id });
        const found = await engine.threads.list({ metadata: { [id]: id } });
        expect(found.items.map((item) => item.id)).toEqual([id]);
        const run = await thread.start(worker.agent, id, { metadata: { [id]: id } });
        const turn = await worker.next();
        expect(turn.context.threadId).toBe(id);
        turn.finish({ output: id });
        expect(await run.result()).toBe(id);
        expect((await engine.runs.list({ threadId: id })).items.map((item) => item.id)).toEqual([run.id]);
      }
      expect(await engine.threads.count()).toBe(hostileIds.length);
      for (const id of hostileIds.filter((_, index) => index % 2 === 0)) await (await engine.threads.get(id)).delete();
      expect(await engine.threads.count()).toBe(Math.floor(hostileIds.length / 2));
      for (const id of hostileIds.filter((_, index) => index % 2 === 1)) {
        expect(
          seqsOf(
            await read((await engine.runs.get((await engine.runs.list({ threadId: id })).items[0]?.id ?? "")).events())
              .ended,
          ),
        ).toEqual([1, 2]);
      }
    });
  });

  describe("is found", () => {
    async function library() {
      const worker = handDriven();
      const world = await setUp(kind, { agents: [worker.agent] });
      const { engine, clock } = world;
      const make = async (id: string, metadata: Record<string, unknown>) => {
        await clock.advance(1_000);
        return engine.threads.create({ id, metadata });
      };
      const threads = {
        a: await make("a", { user: "u1", n: 1, on: true }),
        b: await make("b", { user: "u1", n: 2, list: [1] }),
        c: await make("c", { user: "u2", n: 1, on: false, none: null }),
        d: await make("d", { user: "U1", text: "100%" }),
      };
      const ids = async (options: Parameters<typeof engine.threads.list>[0]) =>
        (await engine.threads.list(options)).items.map(({ id }) => id);
      return { ...world, worker, threads, ids };
    }

    test("by equality of top-level metadata: type counts, wildcards are text", async () => {
      const { ids, engine } = await library();
      const by = (metadata: Record<string, string | number | boolean>) =>
        ids({ metadata, sortBy: "createdAt", order: "asc" });
      expect(await by({ user: "u1" })).toEqual(["a", "b"]);
      expect(await by({ user: "u1", n: 2 })).toEqual(["b"]);
      expect(await by({ n: 1 })).toEqual(["a", "c"]);
      expect(await by({ n: "1" })).toEqual([]);
      expect(await by({ on: true })).toEqual(["a"]);
      expect(await by({ on: 1 })).toEqual([]);
      expect(await by({ on: false })).toEqual(["c"]);
      expect(await by({ user: "u%" })).toEqual([]);
      expect(await by({ text: "100%" })).toEqual(["d"]);
      expect(await by({ text: "100_" })).toEqual([]);
      expect(await by({ list: "[1]" })).toEqual([]);
      expect(await by({ none: "null" })).toEqual([]);
      expect(await by({})).toEqual(["a", "b", "c", "d"]);
      expect(await engine.threads.count({ metadata: { user: "u1" } })).toBe(2);
    });

    test("by status, which is derived from its runs", async () => {
      const { worker, threads, ids } = await library();
      const status = async (status: "idle" | "busy" | "error" | "interrupted") =>
        ids({ status, sortBy: "createdAt", order: "asc" });
      expect(await status("idle")).toEqual(["a", "b", "c", "d"]);
      const busy = await threads.a.start(worker.agent, 1);
      const failed = await threads.b.start(worker.agent, 1);
      const [turn, bad] = [await worker.next(), await worker.next()];
      bad.fail(new Error("boom"));
      await failed.settled();
      expect([await status("busy"), await status("error"), await status("idle")]).toEqual([["a"], ["b"], ["c", "d"]]);
      expect(await ids({ status: ["busy", "error"], sortBy: "createdAt", order: "asc" })).toEqual(["a", "b"]);
      expect(await status("interrupted")).toEqual([]);
      turn.finish();
      await busy.result();
      const again = await threads.b.start(worker.agent, 1);
      (await worker.next()).finish();
      await again.result();
      expect(await status("idle")).toEqual(["a", "b", "c", "d"]);
    });

    test("by agent of the last run, archived mark and ids", async () => {
      const { engine, worker, threads, ids } = await library();
      const run = await threads.c.start(worker.agent, 1);
      (await worker.next()).finish();
      await run.result();
      expect(await ids({ agent: "worker" })).toEqual(["c"]);
      expect(await ids({ agent: "work" })).toEqual([]);
      await threads.b.update({ archived: true });
      expect(await ids({ sortBy: "createdAt", order: "asc" })).toEqual(["a", "c", "d"]);
      expect(await ids({ archived: true })).toEqual(["b"]);
      expect(await ids({ archived: "any", sortBy: "createdAt", order: "asc" })).toEqual(["a", "b", "c", "d"]);
      expect(await ids({ ids: ["d", "b", "none"] })).toEqual(["d"]);
      expect(await engine.threads.count({ archived: "any" })).toBe(4);
    });

    test("in order of its last change, or of its creation, either way round", async () => {
      const { clock, threads, ids } = await library();
      await clock.advance(1_000);
      await threads.b.update({ title: "changed" });
      expect(await ids({})).toEqual(["b", "d", "c", "a"]);
      expect(await ids({ order: "asc" })).toEqual(["a", "c", "d", "b"]);
      expect(await ids({ sortBy: "createdAt" })).toEqual(["d", "c", "b", "a"]);
    });

    test.each(["asc", "desc"] as const)(
      "page by page (%s): each one once, also where all times are equal",
      async (order) => {
        const { engine } = await setUp(kind);
        for (let n = 0; n < 11; n++) await engine.threads.create({ id: `t${String(n).padStart(2, "0")}` });
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await engine.threads.list({ limit: 4, sortBy: "createdAt", order, ...(cursor && { cursor }) });
          expect(page.items.length).toBeLessThanOrEqual(4);
          seen.push(...page.items.map(({ id }) => id));
          cursor = page.nextCursor;
        } while (cursor !== undefined);
        const expected = Array.from({ length: 11 }, (_, n) => `t${String(n).padStart(2, "0")}`);
        expect(seen).toEqual(order === "asc" ? expected : expected.toReversed());
      },
    );

    test("a page holds 50 unless told otherwise, and 100 at most", async () => {
      const { engine } = await setUp(kind);
      for (let n = 0; n < 110; n++) await engine.threads.create();
      expect((await engine.threads.list()).items).toHaveLength(50);
      expect((await engine.threads.list({ limit: 1_000 })).items).toHaveLength(100);
    });
  });

  describe("is updated", () => {
    test("title, metadata as a merge, archived mark; and tells when", async () => {
      const { engine, clock } = await setUp(kind);
      const thread = await engine.threads.create({ title: "old", metadata: { a: 1, b: { c: 1, d: 2 }, gone: true } });
      await clock.advance(5_000);
      const updated = await thread.update({
        title: "new",
        metadata: { a: 2, b: { c: 3 }, gone: null, fresh: "x" },
        archived: true,
      });
      expect(updated).toMatchObject({ title: "new", archived: true, updatedAt: new Date(clock.now()) });
      expect(updated.metadata).toEqual({ a: 2, b: { c: 3 }, fresh: "x" });
      expect(await thread.info()).toEqual(updated);
      expect(await thread.update({ title: null, archived: false })).toMatchObject({
        title: undefined,
        archived: false,
        metadata: updated.metadata,
      });
    });

    test("within the limit of its metadata, counted after the merge", async () => {
      const { engine } = await setUp(kind, { limits: { metadata: 100 } });
      const thread = await engine.threads.create({ metadata: { a: "x".repeat(60) } });
      await refusal("TOO_LARGE", () => thread.update({ metadata: { b: "x".repeat(60) } }));
      expect((await thread.info()).metadata).toEqual({ a: "x".repeat(60) });
      await thread.update({ metadata: { a: null, b: "x".repeat(60) } });
      expect((await thread.info()).metadata).toEqual({ b: "x".repeat(60) });
    });

    test("by many at once without losing anything", async () => {
      const { engine } = await setUp(kind);
      const thread = await engine.threads.create();
      await Promise.all(Array.from({ length: 20 }, (_, n) => thread.update({ metadata: { [`k${n}`]: n } })));
      expect(Object.keys((await thread.info()).metadata)).toHaveLength(20);
    });

    test("while a run works in it, without disturbing the run; archived ones accept runs", async () => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.create();
      const run = await thread.start(worker.agent, 1);
      const { context, finish } = await worker.next();
      await thread.update({ title: "busy", archived: true });
      await context.checkpoint({ half: 1 });
      await thread.update({ metadata: { a: 1 } });
      finish({ values: { whole: 1 } });
      await run.result();
      expect(await thread.info()).toMatchObject({ title: "busy", archived: true, metadata: { a: 1 }, status: "idle" });
      expect(await thread.values()).toEqual({ half: 1, whole: 1 });
      const next = await thread.start(worker.agent, 2);
      (await worker.next()).finish();
      expect(await next.result()).toBeNull();
    });
  });

  describe("is copied", () => {
    test("with values and history; then the two go their own ways", async () => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      const source = await engine.threads.create({ title: "source", metadata: { a: 1 }, values: { list: [1] } });
      const run = await source.start(worker.agent, null);
      (await worker.next()).finish({ values: { list: [1, 2] } });
      await run.result();
      const copy = await source.copy({ id: "copy" });
      expect(await copy.info()).toMatchObject({
        id: "copy",
        title: "source",
        metadata: { a: 1 },
        status: "idle",
        lastSeq: 0,
        agent: undefined,
      });
      expect(await copy.values()).toEqual({ list: [1, 2] });
      expect(await copy.history()).toEqual(await source.history());
      const more = await copy.start(worker.agent, null);
      const turn = await worker.next();
      expect(turn.context.values).toEqual({ list: [1, 2] });
      turn.finish({ values: { list: [1, 2, 3] } });
      await more.result();
      const back = await source.start(worker.agent, null);
      (await worker.next()).finish({ values: { other: true } });
      await back.result();
      expect(await copy.values()).toEqual({ list: [1, 2, 3] });
      expect(await source.values()).toEqual({ list: [1, 2], other: true });
      expect(seqsOf(await read(more.events()).ended)).toEqual([1, 2, 3]);
      const own = (await copy.history())[0];
      expect(await copy.valuesAt(own?.id ?? "")).toEqual({ list: [1, 2, 3] });
      await refusal("CHECKPOINT_NOT_FOUND", () => source.valuesAt(own?.id ?? ""));
      for (const thread of [source, copy]) {
        const shared = (await source.history()).at(-1);
        expect(await thread.valuesAt(shared?.id ?? "")).toEqual({ list: [1] });
      }
    });

    test("with another title and metadata, and never onto a thread that exists", async () => {
      const { engine } = await setUp(kind);
      const source = await engine.threads.create({ id: "a", title: "source", metadata: { a: 1 } });
      const copy = await source.copy({ title: null, metadata: { b: 2 } });
      expect(await copy.info()).toMatchObject({ title: undefined, metadata: { b: 2 } });
      await refusal("THREAD_EXISTS", () => source.copy({ id: "a" }));
      await refusal("THREAD_EXISTS", () => source.copy({ id: copy.id }));
      await source.delete();
      await refusal("THREAD_NOT_FOUND", () => source.copy());
    });

    test("while a run works in it: the copy has the last checkpoint and is idle", async () => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      const source = await engine.threads.create();
      const run = await source.start(worker.agent, null);
      const { context, finish } = await worker.next();
      await context.checkpoint({ half: true });
      const copy = await source.copy();
      finish({ values: { whole: true } });
      await run.result();
      expect(await copy.info()).toMatchObject({ status: "idle", queueLength: 0 });
      expect(await copy.values()).toEqual({ half: true });
      expect(await source.values()).toEqual({ half: true, whole: true });
    });

    test("and outlives its source, as copies of copies do", async () => {
      const worker = handDriven();
      const { engine, quiet, join } = await setUp(kind, { agents: [worker.agent] });
      const source = await engine.threads.create({ values: { n: 0 } });
      const step = async (thread: typeof source, n: number) => {
        const run = await thread.start(worker.agent, null);
        (await worker.next()).finish({ values: { n } });
        await run.result();
      };
      await step(source, 1);
      const copy = await source.copy();
      await step(source, 2);
      await step(copy, 3);
      const second = await copy.copy();
      await source.delete();
      await copy.delete();
      await quiet();
      const fresh = (await join()).engine;
      const survivor = await fresh.threads.get(second.id);
      expect(await survivor.values()).toEqual({ n: 3 });
      const history = await survivor.history();
      expect(await Promise.all(history.map(({ id }) => survivor.valuesAt(id)))).toEqual([{ n: 3 }, { n: 1 }, { n: 0 }]);
    });

    test("from nothing is nothing", async () => {
      const { engine } = await setUp(kind);
      const copy = await (await engine.threads.create()).copy();
      expect(await copy.values()).toEqual({});
      expect(await copy.history()).toEqual([]);
    });
  });

  describe("is deleted", () => {
    test("with its runs, checkpoints and events", async () => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.create({ id: "t", values: { n: 0 } });
      const run = await thread.start(worker.agent, null, { metadata: { secret: 1 } });
      (await worker.next()).finish({ output: 1 });
      await run.result();
      const [checkpoint] = await thread.history();
      await thread.delete();
      for (const work of [
        () => thread.info(),
        () => thread.values(),
        () => thread.history(),
        () => thread.update({ title: "x" }),
        () => thread.delete(),
        () => thread.copy(),
        () => thread.start(worker.agent, null),
        () => thread.events().next(),
        () => thread.events({ after: 0 }).next(),
        () => engine.threads.get("t"),
        () => thread.valuesAt(checkpoint?.id ?? ""),
        () => thread.queue(),
      ])
        await refusal("THREAD_NOT_FOUND", work);
      await refusal("RUN_NOT_FOUND", () => engine.runs.get(run.id));
      expect(await engine.runs.count()).toBe(0);
      expect(await engine.threads.count({ archived: "any" })).toBe(0);
    });

    test("together with runs that are at work: signals abort, waiters hear it, late writes revive nothing", async () => {
      const worker = handDriven({ whenBusy: "enqueue" });
      const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.create({ id: "t" });
      const running = await thread.start(worker.agent, "running");
      const queued = await thread.start(worker.agent, "queued");
      const delayed = await thread.start(worker.agent, "delayed", { delay: 1_000 });
      const { context, finish } = await worker.next();
      const stream = read(thread.events());
      const runStream = read(running.events());
      const waiting = Promise.all([running, queued, delayed].map((run) => run.settled()));
      await advance(0);
      await thread.delete();
      expect(context.signal.aborted).toBe(true);
      for (const outcome of await waiting) expect(outcome).toEqual({ status: "canceled", reason: { kind: "deleted" } });
      await refusal("RUN_CANCELED", () => running.result());
      expect(namesOf(await stream.ended).at(-1)).toBe("thread_deleted");
      await runStream.ended;
      await refusal("LEASE_LOST", () => context.emit("log", { level: "info", message: "late" }));
      await refusal("LEASE_LOST", () => context.checkpoint({ late: true }));
      finish({ output: "late", values: { late: true } });
      await advance(60_000);
      await refusal("THREAD_NOT_FOUND", () => engine.threads.get("t"));
      expect(worker.turns).toHaveLength(1);
      expect(await engine.runs.count()).toBe(0);
    });

    test("in the very moment in which a run starts: the starter hears of it", async () => {
      const worker = handDriven();
      const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
      for (let round = 0; round < 10; round++) {
        const thread = await engine.threads.create();
        const [run] = await Promise.all([thread.start(worker.agent, round), thread.delete()]);
        expect(await run.settled()).toEqual({ status: "canceled", reason: { kind: "deleted" } });
      }
      await advance(0);
      expect(await engine.runs.count()).toBe(0);
    });

    test("and created again under its id: it starts empty and goes on with the numbers", async () => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      const old = await engine.threads.create({ id: "t", title: "old", metadata: { old: 1 }, values: { old: true } });
      const first = await old.start(worker.agent, null);
      (await worker.next()).finish();
      await first.result();
      const [checkpoint] = await old.history();
      await old.delete();
      const fresh = await engine.threads.create({ id: "t" });
      expect(await fresh.info()).toMatchObject({
        title: undefined,
        metadata: {},
        status: "idle",
        agent: undefined,
        lastSeq: 2,
      });
      expect(await fresh.values()).toEqual({});
      expect(await fresh.history()).toEqual([]);
      await refusal("CHECKPOINT_NOT_FOUND", () => fresh.valuesAt(checkpoint?.id ?? ""));
      const second = await fresh.start(worker.agent, null);
      (await worker.next()).finish();
      await second.result();
      expect(seqsOf(await read(second.events()).ended)).toEqual([3, 4]);
    });

    test("and created again, it does not show what a copy of the old one still keeps", async () => {
      const { engine } = await setUp(kind);
      const old = await engine.threads.create({ id: "t", values: { secret: true } });
      const [checkpoint] = await old.history();
      const copy = await old.copy();
      await old.delete();
      const fresh = await engine.threads.create({ id: "t", values: { fresh: true } });
      await refusal("CHECKPOINT_NOT_FOUND", () => fresh.valuesAt(checkpoint?.id ?? ""));
      expect(await copy.valuesAt(checkpoint?.id ?? "")).toEqual({ secret: true });
      await fresh.delete();
      expect(await copy.values()).toEqual({ secret: true });
    });

    test("creates, starts, cancels, updates and deletes at once end well", async () => {
      const quick = defineAgent({
        name: "quick",
        whenBusy: "enqueue",
        run: async () => {
          await new Promise((resolve) => setImmediate(resolve));
        },
      });
      const { engine, runUntilIdle } = await setUp(kind, { agents: [quick] });
      for (let round = 0; round < 15; round++) {
        const thread = await engine.threads.getOrCreate("t");
        const runs = [thread.start(quick, 1), thread.start(quick, 2), thread.start(quick, 3, { delay: 5 })];
        const steps = [
          ...runs,
          runs[round % 3]?.then((run) => run.cancel()),
          thread.update({ title: `round ${round}` }),
          thread.copy().then((copy) => copy.delete()),
          thread.delete(),
          engine.threads.getOrCreate("t"),
          thread.start(quick, 4, { ifNotExists: "create" }),
          engine.runs.cancelMany({ threadId: "t" }),
        ];
        await Promise.allSettled(steps);
        await runUntilIdle();
        const started = (await Promise.allSettled(runs)).flatMap((run) =>
          run.status === "fulfilled" ? [run.value] : [],
        );
        for (const run of started) expect(["succeeded", "canceled"]).toContain((await run.settled()).status);
        expect(await thread.info()).toMatchObject({ status: "idle", queueLength: 0 });
      }
    });
  });

  describe("is shared by several agents", () => {
    const counter = defineAgent({
      name: "counter",
      values: z.object({ count: z.number().default(0) }),
      run: ({ values }) => ({ output: Object.keys(values), values: { count: values.count + 1 } }),
    });
    const writer = defineAgent({
      name: "writer",
      values: z.object({ notes: z.array(z.string()).default([]) }),
      run: ({ values }) => ({ output: Object.keys(values), values: { notes: [...values.notes, "note"] } }),
    });

    test("in turn: each sees its own keys, none loses another's", async () => {
      const { engine } = await setUp(kind, { agents: [counter, writer] });
      const thread = await engine.threads.create({ values: { host: "kept" } });
      for (let turn = 0; turn < 3; turn++) {
        expect(await (await thread.start(counter, null)).result()).toEqual(["count"]);
        expect(await (await thread.start(writer, null)).result()).toEqual(["notes"]);
      }
      expect(await thread.values()).toEqual({ host: "kept", count: 3, notes: ["note", "note", "note"] });
      expect(await thread.values(counter)).toEqual({ count: 3 });
      expect(await thread.values(writer)).toEqual({ notes: ["note", "note", "note"] });
      expect((await thread.info()).agent).toBe("writer");
    });

    test("one that fails leaves the other's keys alone", async () => {
      const broken = defineAgent({
        name: "broken",
        values: z.object({ count: z.number().default(0) }),
        run: () => {
          throw new Error("boom");
        },
      });
      const { engine } = await setUp(kind, { agents: [counter, broken] });
      const thread = await engine.threads.create();
      await (await thread.start(counter, null)).result();
      await (await thread.start(broken, null)).settled();
      expect(await thread.info()).toMatchObject({ status: "error", agent: "broken" });
      expect(await (await thread.start(counter, null)).result()).toEqual(["count"]);
      expect(await thread.values()).toEqual({ count: 2 });
      expect(await thread.info()).toMatchObject({ status: "idle" });
    });

    test("config, input and metadata of one run do not leak into the thread or the next run", async () => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.create({ metadata: { own: 1 } });
      const before = await thread.info();
      const first = await thread.start(worker.agent, "in", {
        config: { secret: 1 },
        metadata: { run: 1 },
        priority: 9,
      });
      (await worker.next()).finish();
      await first.result();
      const second = await thread.start(worker.agent, null);
      const { context, finish } = await worker.next();
      expect(context).toMatchObject({ config: undefined, metadata: {}, input: null });
      finish();
      await second.result();
      expect((await thread.info()).metadata).toEqual(before.metadata);
      expect(await thread.values()).toEqual({});
    });
  });

  test("its log numbers the events of all its runs densely", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const runs = await Promise.all(Array.from({ length: 5 }, (_, n) => thread.start(worker.agent, n)));
    for (let n = 0; n < 5; n++) {
      const { context, finish } = await worker.next();
      await Promise.all([context.emit("a"), context.emit("b"), context.emit("c")]);
      finish();
    }
    await runs[4]?.result();
    const { lastSeq } = await thread.info();
    expect(lastSeq).toBe(25);
    const all = await Promise.all(runs.map((run) => read(run.events()).ended));
    expect(all.flatMap(seqsOf).sort((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, n) => n + 1));
    for (const frames of all)
      expect(eventsOf(frames).map(({ type }) => type)).toEqual(["run_started", "a", "b", "c", "run_succeeded"]);
  });
});
