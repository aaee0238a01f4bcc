import { describe, expect, test } from "vitest";
import { HeddleError } from "../errors.js";
import type { DeltaFrame } from "../model/event.js";
import type { RecordProgress } from "../model/intents/intent.js";
import type { Durability } from "../model/run.js";
import { attemptOf } from "../testing/intents.js";
import { manualClock } from "../testing/manual-clock.js";
import { runningRecord } from "../testing/shelf.js";
import type { AttemptValues } from "./attempt-values.js";
import { AttemptWriter } from "./attempt-writer.js";
import type { Core } from "./core.js";

const lost = new HeddleError("LEASE_LOST", "somebody else has the run");
const clock = manualClock();
const turns = async (): Promise<void> => {
  for (let turns = 0; turns < 5; turns++) await clock.turn();
};

/**
 * A writer whose commits the test answers one by one. `log` tells what was committed, sent and reported, in order.
 * Every update is a checkpoint that sets it, but for `{}`, which changes nothing.
 */
function setUp(durability: Durability = "sync") {
  const log: string[] = [];
  const commits: RecordProgress[] = [];
  const waiting: { resolve(value: { readonly lastSeq: number }): void; reject(error: unknown): void }[] = [];
  const run = runningRecord({ lastSeq: 7 });
  let checkpoints = 0;
  const core = {
    settings: { limits: { event: 100, id: 20 } },
    random: { id: (prefix: string) => `${prefix}${++checkpoints}` },
    deltas: {
      publish: (stream: string, { sequenceNumber }: DeltaFrame, behind: number) =>
        void log.push(`delta ${sequenceNumber} of ${stream} behind ${behind}`),
    },
    committer: {
      commit: (intent: RecordProgress) => {
        commits.push(intent);
        const { events, checkpoint, memos = [] } = intent;
        const what = [...events.map(({ type }) => type), checkpoint?.body, ...memos.map(({ key }) => key)];
        log.push(`commit ${what.filter((part) => part != null).join(" ")} behind ${intent.after}`);
        return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
      },
    },
    givesUp: () => true,
    report: (error: HeddleError, during: string) => void log.push(`report ${error.code}: ${during}`),
  } as unknown as Core;
  let visible: Record<string, unknown> = {};
  const values = {
    get visible() {
      return visible;
    },
    change: (update: Record<string, unknown>, id: string) => {
      const body = JSON.stringify(update);
      const encoding = body === "{}" ? "same" : "snapshot";
      return { checkpoint: { id, encoding, body, changedKeys: [] }, stored: { tree: { ...visible, ...update } } };
    },
    adopt: ({ stored }: { stored: { tree: Record<string, unknown> } }) => {
      visible = stored.tree;
    },
  } as unknown as AttemptValues;
  const writer = new AttemptWriter(core, run, attemptOf(run), {
    requireRunning: () => values,
    lost: () => void log.push("lost"),
    durability,
  });
  let lastSeq = run.lastSeq;
  const answer = async (failure?: unknown): Promise<void> => {
    const next = waiting.shift();
    if (failure === undefined) next?.resolve({ lastSeq: ++lastSeq });
    else next?.reject(failure);
    await turns();
  };
  return { writer, log, commits, answer };
}

describe("events", () => {
  test("each commit says which event of the attempt it comes behind", async () => {
    const { writer, log, commits, answer } = setUp();
    const first = writer.emit("one", { a: 1 });
    await turns();
    const second = writer.emit("two", undefined, { key: "key" });
    await turns();
    await answer();
    await answer();
    await Promise.all([first, second]);
    expect(log).toEqual(["commit one behind 7", "commit two behind 8"]);
    expect(commits.flatMap(({ events }) => events)).toEqual([
      { type: "one", payload: '{"a":1}' },
      { type: "two", payload: "null", key: "key" },
    ]);
  });

  test("what cannot be one is refused by name, and nothing is sent", async () => {
    const { writer, log } = setUp();
    await expect(writer.emit("note", 1, { key: "k".repeat(21) })).rejects.toMatchObject({
      code: "INVALID_ID",
      details: { field: "event key" },
    });
    await expect(writer.emit("note", "x".repeat(99))).rejects.toMatchObject({
      code: "TOO_LARGE",
      message: expect.stringContaining("event note"),
    });
    expect(log).toEqual([]);
  });

  test("a lost lease is told to the attempt and to who sent it; another failure only to who sent it", async () => {
    const { writer, log, answer } = setUp();
    const sent = [writer.emit("one", 1)];
    await turns();
    sent.push(writer.emit("two", 1));
    const settled = Promise.allSettled(sent);
    await answer(new HeddleError("STORAGE_ERROR", "odd"));
    expect(log).not.toContain("lost");
    await answer(lost);
    expect(log.at(-1)).toBe("lost");
    expect(await settled).toMatchObject([
      { status: "rejected", reason: { code: "STORAGE_ERROR" } },
      { status: "rejected", reason: { code: "LEASE_LOST" } },
    ]);
  });
});

