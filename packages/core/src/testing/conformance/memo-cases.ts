import assert from "node:assert/strict";
import { freshId, snapshot } from "../intents.js";
import { lease } from "../storage-driver.js";
import { inGroup } from "./conformance-case.js";
import { isPresent, refused } from "./expect.js";

const step = (key: string, body: string | null) => ({ kind: "step", key, body }) as const;

export const memoCases = inGroup("memos", {
  async "the first of a key counts, per kind; the text comes back as it was given"({ driver, storage }) {
    const run = await driver.start();
    const text = JSON.stringify({ text: "ä😀\u0000\ud800" });
    await driver.record(run, { memos: [step("a", text), step("a", "2"), { kind: "sleep", key: "a", body: "3" }] });
    await driver.record(run, { memos: [step("a", "4"), step("nothing", null)] });
    const memos = await storage.lineages.memos(run.lineageId, 10);
    assert.deepEqual(
      memos.map(({ kind, key, body }) => [kind, key, body]),
      [
        ["sleep", "a", "3"],
        ["step", "a", text],
        ["step", "nothing", null],
      ],
    );
    const ref = { lineageId: run.lineageId, kind: "step", key: "a" } as const;
    assert.deepEqual(await storage.lineages.memo(ref), { ...ref, runId: run.id, body: text });
    assert.equal(await storage.lineages.memo({ ...ref, key: "b" }), undefined);
  },

  async "they outlive failures, crashes and handing back; who lost the lease adds none"({ driver, storage, clock }) {
    const run = await driver.start();
    await driver.record(run, { memos: [step("one", "1")] });
    await driver.release(run, { why: "retry" });
    const [second] = await driver.claim();
    isPresent(second);
    await refused(driver.record(run, { memos: [step("late", "0")] }), "LEASE_LOST");
    await driver.record(second, { memos: [step("two", "2")] });
    await clock.advance(lease);
    await driver.tend(second);
    const keys = (await storage.lineages.memos(run.lineageId, 10)).map(({ key }) => key);
    assert.deepEqual(keys, ["one", "two"]);
  },

  async "a limit takes the first by kind and key"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const memos = Array.from({ length: 12 }, (_, index) => step(`k${String(index).padStart(2, "0")}`, "1"));
    await driver.record(run, { memos: [...memos].reverse() });
    const keys = (await storage.lineages.memos(run.lineageId, 5)).map(({ key }) => key);
    assert.deepEqual(keys, ["k00", "k01", "k02", "k03", "k04"]);
    assert.deepEqual(await storage.lineages.memos("nobody", 5), []);
  },

  async "a retry and a crash go on from the newest checkpoint of the run"({ driver, clock }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const half = snapshot({ half: true });
    await driver.record(run, { checkpoint: half });
    await driver.release(run, { why: "retry" });
    const [second] = await driver.claim();
    isPresent(second);
    assert.equal(second.headCheckpointId, half.id);
    await clock.advance(lease);
    await driver.tend(second);
    const [third] = await driver.claim();
    assert.deepEqual([third?.headCheckpointId, third?.baseCheckpointId], [half.id, run.baseCheckpointId]);
  },

  async "they go with their run"({ driver, storage }) {
    const run = await driver.start();
    await driver.record(run, { memos: [step("one", "1")] });
    await driver.deleteRun(await driver.settle(run));
    assert.deepEqual(await storage.lineages.memos(run.lineageId, 10), []);
  },
});
