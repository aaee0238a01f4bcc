import assert from "node:assert/strict";
import type { RunRecord } from "../../model/run.js";
import { attemptOf, freshId, snapshot } from "../intents.js";
import { lease, type StorageDriver } from "../storage-driver.js";
import { type CaseContext, inGroup } from "./conformance-case.js";
import { assertFields, refusedUnchanged } from "./expect.js";

/** How an attempt loses its run. */
const losses: Readonly<Record<string, (context: CaseContext, run: RunRecord) => Promise<unknown>>> = {
  "after it settled": ({ driver }, run) => driver.settle(run),
  "after it was released": ({ driver }, run) => driver.release(run, { why: "shutdown" }),
  "after another attempt took over": async ({ driver, clock }, run) => {
    await clock.advance(lease);
    await driver.tend(run);
    await driver.claim();
  },
  "after a cancel settled it": async ({ driver, clock }, run) => {
    await driver.cancel(run, { grace: 0 });
    await clock.advance(1);
    await driver.tend(run);
  },
  "after its thread was deleted": ({ driver }, run) => driver.deleteThread(run.threadId as string),
  "after its thread was deleted and created again": async ({ driver }, run) => {
    await driver.deleteThread(run.threadId as string);
    await driver.start({ threadId: run.threadId });
  },
  "after its run was deleted": async ({ driver }, run) => driver.deleteRun(await driver.settle(run)),
};

export const fenceCases = inGroup("run: fence", {
  ...Object.fromEntries(
    Object.entries(losses).map(([when, lose]) => [
      `an attempt can write nothing ${when}`,
      async (context: CaseContext): Promise<void> => {
        const run = await context.driver.start({ threadId: freshId("thr") });
        await lose(context, run);
        await assertFenced(context.driver, run);
      },
    ]),
  ),

  async "a number that was never given out is no token"({ driver }) {
    const { run } = await driver.accept();
    await assertFenced(driver, run);
    await assertFenced(driver, { ...run, attempt: 1 });
    const [claimed] = await driver.claim();
    await assertFenced(driver, { ...run, attempt: 2 });
    assert.deepEqual(await driver.run(run), claimed);
  },

  async "an expired lease that nobody took is still held"({ driver, clock }) {
    const run = await driver.start();
    await clock.advance(10 * lease);
    assertFields(await driver.settle(run), { status: "succeeded" });
  },
});

async function assertFenced(driver: StorageDriver, run: RunRecord): Promise<void> {
  const events = [{ type: "log", payload: "1" }];
  const checkpoint = snapshot({ late: true });
  await refusedUnchanged(driver, () => driver.record(run, { events, checkpoint }), "LEASE_LOST");
  await refusedUnchanged(driver, () => driver.settle(run, { events, checkpoint }), "LEASE_LOST");
  await refusedUnchanged(driver, () => driver.release(run, { events }), "LEASE_LOST");
  assert.equal(await driver.storage.checkpoints.get(checkpoint.id), undefined);
  const attempts = [attemptOf(run)];
  const [state] = await driver.apply<"extend_leases">({
    kind: "extend_leases",
    worker: driver.worker,
    lease,
    attempts,
  });
  assert.equal(state?.run, undefined);
}
