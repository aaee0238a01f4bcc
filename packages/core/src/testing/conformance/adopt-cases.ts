/** Transactions that the host began itself. Storages that cannot join one skip these. */

import assert from "node:assert/strict";
import type { Accepted, Intent } from "../../model/intents/intent.js";
import type { Storage } from "../../ports/storage.js";
import { acceptRun, freshId, settleRun } from "../intents.js";
import type { CaseContext, ForeignTransaction, Skipped } from "./conformance-case.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, readAll, refused } from "./expect.js";

type Body = (context: CaseContext, begin: () => Promise<Joined>) => Promise<void>;

/** A foreign transaction and what joined it. */
interface Joined extends ForeignTransaction {
  apply(intent: Intent): Promise<unknown>;
}

function joining(body: Body) {
  return async (context: CaseContext): Promise<Skipped | undefined> => {
    const { storage, fixture } = context;
    if (storage.adopt === undefined) return { skipped: "it joins no transactions of the host's" };
    if (fixture.beginForeign === undefined) assert.fail("a storage that adopts needs a fixture with beginForeign");
    const open: ForeignTransaction[] = [];
    const begin = async (): Promise<Joined> => {
      const foreign = await (fixture.beginForeign as () => Promise<ForeignTransaction>)();
      open.push(foreign);
      return { ...foreign, apply: (intent) => adopted(storage, foreign.tx).apply(intent) };
    };
    try {
      await body(context, begin);
    } finally {
      for (const foreign of open) await foreign.end();
    }
    return undefined;
  };
}

function adopted(storage: Storage, tx: unknown) {
  const joined = storage.adopt?.(tx);
  assert.notEqual(joined, undefined, "the transaction was not taken for one");
  return joined as NonNullable<typeof joined>;
}

export const adoptCases = inGroup("adopt", {
  "what is applied is seen with the commit, not before": joining(async ({ driver, storage }, begin) => {
    const [first, second] = [acceptRun({ threadId: freshId("thr") }), acceptRun()];
    const foreign = await begin();
    assert.equal(((await foreign.apply(first)) as Accepted).run.id, first.run.id);
    await foreign.apply(second);
    assert.equal(await storage.runs.count({}), 0);
    assert.equal(await storage.threads.get(first.run.threadId as string), undefined);
    await foreign.commit();
    assertFields(await driver.run(first.run), { status: "pending", active: true });
    assertFields(await driver.run(second.run), { status: "pending" });
    assert.equal((await driver.claim()).length, 2);
  }),

  "rolled back, nothing was done": joining(async ({ driver, storage }, begin) => {
    const { id } = await driver.createThread();
    const run = await driver.start({ threadId: id });
    const before = await readAll(driver);
    const foreign = await begin();
    await foreign.apply(settleRun(run));
    await foreign.apply(
      acceptRun({ threadId: freshId("thr"), idempotency: { key: "k", fingerprint: "f", keep: 1_000 } }),
    );
    await foreign.rollback();
    assert.deepEqual(await readAll(driver), before);
    assert.equal(await storage.runs.count({}), 1);
    await driver.settle(run);
    const again = await driver.accept({ idempotency: { key: "k", fingerprint: "g", keep: 1_000 } });
    assert.equal(again.outcome, "accepted");
  }),

  "a later intent sees an earlier one's writes": joining(async ({ driver }, begin) => {
    const threadId = freshId("thr");
    const foreign = await begin();
    const first = (await foreign.apply(acceptRun({ threadId }))) as Accepted;
    const second = (await foreign.apply(acceptRun({ threadId, whenBusy: "enqueue" }))) as Accepted;
    assert.deepEqual([first.run.active, second.run.active], [true, false]);
    await foreign.commit();
    assertFields(await driver.thread(threadId), { activeRunId: first.run.id, queueLength: 1 });
  }),

  "what joins at once takes turns, in order": joining(async ({ driver }, begin) => {
    const busy = await driver.start({ threadId: freshId("thr") });
    const threadId = freshId("thr");
    const foreign = await begin();
    const accepts = Array.from({ length: 5 }, () => foreign.apply(acceptRun({ threadId, whenBusy: "enqueue" })));
    const refusal = refused(foreign.apply(acceptRun({ threadId: busy.threadId })), "THREAD_BUSY");
    const [first, ...others] = (await Promise.all(accepts)) as Accepted[];
    await refusal;
    await foreign.commit();
    assertFields(await driver.thread(threadId), { activeRunId: first?.run.id ?? null, queueLength: 4 });
    const places = others.map(({ run }) => run.queuePosition as number);
    assert.deepEqual(
      [...new Set(places)].toSorted((a, b) => a - b),
      places,
    );
  }),

  "a refused intent changes nothing and leaves the transaction usable": joining(async ({ driver }, begin) => {
    const busy = await driver.start({ threadId: freshId("thr") });
    const accepted = acceptRun();
    const foreign = await begin();
    await refused(foreign.apply(acceptRun({ threadId: busy.threadId })), "THREAD_BUSY");
    await foreign.apply(accepted);
    await foreign.commit();
    assertFields(await driver.run(accepted.run), { status: "pending" });
    assertFields(await driver.thread(busy.threadId as string), { activeRunId: busy.id, queueLength: 0 });
  }),

  "what it holds is waited for, and of a batch left out": joining(async ({ driver, storage }, begin) => {
    const { id } = await driver.createThread();
    const foreign = await begin();
    await foreign.apply(acceptRun({ threadId: id }));
    const other = acceptRun();
    const results = await storage.commit([acceptRun({ threadId: id, whenBusy: "enqueue" }), other]);
    assert.deepEqual(
      results.map((result) => (result.ok ? "ok" : result.error.code)),
      ["STORAGE_BUSY", "ok"],
    );
    const alone = driver.apply<"accept_run">(acceptRun({ threadId: id, whenBusy: "enqueue" }));
    await foreign.commit();
    assert.equal((await alone).run.active, false);
    assertFields(await driver.thread(id), { queueLength: 1 });
  }),

  "what is no transaction is not taken for one": joining(async ({ storage }) => {
    for (const none of [undefined, null, 1, "tx", {}, { isTransaction: true }, () => {}]) {
      assert.equal(storage.adopt?.(none), undefined);
    }
  }),
});
