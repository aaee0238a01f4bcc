import assert from "node:assert/strict";
import type { RunQuery, ThreadQuery } from "../../ports/storage.js";
import { freshId } from "../intents.js";
import { inGroup } from "./conformance-case.js";
import { idsOf } from "./expect.js";

const runPage = { sortBy: "createdAt", order: "asc", limit: 100 } as const;
const threadPage = { sortBy: "createdAt", order: "asc", limit: 100 } as const;

export const listCases = inGroup("list", {
  async "runs are filtered by every field, and counted alike"({ driver, clock, storage }) {
    const threadId = freshId("thr");
    const a = await driver.settle(await driver.start({ id: "a", threadId }));
    const settledBefore = clock.now() + 1;
    await clock.advance(5);
    const b = await driver.settle(await driver.start({ id: "b", parentRunId: "gone", agent: "other" }));
    const c = await driver.start({ id: "c", threadId, parentRunId: "gone" });
    const { run: d } = await driver.accept({ id: "d", agent: "other", metadata: '{"user":"u1"}' });
    const expected: readonly (readonly [Partial<RunQuery>, readonly { readonly id: string }[]])[] = [
      [{}, [a, b, c, d]],
      [{ threadId }, [a, c]],
      [{ threadId: null }, [b, d]],
      [{ threadId: "thr_unknown" }, []],
      [{ agent: "other" }, [b, d]],
      [{ status: ["succeeded"] }, [a, b]],
      [{ status: ["running", "pending"] }, [c, d]],
      [{ status: [] }, []],
      [{ ids: ["d", "a", "a", "run_unknown"] }, [a, d]],
      [{ ids: [] }, []],
      [{ parentRunId: "gone" }, [b, c]],
      [{ settledBefore }, [a]],
      [{ settledBefore: a.settledAt as number }, []],
      [{ metadata: { user: "u1" } }, [d]],
      [{ metadata: {} }, [a, b, c, d]],
      [{ threadId, status: ["running"], parentRunId: "gone" }, [c]],
    ];
    for (const [filter, runs] of expected) {
      assert.deepEqual(idsOf(await storage.runs.list({ ...runPage, ...filter })), idsOf(runs), JSON.stringify(filter));
      assert.equal(await storage.runs.count(filter), runs.length, JSON.stringify(filter));
    }
  },

  async "listed runs are whole records"({ driver, storage }) {
    const run = await driver.settle(await driver.start({ threadId: freshId("thr"), metadata: '{"a":1}' }));
    assert.deepEqual(await storage.runs.list(runPage), [run]);
    assert.deepEqual(await storage.threads.list(threadPage), [await driver.thread(run.threadId as string)]);
  },

  async "threads are filtered by every field, and counted alike"({ driver, storage }) {
    const idle = await driver.createThread({ id: "idle", metadata: '{"user":"u1"}' });
    await driver.settle(await driver.start({ threadId: "done" }));
    await driver.start({ threadId: "busy", agent: "other" });
    await driver.fail(await driver.start({ threadId: "error" }));
    const { run } = await driver.accept({ threadId: "canceled" });
    await driver.cancel(run);
    await driver.updateThread("done", { archived: true });
    const expected: readonly (readonly [Partial<ThreadQuery>, readonly string[]])[] = [
      [{}, ["busy", "canceled", "done", "error", "idle"]],
      [{ status: ["idle"] }, ["canceled", "done", "idle"]],
      [{ status: ["busy", "error"] }, ["busy", "error"]],
      [{ status: ["interrupted"] }, []],
      [{ status: [] }, []],
      [{ archived: true }, ["done"]],
      [{ archived: false, status: ["idle"] }, ["canceled", "idle"]],
      [{ agent: "other" }, ["busy"]],
      [{ agent: "worker" }, ["canceled", "done", "error"]],
      [{ ids: ["idle", "busy", "thr_unknown"] }, ["busy", "idle"]],
      [{ ids: [] }, []],
      [{ metadata: { user: "u1" } }, [idle.id]],
    ];
    for (const [filter, ids] of expected) {
      assert.deepEqual(idsOf(await storage.threads.list({ ...threadPage, ...filter })), ids, JSON.stringify(filter));
      assert.equal(await storage.threads.count(filter), ids.length, JSON.stringify(filter));
    }
  },

  async "metadata is searched by equality of top-level scalars, types apart"({ driver, storage }) {
    const stored = {
      number: { v: 1 },
      text: { v: "1" },
      true: { v: true },
      fraction: { v: 1.5 },
      nested: { v: { v: 1 }, w: [1] },
      null: { v: null },
      other: { w: 1 },
      two: { v: 1, w: "x" },
      large: { v: 9007199254740991 },
    };
    for (const [id, metadata] of Object.entries(stored))
      await driver.createThread({ id, metadata: JSON.stringify(metadata) });
    const find = async (metadata: Record<string, string | number | boolean>) =>
      idsOf(await storage.threads.list({ ...threadPage, metadata }));
    assert.deepEqual(await find({ v: 1 }), ["number", "two"]);
    assert.deepEqual(await find({ v: "1" }), ["text"]);
    assert.deepEqual(await find({ v: true }), ["true"]);
    assert.deepEqual(await find({ v: false }), []);
    assert.deepEqual(await find({ v: 1.5 }), ["fraction"]);
    assert.deepEqual(await find({ v: 9007199254740991 }), ["large"]);
    assert.deepEqual(await find({ v: 1, w: "x" }), ["two"]);
    assert.deepEqual(await find({ v: "null" }), []);
    assert.deepEqual(await find({ v: "[object Object]" }), []);
    assert.deepEqual(await find({ "v.v": 1 }), []);
  },

  async "metadata keys and values are taken literally"({ driver, storage }) {
    const hostile = [
      "%",
      "_",
      "'",
      '"',
      "\\",
      "a.b",
      "$",
      "$.v",
      "[0]",
      "a\u2028b",
      "😀",
      "",
      " ",
      "?",
      ":x",
      "__proto__",
      "a\nb",
    ];
    for (const text of hostile) {
      await driver.createThread({ metadata: JSON.stringify({ key: text }) });
      await driver.createThread({ metadata: JSON.stringify(Object.fromEntries([[text, "value"]])) });
    }
    for (const text of hostile) {
      assert.equal(await storage.threads.count({ metadata: { key: text } }), 1, JSON.stringify(text));
      assert.equal(
        await storage.threads.count({ metadata: Object.fromEntries([[text, "value"]]) }),
        1,
        JSON.stringify(text),
      );
    }
  },

  async "pages follow each other without gap or repetition, also among equal times"({ driver, clock, storage }) {
    for (let at = 0; at < 12; at++) {
      await driver.accept({ id: `run${(at * 7) % 12}` });
      await driver.createThread({ id: `thr${(at * 5) % 12}` });
      if (at % 5 === 4) await clock.advance(1);
    }
    for (const order of ["asc", "desc"] as const) {
      const runs = await storage.runs.list({ sortBy: "createdAt", order, limit: 100 });
      assert.deepEqual(
        await walk((page) => storage.runs.list({ sortBy: "createdAt", order, limit: 5, ...page })),
        runs,
      );
      const threads = await storage.threads.list({ sortBy: "createdAt", order, limit: 100 });
      assert.deepEqual(
        await walk((page) => storage.threads.list({ sortBy: "createdAt", order, limit: 5, ...page })),
        threads,
      );
      assert.deepEqual([runs.length, threads.length], [12, 12]);
    }
  },

  async "a page holds only what the filter names"({ driver, storage }) {
    for (let at = 0; at < 10; at++) await driver.accept({ agent: at % 2 === 0 ? "even" : "odd" });
    const page = { ...runPage, agent: "odd", limit: 2 };
    const odd = await walk((after) => storage.runs.list({ ...page, ...after }));
    assert.equal(odd.length, 5);
    assert.ok(odd.every(({ agent }) => agent === "odd"));
  },

  async "threads are sorted by their last change where asked"({ driver, clock, storage }) {
    for (const id of ["a", "b", "c"]) {
      await driver.createThread({ id });
      await clock.advance(1);
    }
    await driver.updateThread("a", { title: "changed" });
    await clock.advance(1);
    await driver.start({ threadId: "b" });
    const list = (order: "asc" | "desc") => storage.threads.list({ sortBy: "updatedAt", order, limit: 10 });
    assert.deepEqual(idsOf(await list("asc")), ["c", "a", "b"]);
    const [newest, next] = await list("desc");
    const after = { value: newest?.updatedAt as number, id: newest?.id as string };
    const rest = await storage.threads.list({ sortBy: "updatedAt", order: "desc", limit: 1, after });
    assert.deepEqual(rest, [next]);
  },
});

type Cursor = { readonly after?: { readonly value: number; readonly id: string } };

async function walk<Row extends { readonly id: string; readonly createdAt: number }>(
  list: (cursor: Cursor) => Promise<readonly Row[]>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (let page = await list({}); page.length > 0; ) {
    rows.push(...page);
    const last = page.at(-1) as Row;
    page = await list({ after: { value: last.createdAt, id: last.id } });
  }
  return rows;
}
