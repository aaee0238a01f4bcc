import assert from "node:assert/strict";
import { freshId } from "../intents.js";
import { lease, StorageDriver } from "../storage-driver.js";
import { type CaseContext, inGroup } from "./conformance-case.js";
import { assertFields, idsOf } from "./expect.js";

export const workCases = inGroup("work", {
  async "an empty storage has nothing due, ever"({ driver, clock }) {
    const nothing = { tend: [], wake: [], orphans: [], claimable: false, nextAt: null, workers: [] };
    assert.deepEqual(await driver.due(), { ...nothing, now: clock.now() });
  },

  async "tells whether a run of one's agents is claimable now"({ driver }) {
    await driver.accept({ delay: 1_000 });
    assertFields(await driver.due(), { claimable: false });
    const { run } = await driver.accept();
    assertFields(await driver.due(), { claimable: true });
    assertFields(await driver.due({ agents: ["other"] }), { claimable: false });
    assertFields(await driver.due({ agents: [] }), { claimable: false });
    await driver.cancel(run);
    assertFields(await driver.due(), { claimable: false });
  },

  async "names the time at which a run becomes claimable"({ driver, clock }) {
    await driver.accept({ delay: 2_000 });
    await driver.accept({ delay: 1_000 });
    assertFields(await driver.due(), { nextAt: clock.now() + 1_000 });
    await clock.advance(1_000);
    assertFields(await driver.due(), { nextAt: clock.now() + 1_000, claimable: true });
  },

  async "names and lists a delayed run of a thread, a deadline, a lease, a grace"({ driver, clock }) {
    const { run: delayed } = await driver.accept({ threadId: freshId("thr"), delay: 1_000 });
    const { run: pending } = await driver.accept({ agent: "other", deadline: 2_000 });
    const leased = await driver.start();
    const canceled = (await driver.cancel(await driver.start(), { grace: 3_000 })).run;
    const start = clock.now();
    const steps = [
      [delayed, 1_000],
      [pending, 2_000],
      [canceled, 3_000],
      [leased, lease],
    ] as const;
    for (const [run, after] of steps) {
      assertFields(await driver.due(), { tend: [], nextAt: start + after });
      await clock.advanceTo(start + after);
      assert.deepEqual((await driver.due()).tend, [{ runId: run.id, threadId: run.threadId }]);
      assert.notEqual(await driver.tend(run), undefined);
    }
    assertFields(await driver.due(), { tend: [] });
  },

  async "lists at most the limit, and all of it in the end"({ driver, clock }) {
    for (let at = 0; at < 5; at++) await driver.accept({ deadline: 1_000 });
    await clock.advance(1_000);
    const seen: string[] = [];
    for (const size of [2, 2, 1, 0]) {
      const { tend } = await driver.due({ limit: 2 });
      assert.equal(tend.length, size);
      for (const { runId, threadId } of tend) seen.push((await driver.tend({ id: runId, threadId }))?.id ?? "");
    }
    assert.equal(new Set(seen).size, 5);
  },

  async "lists the runs of dead workers"({ driver, storage }) {
    const other = new StorageDriver(storage);
    const [first, second] = [await driver.start(), await other.start({ threadId: freshId("thr") })];
    await driver.accept();
    assertFields(await driver.due({ deadWorkers: ["wrk_unknown"] }), { tend: [] });
    assertFields(await driver.due({ deadWorkers: [other.worker] }), {
      tend: [{ runId: second.id, threadId: second.threadId }],
    });
    const { tend } = await driver.due({ deadWorkers: [other.worker, driver.worker, "wrk_unknown"] });
    assert.deepEqual(tend.map(({ runId }) => runId).sort(), [first.id, second.id].sort());
  },

  async "names the workers that hold leases, but not the asker and its leases"({ driver, storage, clock }) {
    const other = new StorageDriver(storage);
    const own = await driver.start();
    await clock.advance(10);
    await other.start();
    await other.start();
    assert.deepEqual([...(await driver.due()).workers].sort(), [driver.worker, other.worker].sort());
    const { workers, nextAt } = await driver.due({ worker: driver.worker });
    assert.deepEqual([workers, nextAt], [[other.worker], clock.now() + lease]);
    await driver.cancel(own, { grace: 50 });
    assertFields(await driver.due({ worker: driver.worker }), { nextAt: clock.now() + 50 });
    await driver.settle(own);
    assert.deepEqual((await driver.due()).workers, [other.worker]);
  },

  async "says what a worker holds"({ driver, storage }) {
    const held = [await driver.start(), await driver.start({ threadId: freshId("thr") })];
    await driver.settle(await driver.start());
    await new StorageDriver(storage).start();
    const runs = await storage.work.heldBy(driver.worker);
    assert.deepEqual(idsOf(runs).sort(), idsOf(held).sort());
    assert.deepEqual(
      runs.find(({ id }) => id === held[0]?.id),
      held[0],
    );
    assert.deepEqual(await storage.work.heldBy("wrk_unknown"), []);
  },

  async "a living worker is never found dead"({ driver, storage }) {
    await storage.work.announce(driver.worker);
    await storage.work.announce(freshId("wrk"));
    assert.deepEqual(await storage.work.findDead([driver.worker]), []);
    assert.deepEqual(await storage.work.findDead([]), []);
  },

  async "purging an empty storage, and twice, is fine"({ driver }) {
    await driver.due({ purge: true });
    await driver.due({ purge: true });
  },

  async "a second connection sees each commit that resolved before"({ driver, fixture }) {
    const second = await fixture.reopen?.();
    if (second === undefined) return { skipped: "one connection only" };
    try {
      const other = new StorageDriver(second);
      const run = await driver.start({ threadId: freshId("thr") });
      assert.deepEqual(await other.run(run), run);
      await other.cancel(run);
      assertFields(await driver.settle(run), { status: "canceled" });
      assert.deepEqual(await other.run(run), await driver.run(run));
    } finally {
      await second.close();
    }
    return undefined;
  },

  async "commits of another connection are hinted at"(context) {
    const { fixture, storage } = context;
    const second = await fixture.reopen?.();
    if (second === undefined) return { skipped: "one connection only" };
    let hints = 0;
    const stop = storage.work.watch(() => hints++);
    try {
      await new StorageDriver(second).accept();
      await until(context, () => hints > 0);
    } finally {
      stop();
      await second.close();
    }
    return undefined;
  },

  async "a stopped watch hints no more"({ driver, fixture, storage, clock }) {
    const second = await fixture.reopen?.();
    if (second === undefined) return { skipped: "one connection only" };
    let hints = 0;
    storage.work.watch(() => hints++)();
    await new StorageDriver(second).accept();
    await clock.advance(1_000);
    await second.close();
    await driver.accept();
    assert.equal(hints, 0);
    return undefined;
  },
});

/** Moves time on, as watching may poll, until `holds`. */
async function until({ clock }: CaseContext, holds: () => boolean): Promise<void> {
  for (let round = 0; round < 200 && !holds(); round++) {
    await clock.advance(50);
    await new Promise<void>((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(holds(), "waited in vain");
}
