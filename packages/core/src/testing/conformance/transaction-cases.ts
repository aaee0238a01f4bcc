import assert from "node:assert/strict";
import type { Accepted } from "../../model/intents/intent.js";
import type { StorageTransaction } from "../../ports/storage.js";
import { acceptRun, freshId, settleRun, snapshot } from "../intents.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, readAll, refused } from "./expect.js";

export const transactionCases = inGroup("transaction", {
  async "commits all intents together and hands over their effects"({ driver, storage }) {
    const [first, second] = [acceptRun({ threadId: freshId("thr") }), acceptRun()];
    const { result, effects } = await storage.transaction(async (tx) => {
      await tx.apply(first);
      return tx.apply(second);
    });
    assert.equal((result as Accepted).run.id, second.run.id);
    assert.deepEqual(
      effects.map(({ type }) => type),
      ["run", "claimable", "run", "claimable"],
    );
    assertFields(await driver.run(first.run), { status: "pending" });
    assertFields(await driver.run(second.run), { status: "pending" });
  },

  async "rolls everything back when its body fails"({ driver, storage }) {
    const { id } = await driver.createThread({ values: snapshot({ a: 1 }) });
    const gone = await driver.createThread({ values: snapshot({ a: 1 }) });
    const settled = await driver.settle(await driver.start({ threadId: gone.id }), { checkpoint: snapshot({ b: 2 }) });
    const run = await driver.start({ threadId: id });
    const { run: queued } = await driver.accept({ threadId: id, whenBusy: "enqueue" });
    const before = await readAll(driver);
    const failure = new Error("the host's own");
    const body = async (tx: StorageTransaction<unknown>) => {
      await tx.apply(settleRun(run, { checkpoint: snapshot({ c: 3 }), events: [{ type: "log", payload: "1" }] }));
      await tx.apply(acceptRun({ idempotency: { key: "k", fingerprint: "f", keep: 1_000 } }));
      await tx.apply({ kind: "delete_run", runId: run.id, threadId: id });
      await tx.apply({ kind: "copy_thread", from: id, id: freshId("thr") });
      await tx.apply({ kind: "delete_thread", id: gone.id, keepTombstone: 1_000 });
      throw failure;
    };
    await assert.rejects(storage.transaction(body), failure);
    assert.deepEqual(await readAll(driver), before);
    assert.equal(await storage.threads.isDeleted(gone.id), false);
    assert.notEqual(await storage.checkpoints.chain(settled.headCheckpointId as string), undefined);
    assert.equal(
      (await driver.accept({ idempotency: { key: "k", fingerprint: "g", keep: 1_000 } })).outcome,
      "accepted",
    );
    await driver.settle(run);
    assertFields(await driver.run(queued), { active: true });
  },

  async "goes on after a refused intent, unless the body gives up"({ driver, storage }) {
    const busy = await driver.start({ threadId: freshId("thr") });
    const accepted = acceptRun();
    await storage.transaction(async (tx) => {
      await refused(tx.apply(acceptRun({ threadId: busy.threadId })), "THREAD_BUSY");
      await tx.apply(accepted);
    });
    assertFields(await driver.run(accepted.run), { status: "pending" });
    const lost = acceptRun();
    const givesUp = storage.transaction(async (tx) => {
      await tx.apply(lost);
      await tx.apply(acceptRun({ threadId: busy.threadId }));
    });
    await refused(givesUp, "THREAD_BUSY");
    assert.equal(await storage.runs.get(lost.run.id), undefined);
  },

  async "what is asked for at once is applied in order, and who is refused is refused alone"({ driver, storage }) {
    const busy = await driver.start({ threadId: freshId("thr") });
    const gone = await driver.settle(await driver.start({ threadId: freshId("thr") }));
    const threadId = freshId("thr");
    const accepts = Array.from({ length: 5 }, () => acceptRun({ threadId, whenBusy: "enqueue" }));
    await storage.transaction(async (tx) => {
      const [first, ...others] = accepts.map((accept) => tx.apply(accept));
      const refusal = refused(tx.apply(acceptRun({ threadId: busy.threadId })), "THREAD_BUSY");
      const removal = tx.apply({ kind: "delete_run", runId: gone.id, threadId: gone.threadId });
      const last = tx.apply(acceptRun({ threadId, whenBusy: "enqueue" }));
      await Promise.all([first, ...others, refusal, removal, last]);
    });
    assertFields(await driver.thread(threadId), { activeRunId: accepts[0]?.run.id ?? null, queueLength: 5 });
    const runs = await storage.runs.list({
      threadId,
      status: ["pending"],
      sortBy: "createdAt",
      order: "asc",
      limit: 10,
    });
    const places = new Map(runs.map(({ id, queuePosition }) => [id, queuePosition ?? 0]));
    const inOrder = accepts.map(({ run }) => places.get(run.id) as number);
    assert.deepEqual(
      inOrder.toSorted((a, b) => a - b),
      inOrder,
    );
    assert.equal(new Set(places.values()).size, 6);
    assert.equal(await storage.runs.get(gone.id), undefined);
    assertFields(await driver.thread(busy.threadId as string), { activeRunId: busy.id, queueLength: 0 });
  },

  async "a poisonous intent among those asked for at once fails alone"({ driver, storage }) {
    const taken = await driver.start({ threadId: freshId("thr") });
    const [before, behind] = [acceptRun(), acceptRun({ threadId: freshId("thr") })];
    await storage.transaction(async (tx) => {
      const first = tx.apply(before);
      const poison = refused(tx.apply(acceptRun({ id: taken.id, threadId: freshId("thr") })), "STORAGE_ERROR");
      await Promise.all([first, poison, tx.apply(behind)]);
    });
    assertFields(await driver.run(taken), { status: "running", threadId: taken.threadId });
    assertFields(await driver.run(before.run), { status: "pending" });
    assertFields(await driver.run(behind.run), { status: "pending" });
  },

  async "what its body does not wait for is done or refused, and never half"({ driver, storage }) {
    const [ended, failed] = [acceptRun({ threadId: freshId("thr") }), acceptRun({ threadId: freshId("thr") })];
    const outcomes: Promise<boolean>[] = [];
    const begin = (tx: StorageTransaction<unknown>, intent: typeof ended) => {
      const applied = tx.apply(intent);
      outcomes.push(applied.then(() => true).catch(() => false));
    };
    await storage.transaction(async (tx) => begin(tx, ended));
    assert.equal((await storage.runs.get(ended.run.id)) !== undefined, await outcomes[0]);
    const failure = new Error("the host's own");
    const failing = storage.transaction(async (tx) => {
      begin(tx, failed);
      throw failure;
    });
    await assert.rejects(failing, failure);
    await outcomes[1];
    assert.equal(await storage.runs.get(failed.run.id), undefined);
    assertFields(await driver.run((await driver.accept()).run), { status: "pending" });
  },

  async "sees its own writes; nobody else does before the commit"({ storage }) {
    const accept = acceptRun({ threadId: freshId("thr") });
    const opened = gate();
    const finish = gate();
    const transaction = storage.transaction(async (tx) => {
      await tx.apply(accept);
      const again = await tx.apply(acceptRun({ threadId: accept.run.threadId, whenBusy: "enqueue" }));
      opened.open();
      await finish.passed;
      return (again as Accepted).run.queuePosition;
    });
    await opened.passed;
    const seenMeanwhile = storage.runs.get(accept.run.id);
    const turns = Promise.race([seenMeanwhile, new Promise((resolve) => setTimeout(() => resolve(undefined), 20))]);
    assert.equal(await turns, undefined);
    finish.open();
    assert.notEqual((await transaction).result, null);
    await seenMeanwhile;
    assert.notEqual(await storage.runs.get(accept.run.id), undefined);
  },

  async "commits from outside wait their turn and lose nothing"({ driver, storage }) {
    const { id } = await driver.createThread();
    const accept = () => acceptRun({ threadId: id, whenBusy: "enqueue" });
    const work = Array.from({ length: 10 }, (_, index) =>
      index % 2 === 0
        ? driver.apply<"accept_run">(accept())
        : storage.transaction(async (tx) => {
            await tx.apply(accept());
            await tx.apply(accept());
          }),
    );
    await Promise.all(work);
    assertFields(await driver.thread(id), { queueLength: 14 });
  },

  async "is over when it is over"({ storage }) {
    let kept: StorageTransaction<unknown> | undefined;
    await storage.transaction(async (tx) => {
      kept = tx;
    });
    await refused(kept?.apply(acceptRun()) as Promise<unknown>, "TRANSACTION_CLOSED");
    const failing = storage.transaction(async (tx) => {
      kept = tx;
      throw new Error("no");
    });
    await assert.rejects(failing);
    await refused(kept?.apply(acceptRun()) as Promise<unknown>, "TRANSACTION_CLOSED");
    assert.equal(await storage.runs.count({}), 0);
  },

  async "inside it the storage itself refuses, rather than wait for its own end"({ storage }) {
    await storage.transaction(async () => {
      await refused(storage.commit([acceptRun()]), "TRANSACTION_MISUSE");
      await refused(storage.runs.get("run_unknown"), "TRANSACTION_MISUSE");
      await refused(
        storage.transaction(async () => {}),
        "TRANSACTION_MISUSE",
      );
    });
    assert.equal(await storage.runs.count({}), 0);
  },

  async "what the body started and left behind may use the storage afterwards"({ storage }) {
    const finish = gate();
    let later: Promise<unknown> | undefined;
    await storage.transaction(async () => {
      later = finish.passed.then(() => storage.runs.count({}));
    });
    finish.open();
    assert.equal(await later, 0);
  },

  async "returns what its body returns, and needs no intents"({ storage }) {
    assert.deepEqual(await storage.transaction(async () => "value"), { result: "value", effects: [] });
  },
});

function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}
