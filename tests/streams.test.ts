/** Whoever reads a stream, from whenever on, sees every event once and in order, and frames in the order of emission. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { RunFrame, ThreadFrame } from "@heddle/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eventsOf, namesOf, read, seqsOf } from "./frames.js";
import type { Turn } from "./hand-driven.js";
import { handDriven } from "./hand-driven.js";
import type { World } from "./set-up.js";
import { refusal, setUp } from "./set-up.js";
import { size } from "./size.js";
import { onEveryStorage } from "./storages.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes, without what waits for the garbage collector. */
function heapInUse(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

const turnOfLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

onEveryStorage("streams", (kind) => {
  describe("of a run", () => {
    test("frames come in the order in which they were emitted, deltas between events", async () => {
      const worker = handDriven();
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
      const run = await engine.runs.start(worker.agent, null);
      const live = read(run.events());
      const { context, finish } = await worker.next();
      await quiet();
      context.delta("assistant_message", { text: "a" });
      void context.emit("log", { level: "info", message: "1" });
      context.delta("assistant_message", { text: "b" }, { messageId: "m1" });
      context.delta("own", [1]);
      void context.emit("log", { level: "info", message: "2" });
      void context.emit("mine");
      context.delta("assistant_message", { text: "c" });
      finish({ output: 1 });
      const frames = await live.ended;
      expect(namesOf(frames)).toEqual([
        "run_started",
        "~assistant_message",
        "log",
        "~assistant_message",
        "~own",
        "log",
        "mine",
        "~assistant_message",
        "run_succeeded",
      ]);
      const deltas = frames.filter((frame) => frame.kind === "delta");
      expect(deltas.map(({ sequenceNumber }) => sequenceNumber)).toEqual([1, 2, 3, 4]);
      expect(deltas[1]).toEqual({
        kind: "delta",
        runId: run.id,
        attempt: 1,
        sequenceNumber: 2,
        type: "assistant_message",
        messageId: "m1",
        payload: { text: "b" },
      });
      expect(seqsOf(frames)).toEqual([1, 2, 3, 4, 5]);
    });

    test("who comes later gets the events, not the deltas", async () => {
      const worker = handDriven();
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
      const run = await engine.runs.start(worker.agent, null);
      const { context, finish } = await worker.next();
      context.delta("assistant_message", { text: "missed" });
      await context.emit("log", { level: "info", message: "1" });
      const late = read(run.events());
      await quiet();
      context.delta("assistant_message", { text: "heard" });
      finish();
      expect(namesOf(await late.ended)).toEqual(["run_started", "log", "~assistant_message", "run_succeeded"]);
      expect(namesOf(await read(run.events()).ended)).toEqual(["run_started", "log", "run_succeeded"]);
      expect(namesOf(await read(run.events({ after: 1 })).ended)).toEqual(["log", "run_succeeded"]);
    });

    test("events of one attempt that is retried stay, with the attempt's number", async () => {
      const worker = handDriven({ retry: { maxFailures: 2, jitter: "none", delay: 10 } });
      const { engine, advance, quiet } = await setUp(kind, { agents: [worker.agent] });
      const run = await engine.runs.start(worker.agent, null);
      const live = read(run.events());
      const first = await worker.next();
      await quiet();
      first.context.delta("own", 1);
      await first.context.emit("own");
      first.fail(new Error("boom"));
      await advance(10);
      const second = await worker.next();
      second.context.delta("own", 2);
      second.finish();
      const frames = await live.ended;
      expect(eventsOf(frames).map(({ type, attempt }) => [type, attempt])).toEqual([
        ["run_started", 1],
        ["own", 1],
        ["run_retrying", 1],
        ["run_started", 2],
        ["run_succeeded", 2],
      ]);
      expect(
        frames
          .filter((frame) => frame.kind === "delta")
          .map(({ attempt, sequenceNumber }) => [attempt, sequenceNumber]),
      ).toEqual([
        [1, 1],
        [2, 1],
      ]);
    });

    test("in a thread is the thread's log, filtered: same numbers, from its first event to its end", async () => {
      const worker = handDriven({ whenBusy: "enqueue" });
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.create();
      const runs = [
        await thread.start(worker.agent, 1),
        await thread.start(worker.agent, 2),
        await thread.start(worker.agent, 3),
      ];
      const live = runs.map((run) => read(run.events()));
      await quiet();
      await runs[2]?.cancel();
      for (let n = 0; n < 2; n++) {
        const { context, finish } = await worker.next();
        await context.emit("own", n);
        context.delta("own", n);
        finish();
      }
      const frames = await Promise.all(live.map(({ ended }) => ended));
      expect(frames.map(namesOf)).toEqual([
        ["run_started", "own", "~own", "run_succeeded"],
        ["run_started", "own", "~own", "run_succeeded"],
        ["run_canceled"],
      ]);
      expect(frames.flatMap(seqsOf).sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
      for (const [index, each] of frames.entries()) {
        for (const frame of each)
          if (frame.kind === "event" || frame.kind === "delta") expect(frame.runId).toBe(runs[index]?.id);
      }
      const [, second] = runs;
      if (second !== undefined) expect(await read(second.events()).ended).toEqual(eventsOf(frames[1] ?? []));
    });

    test("of a run that is deleted meanwhile ends", async () => {
      const worker = handDriven({ onCompletion: "delete" });
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
      const run = await engine.runs.start(worker.agent, null);
      const live = read(run.events());
      await quiet();
      (await worker.next()).finish({ output: 1 });
      expect(namesOf(await live.ended)).toEqual(["run_started", "run_succeeded"]);
      await refusal("RUN_NOT_FOUND", () => run.events().next());
    });
  });

  describe("of a thread", () => {
    test("begins with a snapshot and goes on from there, over all runs", async () => {
      const worker = handDriven({ whenBusy: "enqueue" });
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.create({ values: { n: 0 } });
      const idle = read(thread.events());
      const first = await thread.start(worker.agent, 1);
      const turn = await worker.next();
      await turn.context.checkpoint({ n: 1 });
      const busy = read(thread.events());
      await quiet();
      await turn.context.emit("own");
      turn.finish({ values: { n: 2 } });
      await first.result();
      await quiet();
      expect(idle.frames[0]).toEqual({
        kind: "snapshot",
        protocolVersion: 1,
        seq: 0,
        values: { n: 0 },
        activeRun: null,
      });
      expect(busy.frames[0]).toEqual({
        kind: "snapshot",
        protocolVersion: 1,
        seq: 2,
        values: { n: 1 },
        activeRun: { id: first.id, agent: "worker" },
      });
      expect(namesOf(idle.frames)).toEqual([
        "snapshot",
        "run_started",
        "values_updated",
        "own",
        "values_updated",
        "run_succeeded",
      ]);
      expect(seqsOf(busy.frames)).toEqual([3, 4, 5]);
      const second = await thread.start(worker.agent, 2);
      (await worker.next()).finish();
      await second.result();
      await quiet();
      expect(seqsOf(idle.frames)).toEqual([1, 2, 3, 4, 5, 6, 7]);
      await thread.delete();
      expect(namesOf(await idle.ended).at(-1)).toBe("thread_deleted");
      expect(namesOf(await busy.ended).at(-1)).toBe("thread_deleted");
    });

    test("replays from a cursor without a snapshot", async () => {
      const worker = handDriven();
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.create();
      const run = await thread.start(worker.agent, 1);
      const { context, finish } = await worker.next();
      for (let n = 0; n < 5; n++) await context.emit("own", n);
      const readings = [0, 1, 4, 6].map((after) => read(thread.events({ after })));
      await quiet();
      finish();
      await run.result();
      await quiet();
      expect(readings.map(({ frames }) => seqsOf(frames))).toEqual([
        [1, 2, 3, 4, 5, 6, 7],
        [2, 3, 4, 5, 6, 7],
        [5, 6, 7],
        [7],
      ]);
      await thread.delete();
    });

    test("a cursor beyond the newest event, or before the oldest kept, has expired", async () => {
      const worker = handDriven();
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.create({ id: "t" });
      const run = await thread.start(worker.agent, 1);
      (await worker.next()).finish();
      await run.result();
      const beyond = await refusal("CURSOR_EXPIRED", () => thread.events({ after: 3 }).next());
      expect(beyond.details).toMatchObject({ after: 3, last: 2 });
      await refusal("CURSOR_EXPIRED", () => run.events({ after: 99 }).next());
      await thread.delete();
      const again = await engine.threads.create({ id: "t" });
      const second = await again.start(worker.agent, 1);
      (await worker.next()).finish();
      await second.result();
      await refusal("CURSOR_EXPIRED", () => again.events({ after: 1 }).next());
      const readings = [0, 2, 3, 4].map((after) => read(again.events({ after })));
      await quiet();
      expect(readings.map(({ frames }) => seqsOf(frames))).toEqual([[3, 4], [3, 4], [4], []]);
      await again.delete();
    });

    test("tells when it is renamed, archived and deleted, as transient frames", async () => {
      const { engine, quiet } = await setUp(kind);
      const thread = await engine.threads.create({ id: "t" });
      const live = read(thread.events());
      await quiet();
      await thread.update({ title: "new", metadata: { a: 1 } });
      await thread.update({ archived: true });
      await thread.update({ title: "both", archived: false });
      await thread.update({ metadata: { a: 2 } });
      await thread.delete();
      expect((await live.ended).slice(1)).toEqual([
        { kind: "thread", type: "thread_renamed", threadId: "t", payload: { title: "new" } },
        { kind: "thread", type: "thread_archived", threadId: "t", payload: { archived: true } },
        { kind: "thread", type: "thread_renamed", threadId: "t", payload: { title: "both" } },
        { kind: "thread", type: "thread_archived", threadId: "t", payload: { archived: false } },
        { kind: "thread", type: "thread_deleted", threadId: "t", payload: null },
      ]);
    });

    test("ends with the signal, quietly, also while nothing comes", async () => {
      const { engine, quiet } = await setUp(kind);
      const thread = await engine.threads.create();
      const abort = new AbortController();
      const live = read(thread.events({ signal: abort.signal }));
      await quiet();
      abort.abort();
      expect(namesOf(await live.ended)).toEqual(["snapshot"]);
      expect(await read(thread.events({ signal: AbortSignal.abort() })).ended).toHaveLength(1);
    });

    test("does not seem to have ended when the engine closes: readers are told", async () => {
      const worker = handDriven();
      const { engine, quiet, close } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.create();
      const run = await thread.start(worker.agent, null);
      const readings = [read(thread.events()), read(run.events())];
      await quiet();
      await close();
      for (const { ended } of readings) await expect(ended).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
    });
  });

  test("deltas do not touch updatedAt, and are never stored", async () => {
    const worker = handDriven();
    const { engine, clock, advance } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const run = await thread.start(worker.agent, null);
    const { context, finish } = await worker.next();
    const before = await thread.info();
    await advance(1_000);
    for (let n = 0; n < 100; n++) context.delta("assistant_message", { text: "token" });
    await advance(1_000);
    expect(await thread.info()).toEqual(before);
    await context.emit("own");
    expect((await thread.info()).updatedAt).toEqual(new Date(clock.now()));
    finish();
    await run.result();
    expect(seqsOf(await read(run.events()).ended)).toEqual([1, 2, 3]);
  });

  test.each([
    "run_started",
    "run_succeeded",
    "run_anything",
    "values_updated",
    "thread_deleted",
    "thread_x",
    "",
    "x".repeat(101),
    5,
    null,
    undefined,
    {},
  ])("an agent cannot send a frame of type %j", async (type) => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    const { context, finish } = await worker.next();
    expect((await refusal("INVALID_ARGUMENT", () => context.emit(type as never))).details).toEqual({ field: "type" });
    await refusal("INVALID_ARGUMENT", () => context.delta(type as never));
    finish();
    expect(namesOf(await read(run.events()).ended)).toEqual(["run_started", "run_succeeded"]);
  });

  test("payloads that JSON cannot hold, or too large ones, are refused and leave no gap", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent], limits: { event: 200 } });
    const run = await engine.runs.start(worker.agent, null);
    const live = read(run.events());
    const { context, finish } = await worker.next();
    await quiet();
    await refusal("INVALID_JSON", () => context.emit("own", { n: 1n }));
    await refusal("INVALID_JSON", () => context.delta("own", { f: () => {} }));
    await refusal("TOO_LARGE", () => context.emit("own", "x".repeat(300)));
    context.delta("own", "fine");
    await context.emit("own", "fine");
    finish();
    const frames = await live.ended;
    expect(namesOf(frames)).toEqual(["run_started", "~own", "own", "run_succeeded"]);
    expect(frames[1]).toMatchObject({ sequenceNumber: 1 });
    expect(seqsOf(frames)).toEqual([1, 2, 3]);
  });

  test("an event with a key is stored once, however often its run is tried", async () => {
    const worker = handDriven({ retry: { maxFailures: 3, jitter: "none", delay: 10 } });
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const { context, finish, fail } = await worker.next();
      await Promise.all([
        context.emit("own", { attempt }, { key: "a" }),
        context.emit("own", { attempt, other: true }, { key: "b" }),
        context.emit("own", { attempt }),
      ]);
      if (attempt < 3) fail(new Error("again"));
      else finish();
      await advance(20);
    }
    const own = eventsOf(await read(run.events()).ended).filter(({ type }) => type === "own");
    expect(own.map(({ payload }) => payload)).toEqual([
      { attempt: 1 },
      { attempt: 1, other: true },
      { attempt: 1 },
      { attempt: 2 },
      { attempt: 3 },
    ]);
    expect(seqsOf(await read(run.events()).ended)).toEqual(Array.from({ length: 11 }, (_, n) => n + 1));
  });

  test("what an agent emitted and changes later is seen as it was", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    const live = read(run.events());
    const { context, finish } = await worker.next();
    await quiet();
    const mine = { list: [1] };
    const emitted = context.emit("own", mine);
    context.delta("own", mine);
    mine.list.push(2);
    await emitted;
    finish();
    const frames = await live.ended;
    expect([frames[1], frames[2]]).toMatchObject([{ payload: { list: [1] } }, { payload: { list: [1] } }]);
  });

  describe("a slow reader", () => {
    test("loses deltas, which is marked with how many, and never an event", async () => {
      const worker = handDriven();
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent], limits: { bufferedDeltas: 10 } });
      const run = await engine.runs.start(worker.agent, null);
      const { context, finish } = await worker.next();
      const stream = run.events();
      expect(await stream.next()).toMatchObject({ value: { type: "run_started" } });
      for (let n = 0; n < 30; n++) context.delta("own", n);
      await context.emit("own", "between");
      for (let n = 30; n < 35; n++) context.delta("own", n);
      finish();
      await quiet();
      const frames = await read(stream).ended;
      expect(eventsOf(frames).map(({ type }) => type)).toEqual(["own", "run_succeeded"]);
      const deltas = frames.filter((frame) => frame.kind === "delta").map(({ payload }) => payload as number);
      const dropped = frames.filter((frame) => frame.kind === "dropped").reduce((sum, { count }) => sum + count, 0);
      expect(deltas.length).toBeLessThanOrEqual(10);
      expect(deltas.length + dropped).toBe(35);
      expect(deltas).toEqual(deltas.toSorted((a, b) => a - b));
      expect(namesOf(frames).indexOf("dropped")).toBeLessThan(namesOf(frames).indexOf("own"));
    });

    test("of thousands of events gets them all, in bounded memory", async () => {
      const worker = handDriven();
      const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
      const run = await engine.runs.start(worker.agent, null);
      const { context, finish } = await worker.next();
      const stream = run.events();
      await stream.next();
      for (let n = 0; n < 3_000; n++) void context.emit("own", n);
      await context.emit("own", "last");
      finish();
      await quiet();
      expect(seqsOf(await read(stream).ended)).toEqual(Array.from({ length: 3_002 }, (_, n) => n + 2));
    });

    test("that never reads costs no more than its buffer", async () => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent], limits: { bufferedDeltas: 100 } });
      const run = await engine.runs.start(worker.agent, null);
      const stuck = run.events();
      await stuck.next();
      const { context, finish } = await worker.next();
      const before = heapInUse();
      // 400 MB, were they all kept.
      for (let n = 0; n < 4_000; n++)
        context.delta("own", { text: "x".repeat(50_000) + n, n: new Array(5_000).fill(n) });
      expect(heapInUse() - before).toBeLessThan(50_000_000);
      finish();
      await run.result();
      await stuck.return();
    });

    test("does not slow the agent or other readers", async () => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      const run = await engine.runs.start(worker.agent, null);
      const stuck = run.events();
      await stuck.next();
      const { context, finish } = await worker.next();
      const quick = read(run.events());
      for (let n = 0; n < 100; n++) await context.emit("own", n);
      finish();
      expect(await quick.ended).toHaveLength(102);
      expect(await run.result()).toBeNull();
      await stuck.return();
    });
  });

  describe("joined at any point", () => {
    type Action =
      | { readonly do: "emit" | "delta"; readonly wait: boolean }
      | { readonly do: "checkpoint" }
      | { readonly do: "turn"; readonly times: number };
    interface Reader {
      readonly at: number;
      readonly of: "run" | "thread" | "cursor";
      readonly cursor: number;
      readonly pace: number;
    }
    const action: fc.Arbitrary<Action> = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant("emit" as const), wait: fc.boolean() }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant("delta" as const), wait: fc.constant(false) }) },
      { weight: 1, arbitrary: fc.constant({ do: "checkpoint" as const }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("turn" as const), times: fc.integer({ min: 1, max: 3 }) }) },
    );
    const reader: fc.Arbitrary<Reader> = fc.record({
      at: fc.nat(30),
      of: fc.constantFrom("run", "thread", "cursor"),
      cursor: fc.nat(1_000),
      pace: fc.nat(3),
    });

    /**
     * Reads until the run's end, where that is still to come; `pace`: turns of the loop that it takes for each frame.
     */
    async function readSlowly(stream: AsyncIterable<ThreadFrame>, runId: string, pace: number): Promise<ThreadFrame[]> {
      const frames: ThreadFrame[] = [];
      for await (const frame of stream) {
        frames.push(frame);
        if (frame.kind === "snapshot" && frame.activeRun === null) return frames;
        for (let turns = 0; turns < pace; turns++) await turnOfLoop();
        if (frame.kind === "event" && frame.runId === runId && /^run_(succeeded|failed|canceled)$/.test(frame.type))
          return frames;
      }
      return frames;
    }

    async function act(turn: Turn, action: Action, n: number): Promise<void> {
      if (action.do === "turn") for (let turns = 0; turns < action.times; turns++) await turnOfLoop();
      else if (action.do === "checkpoint") await turn.context.checkpoint({ n });
      else if (action.do === "delta") turn.context.delta("own", { n });
      else {
        const emitted = turn.context.emit("own", { n });
        if (action.wait) await emitted;
      }
    }

    /** Deltas and own events carry the number of their emission. */
    function numbersOf(frames: readonly ThreadFrame[]): number[] {
      return frames.flatMap((frame) =>
        (frame.kind === "delta" || frame.kind === "event") && frame.type === "own"
          ? [(frame.payload as { n: number }).n]
          : [],
      );
    }

    async function play(
      world: World,
      worker: ReturnType<typeof handDriven>,
      actions: readonly Action[],
      readers: readonly Reader[],
    ) {
      const thread = await world.engine.threads.create();
      const run = await thread.start(worker.agent, null);
      const readings: Promise<{ reader: Reader; frames: ThreadFrame[]; from: number }>[] = [];
      const open = async (reader: Reader) => {
        const { lastSeq, status } = await thread.info();
        const after = reader.cursor % (lastSeq + 1);
        if (reader.of === "cursor" && after === lastSeq && status !== "busy")
          return { reader, frames: [], from: after };
        const stream: AsyncIterable<ThreadFrame> =
          reader.of === "run" ? run.events() : thread.events(reader.of === "cursor" ? { after } : {});
        return {
          reader,
          frames: await readSlowly(stream, run.id, reader.pace),
          from: reader.of === "cursor" ? after : 0,
        };
      };
      const turn = await worker.next();
      for (const [n, action] of actions.entries()) {
        for (const reader of readers) if (reader.at % (actions.length + 1) === n) readings.push(open(reader));
        await act(turn, action, n);
      }
      turn.finish();
      for (const reader of readers)
        if (reader.at % (actions.length + 1) === actions.length) readings.push(open(reader));
      await run.result();
      return { thread, readings: await Promise.all(readings.map((reading) => withTimeout(reading))) };
    }

    async function withTimeout<Value>(promise: Promise<Value>): Promise<Value> {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error("a reader got stuck")), 5_000);
      });
      return Promise.race([promise, late]).finally(() => clearTimeout(timer));
    }

    test("no event is missing, doubled or out of order, and no frame overtakes another", {
      timeout: 120_000,
    }, async () => {
      const worker = handDriven();
      const world = await setUp(kind, { agents: [worker.agent] });
      await fc.assert(
        fc.asyncProperty(
          fc.array(action, { maxLength: 25 }),
          fc.array(reader, { minLength: 1, maxLength: 6 }),
          async (actions, readers) => {
            const { thread, readings } = await play(world, worker, actions, readers);
            const { lastSeq } = await thread.info();
            for (const { reader, frames, from } of readings) {
              const [head] = frames;
              const start = head?.kind === "snapshot" ? head.seq : from;
              // Who opens a thread's stream after its run's end has nothing to wait for.
              if (start === lastSeq) continue;
              expect(seqsOf(frames), JSON.stringify(reader)).toEqual(
                Array.from({ length: lastSeq - start }, (_, n) => start + n + 1),
              );
              const numbers = numbersOf(frames);
              expect(numbers, JSON.stringify(reader)).toEqual(numbers.toSorted((a, b) => a - b));
              const first = frames.find((frame) => frame.kind === "delta");
              const deltas = frames.filter(
                (frame): frame is Extract<RunFrame, { kind: "delta" }> => frame.kind === "delta",
              );
              expect(
                deltas.map(({ sequenceNumber }) => sequenceNumber),
                "no delta is lost once the reader is there",
              ).toEqual(deltas.map((_, index) => (first?.kind === "delta" ? first.sequenceNumber : 0) + index));
              if (head?.kind === "snapshot") {
                const written = actions.flatMap((action, n) => (action.do === "checkpoint" ? [n] : []));
                const updates = eventsOf(frames).filter(({ type }) => type === "values_updated").length;
                const at = written[written.length - updates - 1];
                expect(head.values, "the snapshot's values belong to its number").toEqual(
                  at === undefined ? {} : { n: at },
                );
              }
            }
          },
        ),
        { numRuns: size(150, kind.fullShare * 2_000) },
      );
    });
  });
});
