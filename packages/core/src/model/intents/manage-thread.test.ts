import { describe, expect, test } from "vitest";
import { snapshot } from "../../testing/intents.js";
import { applyTo, noon, refusalOf, runningRecord, runRecord, threadRecord } from "../../testing/shelf.js";
import type { CheckpointHead } from "../checkpoint.js";
import type { Intent } from "./intent.js";

const create = { kind: "create_thread", id: "thr", title: "t", metadata: '{"a":1}', ifExists: "fail" } as const;
const update = { kind: "update_thread", id: "thr", maxMetadata: 100 } as const;
const copy = { kind: "copy_thread", from: "thr", id: "copy" } as const;
const remove = { kind: "delete_thread", id: "thr", keepTombstone: 50 } as const;
const collect = { kind: "collect_checkpoints", threadId: "thr" } as const;

describe("create_thread", () => {
  test("writes the thread, and its values as first checkpoint", () => {
    const values = snapshot({ a: 1 });
    const { value, changes } = applyTo<"create_thread">({}, { ...create, values });
    expect(value).toMatchObject({ id: "thr", title: "t", headCheckpointId: values.id, lastSeq: 0, createdAt: noon });
    expect(changes.checkpoints).toMatchObject([{ id: values.id, kind: "initial", parentId: null, runId: null }]);
    expect(changes.removals).toEqual([]);
  });

  test("takes the numbers over from a thread that had the id", () => {
    const tombstones = [{ threadId: "thr", lastSeq: 7, deletedAt: 1, keepUntil: noon + 1 }];
    const { value, changes } = applyTo<"create_thread">({ tombstones }, create);
    expect([value.lastSeq, value.createdAt]).toEqual([7, noon]);
    const recent = [{ threadId: "thr", lastSeq: 7, deletedAt: noon, keepUntil: noon + 1 }];
    expect(applyTo<"create_thread">({ tombstones: recent }, create).value.createdAt).toBe(noon + 1);
    expect(changes.removals).toEqual([{ type: "tombstone", threadId: "thr" }]);
  });

  test("returns what is there where that is asked for", () => {
    const thread = threadRecord();
    const { value, changes } = applyTo<"create_thread">({ threads: [thread] }, { ...create, ifExists: "return" });
    expect([value, changes.threads]).toEqual([thread, []]);
  });
});

describe("update_thread", () => {
  const threads = [threadRecord({ title: "old", metadata: '{"a":1,"b":{"c":2}}' })];

  test("merges metadata by top-level key, null removes", () => {
    const { value } = applyTo<"update_thread">({ threads }, { ...update, metadata: { a: null, b: 3, d: "ä" } });
    expect(value).toMatchObject({ metadata: '{"b":3,"d":"ä"}', title: "old", archived: false });
  });

  test("metadata may fill its bound", () => {
    const change = { ...update, metadata: { a: null, b: "ä" }, maxMetadata: 10 };
    expect(applyTo<"update_thread">({ threads }, change).value.metadata).toBe('{"b":"ä"}');
    const { error } = refusalOf({ threads }, { ...change, maxMetadata: 9 });
    expect(error).toMatchObject({ code: "TOO_LARGE", details: { what: "metadata", limit: 9, size: 10 } });
  });

  test("what is not named stays; null takes it away", () => {
    const given = [threadRecord({ title: "old", whenBusy: "enqueue", archived: true })];
    const updated = (change: object) => applyTo<"update_thread">({ threads: given }, { ...update, ...change }).value;
    expect(updated({})).toEqual({ ...given[0], updatedAt: noon });
    expect(updated({ whenBusy: null, title: null })).toMatchObject({ whenBusy: null, title: null, archived: true });
    expect(updated({ whenBusy: "steer", archived: false })).toMatchObject({ whenBusy: "steer", archived: false });
  });

  test("__proto__ is a key like any other", () => {
    const metadata = JSON.parse('{"__proto__":1}') as { [key: string]: number };
    expect(applyTo<"update_thread">({ threads: [threadRecord()] }, { ...update, metadata }).value.metadata).toBe(
      '{"__proto__":1}',
    );
  });

  test.each([
    [{ title: "new" }, "renamed"],
    [{ archived: true }, "archived"],
    [{ metadata: { x: 1 } }, "updated"],
    [{ title: "old" }, "updated"],
  ])("%j is told as %s", (given, change) => {
    expect(applyTo<"update_thread">({ threads }, { ...update, ...given }).effects).toMatchObject([
      { type: "thread", change },
    ]);
  });
});

const checkpoint = (id: string, parentId: string | null, threadId = "thr"): CheckpointHead => ({
  id,
  threadId,
  runId: null,
  parentId,
  kind: "final",
  attempt: 1,
  seq: 0,
  encoding: "delta",
  valuesBytes: 1,
  createdAt: noon,
  bodyBytes: 1,
});

