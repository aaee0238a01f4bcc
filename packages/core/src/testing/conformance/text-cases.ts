import assert from "node:assert/strict";
import { freshId, snapshot } from "../intents.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, idsOf } from "./expect.js";

/** JSON texts that a database might be tempted to improve. */
const texts = [
  '"\\u0000"',
  '"\\ud800 \\udfff"',
  '"\\u00e4 ä \\/ / 😀 \u2028 \u2029 \ufeff \u0085"',
  "12345678901234567890.123456789012345678901234567890e-5",
  "1.0",
  "-0",
  "1E400",
  '{"b":1,"a":2,"b":3}',
  " [ 1 ,\n\t2 ] ",
  '"\'; drop table runs; -- \\" $1 ? :name @x %s"',
  JSON.stringify("x".repeat(300_000)),
  JSON.stringify(Array.from({ length: 500 }, () => "💡")),
];

/** Ids that differ only in what careless storages fold together. */
const ids = [
  "a",
  "A",
  "a ",
  " a",
  "ä",
  "a\u0308",
  "a%",
  "a_",
  "a'b",
  'a"b',
  "a\\b",
  "a;b--",
  "a\u2028b",
  "a\nb",
  "a\tb",
  "r:a",
  "t:a",
  "😀",
  "😀😀",
  "！",
  "null",
  "0",
  "00",
  "1e3",
  "__proto__",
  "constructor",
  "x".repeat(255),
  "é".repeat(255),
];

export const textCases = inGroup("text", {
  async "JSON text comes back byte for byte"({ driver, storage }) {
    for (const text of texts) {
      const run = await driver.start({ threadId: freshId("thr"), input: text, config: text });
      const checkpoint = { ...snapshot({}), body: text };
      await driver.record(run, { events: [{ type: "log", payload: text }], checkpoint });
      const settled = await driver.settle(run, { outcome: { status: "succeeded", output: text } });
      assertFields(await driver.run(settled), { input: text, config: text, output: text });
      const events = await driver.threadEvents(run.threadId as string);
      assert.equal(events[1]?.payload, text);
      assert.equal(events.at(-1)?.payload, `{"output":${text}}`);
      assert.equal((await storage.checkpoints.chain(checkpoint.id))?.links[0]?.body, text);
    }
  },

  async "ids are told apart in all they hold"({ driver, storage }) {
    for (const id of ids) {
      const run = await driver.start({
        id,
        threadId: id,
        agent: id,
        idempotency: { key: id, fingerprint: id, keep: 1_000 },
      });
      await driver.settle(run, { finalCheckpointId: id });
    }
    for (const id of ids) {
      assertFields(await driver.run({ id }), { id, threadId: id, agent: id, idempotencyKey: id, status: "succeeded" });
      assertFields(await driver.thread(id), { id, lastSeq: 2, lastAgent: id, headCheckpointId: id });
      assert.deepEqual(idsOf(await storage.checkpoints.history(id, 10)), [id]);
      assert.equal((await driver.events(`t:${id}`, { runId: id })).length, 2);
      const again = await driver.accept({
        threadId: id,
        agent: id,
        idempotency: { key: id, fingerprint: id, keep: 1_000 },
      });
      assert.deepEqual([again.outcome, again.run.id], ["existing", id]);
    }
  },

  async "ids are ordered by their bytes"({ driver, storage }) {
    for (const id of ids) await driver.createThread({ id });
    const expected = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const page = { sortBy: "createdAt", limit: 100 } as const;
    assert.deepEqual(idsOf(await storage.threads.list({ ...page, order: "asc" })), expected);
    assert.deepEqual(idsOf(await storage.threads.list({ ...page, order: "desc" })), [...expected].reverse());
  },

  async "one of many like ids is deleted, the others stay"({ driver, storage }) {
    for (const id of ids) await driver.settle(await driver.start({ id, threadId: id }));
    await driver.deleteThread("a_");
    await driver.deleteRun(await driver.run({ id: "a%" }));
    const page = { sortBy: "createdAt", order: "asc", limit: 100 } as const;
    assert.equal((await storage.threads.list(page)).length, ids.length - 1);
    assert.equal((await storage.runs.list(page)).length, ids.length - 2);
  },

  async "titles and metadata hold any text"({ driver, storage }) {
    const hostile = ids.join("");
    const metadata = { [hostile]: hostile };
    const { id } = await driver.createThread({ title: hostile, metadata: JSON.stringify(metadata) });
    assertFields(await driver.thread(id), { title: hostile, metadata: JSON.stringify(metadata) });
    const page = { sortBy: "createdAt", order: "asc", limit: 10 } as const;
    assert.deepEqual(idsOf(await storage.threads.list({ ...page, metadata })), [id]);
  },
});
