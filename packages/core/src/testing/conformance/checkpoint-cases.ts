import assert from "node:assert/strict";
import { applyDelta } from "../../model/delta.js";
import type { NewCheckpoint } from "../../model/intents/intent.js";
import type { Json, JsonObject } from "../../model/json.js";
import type { RunRecord } from "../../model/run.js";
import type { CheckpointChain } from "../../ports/storage.js";
import { bodiesOf } from "../../runtime/values-cache.js";
import { freshId, setKey, snapshot } from "../intents.js";
import type { StorageDriver } from "../storage-driver.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, idsOf } from "./expect.js";

export const checkpointCases = inGroup("checkpoint", {
  async "mid-run checkpoints move the head of run and thread, each the parent of the next"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const [first, second] = [snapshot({ a: 1 }), setKey("b", 2)];
    assert.equal((await driver.record(run, { checkpoint: first })).headCheckpointId, first.id);
    await driver.record(run, { checkpoint: second });
    assertFields(await driver.thread(run.threadId as string), { headCheckpointId: second.id });
    assertFields(await driver.run(run), { headCheckpointId: second.id, baseCheckpointId: null });
    const checkpoint = await storage.checkpoints.get(second.id);
    assert.deepEqual(checkpoint, {
      id: second.id,
      threadId: run.threadId,
      runId: run.id,
      parentId: first.id,
      kind: "mid",
      attempt: 1,
      // Behind run_started and the first one's values_updated.
      seq: 2,
      encoding: "delta",
      valuesBytes: second.valuesBytes,
      createdAt: run.createdAt,
      bodyBytes: second.body?.length,
    });
  },

  async "a stateless run's checkpoints are its own"({ driver, storage }) {
    const run = await driver.start();
    const checkpoint = snapshot({ a: 1 });
    assert.equal((await driver.record(run, { checkpoint })).headCheckpointId, checkpoint.id);
    assertFields({ ...(await storage.checkpoints.get(checkpoint.id)) }, { threadId: null, runId: run.id });
  },

  async "body bytes are bytes"({ driver, storage }) {
    const values = snapshot({ a: "ä😀" });
    await driver.createThread({ values });
    assert.equal((await storage.checkpoints.get(values.id))?.bodyBytes, Buffer.byteLength(values.body as string));
  },

  async "the chain leads from the nearest snapshot, and reads back what was written"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    await write(driver, run, [snapshot({ old: 1 }), setKey("older", 1)]);
    const written = [snapshot({ a: 1 }), setKey("b", [2, "ü"]), setKey("c", null)];
    await write(driver, run, written);
    const settled = await driver.settle(run);
    const chain = await storage.checkpoints.chain(settled.headCheckpointId as string);
    assert.ok(chain !== undefined);
    const fields = ({ id, encoding, body, valuesBytes }: NewCheckpoint) => ({ id, encoding, body, valuesBytes });
    const last = { id: settled.headCheckpointId, encoding: "same", body: null, valuesBytes: null };
    assert.deepEqual(chain, { links: [...written.map(fields), last], continuesSince: false });
    assert.deepEqual(valuesOf(chain), { a: 1, b: [2, "ü"], c: null });
  },

  async "the chain leads from the root where there is no snapshot"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    await write(driver, run, [setKey("a", 1), setKey("b", 2)]);
    const chain = await storage.checkpoints.chain((await driver.run(run)).headCheckpointId as string);
    assert.deepEqual(chain && valuesOf(chain), { a: 1, b: 2 });
    assert.equal(chain?.links.length, 2);
  },

  async "the chain since a known ancestor has only what came after it"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const written = [snapshot({ a: 1 }), setKey("b", 2), setKey("c", 3), setKey("d", 4)];
    await write(driver, run, written);
    const [, b, c, d] = written as [NewCheckpoint, NewCheckpoint, NewCheckpoint, NewCheckpoint];
    const chain = await storage.checkpoints.chain(d.id, b.id);
    assert.deepEqual([chain && idsOf(chain.links), chain?.continuesSince], [[c.id, d.id], true]);
    const nothing = await storage.checkpoints.chain(d.id, d.id);
    assert.deepEqual(nothing, { links: [], continuesSince: true });
    const unrelated = await storage.checkpoints.chain(b.id, d.id);
    assert.deepEqual([unrelated?.links.length, unrelated?.continuesSince], [2, false]);
    assert.deepEqual(await storage.checkpoints.chain(d.id, "chk_unknown"), await storage.checkpoints.chain(d.id));
    assert.equal(await storage.checkpoints.chain("chk_unknown", b.id), undefined);
  },

  async "the chain since an ancestor behind a snapshot is read back all the same"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const written = [snapshot({ a: 1 }), setKey("b", 2), snapshot({ c: 3 }), setKey("d", 4)];
    await write(driver, run, written);
    const chain = await storage.checkpoints.chain(written[3]?.id as string, written[0]?.id);
    assert.deepEqual(chain && valuesOf(chain, { a: 1 }), { c: 3, d: 4 });
    const alone = await storage.checkpoints.chain(written[3]?.id as string, written[1]?.id);
    assert.deepEqual([alone && idsOf(alone.links), alone?.continuesSince], [[written[2]?.id, written[3]?.id], false]);
  },

  async "bodies, where the storage offers them, say what the chain says"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const written = [setKey("a", 1), snapshot({ b: 2 }), setKey("c", "ü"), setKey("d", 4)];
    await write(driver, run, written);
    const last = (await driver.settle(run)).headCheckpointId as string;
    const ids = [...idsOf(written), last, "chk_unknown"];
    for (const id of ids) {
      for (const since of [undefined, ...ids]) {
        const chain = await storage.checkpoints.chain(id, since);
        const bodies = await (storage.checkpoints.bodies?.(id, since) ?? (chain && bodiesOf(chain)));
        assert.deepEqual(bodies, chain && bodiesOf(chain), `${id} since ${since}`);
      }
    }
  },

  async "history lists heads, newest first, at most the limit"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const written = [snapshot({ a: 1 }), setKey("b", 2), snapshot({ c: 3 })];
    await write(driver, run, written);
    const newest = written[2]?.id as string;
    const history = await storage.checkpoints.history(newest, 10);
    assert.deepEqual(idsOf(history), idsOf(written).reverse());
    assert.deepEqual(history[0], await storage.checkpoints.get(newest));
    assert.deepEqual(await storage.checkpoints.history(newest, 2), history.slice(0, 2));
    assert.deepEqual(await storage.checkpoints.history("chk_unknown", 10), []);
  },

  async "a long history is read in full and in order"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const written = Array.from({ length: 300 }, (_, index) => setKey(`k${index}`, index));
    await write(driver, run, written);
    const chain = await storage.checkpoints.chain(written.at(-1)?.id as string);
    assert.deepEqual(chain && idsOf(chain.links), idsOf(written));
    assert.equal((await storage.checkpoints.history(written.at(-1)?.id as string, 1_000)).length, 300);
  },
});

async function write(driver: StorageDriver, run: RunRecord, checkpoints: readonly NewCheckpoint[]): Promise<void> {
  for (const checkpoint of checkpoints) await driver.record(run, { checkpoint });
}

/** What the links make of `since`'s values, or of nothing. */
function valuesOf(chain: CheckpointChain, since: JsonObject = {}): JsonObject {
  let values = chain.continuesSince ? since : {};
  for (const { encoding, body } of chain.links) {
    if (encoding === "snapshot") values = JSON.parse(body as string) as JsonObject;
    if (encoding === "delta") values = applyDelta(values, JSON.parse(body as string) as Json);
  }
  return values;
}