describe("copy_thread", () => {
  test("goes on from the head, and remembers whose history that is", () => {
    const threads = [threadRecord({ headCheckpointId: "c1", title: "t", lastSeq: 9, lastOutcome: "failed" })];
    const { value, changes } = applyTo<"copy_thread">(
      { threads, checkpoints: [checkpoint("c1", null, "owner")] },
      copy,
    );
    expect(value).toMatchObject({
      id: "copy",
      headCheckpointId: "c1",
      originCheckpointId: "c1",
      title: "t",
      lastSeq: 0,
      lastOutcome: null,
    });
    expect(changes.origins).toEqual([{ threadId: "copy", checkpointId: "c1", ownerId: "owner" }]);
    expect(changes.checkpoints).toEqual([]);
  });

  test("of an empty thread needs no origin", () => {
    const { value, changes } = applyTo<"copy_thread">(
      { threads: [threadRecord()] },
      { ...copy, title: null, metadata: '{"n":1}' },
    );
    expect(value).toMatchObject({ headCheckpointId: null, title: null, metadata: '{"n":1}' });
    expect(changes.origins).toEqual([]);
  });

  test("is refused an id whose old history other copies need", () => {
    const origins = [{ threadId: "copy", checkpointId: "c1", ownerId: "owner" }];
    expect(refusalOf({ threads: [threadRecord()], origins }, copy).error).toMatchObject({
      code: "THREAD_EXISTS",
      details: { threadId: "copy" },
    });
  });
});

describe("delete_thread", () => {
  test("tells the waiters of unsettled runs, and leaves a tombstone", () => {
    const runs = [
      runningRecord({ id: "a", threadId: "thr" }),
      runRecord({ id: "b", threadId: "thr", queuePosition: 1 }),
      runRecord({ id: "c", threadId: "thr", status: "failed" }),
    ];
    const { changes, effects } = applyTo<"delete_thread">({ threads: [threadRecord({ lastSeq: 5 })], runs }, remove);
    expect(changes.tombstones).toEqual([{ threadId: "thr", lastSeq: 5, deletedAt: noon, keepUntil: noon + 50 }]);
    expect(changes.removals).toEqual([
      { type: "thread", id: "thr" },
      { type: "checkpoints_of", threadId: "thr" },
    ]);
    expect([changes.runs, changes.threads]).toEqual([[], []]);
    expect(effects).toMatchObject([
      {
        type: "run",
        run: { id: "a", status: "canceled", active: false, cancelReason: '{"kind":"deleted"}', settledAt: noon },
      },
      { type: "run", run: { id: "b", status: "canceled", queuePosition: null } },
      { type: "thread_deleted", threadId: "thr", runIds: ["a", "b"] },
    ]);
  });

  test("leaves a time behind that is no earlier than any of the thread's", () => {
    const threads = [threadRecord({ updatedAt: noon + 5 })];
    const { changes } = applyTo<"delete_thread">({ threads }, remove);
    expect(changes.tombstones[0]).toMatchObject({ deletedAt: noon + 5, keepUntil: noon + 50 });
  });

  test("keeps what a copy needs: that checkpoint and its ancestors", () => {
    const checkpoints = [
      checkpoint("c1", null),
      checkpoint("c2", "c1"),
      checkpoint("c3", "c2"),
      checkpoint("c4", "c2"),
    ];
    const origins = [{ threadId: "copy", checkpointId: "c3", ownerId: "thr" }];
    const { changes } = applyTo<"delete_thread">({ threads: [threadRecord()], checkpoints, origins }, remove);
    expect(changes.removals).toEqual([
      { type: "thread", id: "thr" },
      { type: "checkpoints", ids: ["c4"] },
    ]);
  });
});

describe("collect_checkpoints", () => {
  const origins = [{ threadId: "thr", checkpointId: "c0", ownerId: "owner" }];

  test("once nothing is needed, the origin goes, and its owner is to be collected", () => {
    const { changes, effects } = applyTo<"collect_checkpoints">({ origins }, collect);
    expect(changes.removals).toEqual([
      { type: "checkpoints_of", threadId: "thr" },
      { type: "origin", threadId: "thr" },
    ]);
    expect(effects).toEqual([{ type: "collect", threadId: "owner" }]);
  });

  test("while a copy needs some, the origin stays", () => {
    const copies = [...origins, { threadId: "copy", checkpointId: "c1", ownerId: "thr" }];
    const { changes } = applyTo<"collect_checkpoints">(
      { origins: copies, checkpoints: [checkpoint("c1", "c0")] },
      collect,
    );
    expect(changes.removals).toEqual([]);
  });

  test("a living thread keeps everything", () => {
    const { changes } = applyTo<"collect_checkpoints">({ threads: [threadRecord()], origins }, collect);
    expect(changes.removals).toEqual([]);
  });
});

const taken = { threads: [threadRecord({ metadata: '{"a":1}' })] };

test.each<[string, object, Intent]>([
  ["THREAD_EXISTS", taken, create],
  ["THREAD_NOT_FOUND", {}, update],
  ["THREAD_NOT_FOUND", {}, copy],
  ["THREAD_NOT_FOUND", {}, remove],
  ["THREAD_EXISTS", taken, { ...copy, id: "thr" }],
  ["TOO_LARGE", taken, { ...update, title: "x", metadata: { b: "ää" }, maxMetadata: 10 }],
])("%s changes nothing", (code, shelf, intent) => {
  const { error, changes, effects } = refusalOf(shelf, intent);
  expect(error).toMatchObject({ code });
  expect([changes.threads, changes.removals, changes.tombstones, effects]).toEqual([[], [], [], []]);
});