describe("a frame's type", () => {
  test.each(["x", "x".repeat(100), "my_run_1", "values_updated_twice", "snapshots"])(
    "%s is the agent's own",
    (type) => {
      const { writer } = setUp();
      expect(() => writer.delta(type, 1)).not.toThrow();
    },
  );

  test.each(["", "x".repeat(101), "run_started", "thread_deleted", "values_updated", "snapshot", "dropped", 1, null])(
    "%s is not",
    async (type) => {
      const { writer, log } = setUp();
      const refusal = { code: "INVALID_ARGUMENT", details: { field: "type" } };
      await expect(writer.emit(type as string, 1)).rejects.toMatchObject(refusal);
      expect(() => writer.delta(type as string, 1)).toThrow(expect.objectContaining(refusal));
      expect(log).toEqual([]);
    },
  );
});

test("an event takes no odd options: a key that is not looked for would let a retry emit it again", async () => {
  const { writer, log } = setUp();
  for (const options of [null, 5, "a key", []]) {
    await expect(writer.emit("note", 1, options as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
  expect(log).toEqual([]);
});

describe("deltas", () => {
  test("take no odd options, and no message id that is no text", () => {
    const { writer, log } = setUp();
    for (const options of [null, 5, "message", [], { messageId: 5 }, { messageId: null }]) {
      const refusal = expect.objectContaining({ code: "INVALID_ARGUMENT" });
      expect(() => writer.delta("token", "a", options as never)).toThrow(refusal);
    }
    writer.delta("token", "a", {});
    writer.delta("token", "a", { messageId: "m1" });
    expect(log).toEqual(["delta 1 of r:run behind 7", "delta 2 of r:run behind 7"]);
  });

  test("are numbered without a gap, and behind the newest event of the attempt", async () => {
    const { writer, log, answer } = setUp();
    writer.delta("token", "a");
    expect(() => writer.delta("token", () => {})).toThrow(/delta/);
    writer.delta("token", undefined);
    void writer.emit("note", 1);
    writer.delta("token", "b");
    await turns();
    await answer();
    expect(log).toEqual([
      "delta 1 of r:run behind 7",
      "delta 2 of r:run behind 7",
      "commit note behind 7",
      "delta 3 of r:run behind 8",
    ]);
  });

  test("name a message where they belong to one", () => {
    const { writer } = setUp();
    const frames: DeltaFrame[] = [];
    writer.outbox.delta = (frame) => void frames.push(frame);
    writer.delta("token", "a");
    writer.delta("token", null, { messageId: "m" });
    const common = { kind: "delta", runId: "run", attempt: 1, type: "token" };
    expect(frames).toStrictEqual([
      { ...common, sequenceNumber: 1, payload: "a" },
      { ...common, sequenceNumber: 2, payload: null, messageId: "m" },
    ]);
  });
});

describe("checkpoints", () => {
  test("sync: each is written before it resolves, one after the other, behind the events sent before it", async () => {
    const { writer, log, answer } = setUp();
    const resolved: unknown[] = [];
    const keep = (values: unknown): void => void resolved.push(values);
    void writer.emit("note", 1);
    void writer.checkpoint({ a: 1 }).then(keep);
    void writer.checkpoint({ b: 2 }).then(keep);
    await turns();
    expect([log, resolved]).toEqual([["commit note behind 7"], []]);
    await answer();
    expect([log.at(-1), resolved]).toEqual(['commit {"a":1} behind 8', []]);
    await answer();
    expect([log.at(-1), resolved]).toEqual(['commit {"b":2} behind 9', [{ a: 1 }]]);
    await answer();
    expect(resolved).toEqual([{ a: 1 }, { a: 1, b: 2 }]);
  });

  test("sync: it is written behind all that was sent before, however many commits that takes", async () => {
    const { writer, log, answer } = setUp();
    void writer.emit("one", 1);
    writer.delta("token", "a");
    void writer.emit("two", 1);
    void writer.checkpoint({ a: 1 });
    await turns();
    for (let commits = 0; commits < 3; commits++) await answer();
    expect(log).toEqual([
      "commit one behind 7",
      "delta 1 of r:run behind 8",
      "commit two behind 8",
      'commit {"a":1} behind 9',
    ]);
  });

  test("one that changes nothing is not written", async () => {
    const { writer, log, commits, answer } = setUp();
    expect(await writer.checkpoint({})).toEqual({});
    void writer.checkpoint({ a: 1 });
    await turns();
    await answer();
    expect(await writer.checkpoint({})).toEqual({ a: 1 });
    expect([log, commits[0]?.checkpoint?.id]).toEqual([['commit {"a":1} behind 7'], "chk2"]);
  });

  test("one that fails leaves the values as they were, and the next one is tried", async () => {
    const { writer, answer } = setUp();
    const first = expect(writer.checkpoint({ a: 1 })).rejects.toMatchObject({ code: "STORAGE_ERROR" });
    const second = writer.checkpoint({ b: 2 });
    await turns();
    await answer(new HeddleError("STORAGE_ERROR", "odd"));
    await first;
    await answer();
    expect(await second).toEqual({ b: 2 });
  });

  test("sync: nobody waits any more when the last one is written", async () => {
    const { writer, answer } = setUp();
    let isWritten = false;
    void writer.checkpoint({ a: 1 });
    void writer.checkpointsWritten().then(() => {
      isWritten = true;
    });
    await turns();
    expect(isWritten).toBe(false);
    await answer();
    expect(isWritten).toBe(true);
  });

  test("async: resolves at once and is written behind the agent's back, what comes meanwhile as one", async () => {
    const { writer, log, commits, answer } = setUp("async");
    void writer.emit("note", 1);
    for (const n of [1, 2, 3]) expect(await writer.checkpoint({ n })).toEqual({ n });
    let isWritten = false;
    void writer.checkpointsWritten().then(() => {
      isWritten = true;
    });
    await answer();
    expect(log).toEqual(["commit note behind 7", 'commit {"n":3} behind 8']);
    expect([commits[1]?.events, isWritten]).toEqual([[], false]);
    await answer();
    expect(isWritten).toBe(true);
    await writer.checkpoint({ n: 4 });
    await turns();
    expect(log.at(-1)).toBe('commit {"n":4} behind 9');
  });

  test("async: a failure is reported, unless the lease was lost: the attempt knows that", async () => {
    const { writer, log, answer } = setUp("async");
    await writer.checkpoint({ n: 1 });
    await turns();
    await answer(new HeddleError("STORAGE_ERROR", "odd"));
    expect(log.slice(1)).toEqual(["report STORAGE_ERROR: a checkpoint in the background"]);
    await writer.checkpoint({ n: 2 });
    await turns();
    await answer(lost);
    expect(log.slice(2)).toEqual(['commit {"n":2} behind 7', "lost"]);
  });

  test("exit: kept back until it is asked for, behind the events sent before", async () => {
    const { writer, log, answer } = setUp("exit");
    await writer.flush();
    await writer.checkpoint({ n: 1 });
    await writer.checkpoint({ n: 2 });
    await writer.checkpointsWritten();
    expect(log).toEqual([]);
    void writer.emit("note", 1);
    const flushed = writer.flush();
    await turns();
    await answer();
    await answer();
    await flushed;
    expect(log).toEqual(["commit note behind 7", 'commit {"n":2} behind 8']);
    await writer.flush();
    expect(log).toHaveLength(2);
  });
});

test("what the lineage shall remember is written behind the events sent before", async () => {
  const { writer, log, commits, answer } = setUp();
  void writer.emit("note", 1);
  const remembered = writer.remember({ kind: "step", key: "pay", body: "1" });
  await turns();
  expect(log).toEqual(["commit note behind 7"]);
  await answer();
  await answer();
  await remembered;
  expect(log.at(-1)).toBe("commit pay behind 8");
  expect(commits[1]).toMatchObject({ kind: "record_progress", attempt: { runId: "run", attempt: 1 }, events: [] });
});
