import assert from "node:assert/strict";
import { freshId } from "../intents.js";
import { lease } from "../storage-driver.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, idsOf, json, typesOf } from "./expect.js";

export const tendCases = inGroup("run: tend", {
  async "changes nothing where nothing is due"({ driver, clock }) {
    const running = await driver.start();
    const pending = await driver.accept({ deadline: 1_000 });
    const delayed = await driver.accept({ threadId: freshId("thr"), delay: 1_000 });
    const settled = await driver.settle(await driver.start({ agent: "other" }));
    await clock.advance(999);
    for (const run of [running, pending.run, delayed.run, settled]) {
      assert.equal(await driver.tend(run, ["wrk_other"]), undefined);
      assert.deepEqual(await driver.run(run), run);
    }
    assert.equal(await driver.tend({ id: "run_unknown", threadId: null }), undefined);
  },

  async "a lost lease gives the run back and counts a crash"({ driver, clock }) {
    const run = await driver.start({ threadId: freshId("thr") });
    await clock.advance(lease - 1);
    assert.equal(await driver.tend(run), undefined);
    await clock.advance(1);
    const back = await driver.tend(run);
    assertFields(
      { ...back },
      { status: "pending", active: true, crashes: 1, failures: 0, worker: null, leaseUntil: null },
    );
    assert.equal(back?.availableAt, clock.now());
    assert.deepEqual(await driver.run(run), back);
    assert.equal((await driver.thread(run.threadId as string)).activeRunId, run.id);
    const events = await driver.threadEvents(run.threadId as string);
    assertFields(json(events.at(-1)?.payload ?? null), { why: "crash", crashes: 1 });
    assert.equal((await driver.claim())[0]?.attempt, 2);
  },

  async "a prolonged lease is not lost"({ driver, clock }) {
    const run = await driver.start();
    await clock.advance(lease - 1);
    const attempts = [{ runId: run.id, threadId: null, lineageId: run.lineageId, attempt: 1 }];
    await driver.apply<"extend_leases">({ kind: "extend_leases", worker: driver.worker, lease, attempts });
    await clock.advance(lease - 1);
    assert.equal(await driver.tend(run), undefined);
  },

  async "a dead worker's lease is lost at once"({ driver }) {
    const run = await driver.start();
    assertFields({ ...(await driver.tend(run, ["wrk_other", driver.worker])) }, { status: "pending", crashes: 1 });
  },

  async "at the crash limit the run fails, and the thread goes on"({ driver, clock }) {
    const run = await driver.start({ threadId: freshId("thr"), policy: { retry: retry(2) } });
    const next = await driver.accept({ threadId: run.threadId, whenBusy: "enqueue" });
    await clock.advance(lease);
    await driver.tend(run);
    await driver.claim();
    await clock.advance(lease);
    const failed = await driver.tend(run);
    assertFields({ ...failed }, { status: "failed", crashes: 2, failures: 0, attempt: 2 });
    assertFields(json(failed?.error ?? null), { code: "CRASH_LIMIT" });
    assertFields(await driver.thread(run.threadId as string), { activeRunId: next.run.id, lastOutcome: "failed" });
  },

  async "a deadline that passes while the run waits fails it"({ driver, clock }) {
    const active = await driver.start({ threadId: freshId("thr") });
    const { threadId } = active;
    const pending = await driver.accept({ deadline: 1_000 });
    const queued = await driver.accept({ threadId, whenBusy: "enqueue", deadline: 1_000 });
    const delayed = await driver.accept({ threadId, delay: 5_000, deadline: 1_000 });
    await clock.advance(1_000);
    for (const { run } of [pending, queued, delayed]) {
      const failed = await driver.tend(run);
      assertFields({ ...failed }, { status: "failed", failures: 0, attempt: 0, settledAt: clock.now() });
      assertFields(json(failed?.error ?? null), { code: "DEADLINE_EXCEEDED" });
    }
    assertFields(await driver.thread(threadId as string), {
      activeRunId: active.id,
      queueLength: 0,
      lastOutcome: null,
    });
  },

  async "a deadline that passed with a lost lease fails the run"({ driver, clock }) {
    const run = await driver.start({ deadline: 1_000 });
    await clock.advance(1_000);
    assert.equal(await driver.tend(run), undefined);
    await clock.advance(lease);
    assertFields(json((await driver.tend(run))?.error ?? null), { code: "DEADLINE_EXCEEDED" });
  },

  async "a delayed run takes an idle thread when it falls due"({ driver, clock }) {
    const thread = await driver.createThread();
    const { run } = await driver.accept({ threadId: thread.id, delay: 1_000 });
    await clock.advance(1_000);
    assert.deepEqual(await driver.claim(), []);
    assertFields({ ...(await driver.tend(run)) }, { active: true, status: "pending", queuePosition: null });
    assertFields(await driver.thread(thread.id), { activeRunId: run.id, queueLength: 0 });
    assert.equal((await driver.claim())[0]?.id, run.id);
  },

  async "a delayed run joins the queue of a busy thread, behind those who wait"({ driver, clock }) {
    const active = await driver.start({ threadId: freshId("thr") });
    const { threadId } = active;
    const delayed = await driver.accept({ threadId, delay: 1_000 });
    const queued = await driver.accept({ threadId, whenBusy: "enqueue" });
    await clock.advance(1_000);
    assertFields({ ...(await driver.tend(delayed.run)) }, { active: false });
    assert.equal((await driver.thread(threadId as string)).queueLength, 2);
    await driver.settle(active);
    const [next] = await driver.claim();
    assert.equal(next?.id, queued.run.id);
    await driver.settle(next);
    assert.deepEqual(idsOf(await driver.claim()), [delayed.run.id]);
  },

  async "several who tend at once change it once"({ driver, clock }) {
    const run = await driver.start();
    await clock.advance(lease);
    const answers = await Promise.all(Array.from({ length: 5 }, () => driver.tend(run)));
    assert.equal(answers.filter((answer) => answer !== undefined).length, 1);
    assert.deepEqual(typesOf(await driver.events(`r:${run.id}`)), ["run_started", "run_retrying"]);
  },
});

function retry(maxCrashes: number) {
  return { maxFailures: 1, maxCrashes, delay: 1_000, factor: 2, maxDelay: 60_000, jitter: "none" } as const;
}
