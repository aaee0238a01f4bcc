import assert from "node:assert/strict";
import type { Accepted } from "../../model/intents/intent.js";
import type { RunRecord } from "../../model/run.js";
import { acceptRun, freshId } from "../intents.js";
import { lease, StorageDriver } from "../storage-driver.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, idsOf, json } from "./expect.js";

export const claimCases = inGroup("run: claim", {
  async "gives the run a lease, a new attempt and its first event"({ driver, clock }) {
    const { run } = await driver.accept();
    const [claimed] = await driver.claim();
    assert.deepEqual(claimed, {
      ...run,
      status: "running",
      attempt: 1,
      worker: driver.worker,
      leaseUntil: clock.now() + lease,
      startedAt: clock.now(),
      firstSeq: 1,
      lastSeq: 1,
    });
    const [started] = await driver.events(`r:${run.id}`);
    assert.ok(started !== undefined);
    assertFields(started, { seq: 1, runId: run.id, attempt: 1, type: "run_started", createdAt: clock.now() });
    assert.deepEqual(json(started.payload), { agent: "worker" });
  },

  async "is by priority, then time due, then age, then id in binary order"({ driver, clock }) {
    const a = await driver.accept({ delay: 20, id: "a" });
    await clock.advance(10);
    const b = await driver.accept({ delay: 0, id: "b" });
    const urgent = await driver.accept({ delay: 10, priority: 1, id: "urgent" });
    const later = await driver.accept({ delay: 10, id: "later" });
    const Z = await driver.accept({ delay: 10, id: "Z" });
    const low = await driver.accept({ priority: -1, id: "low" });
    const nonAscii = await driver.accept({ delay: 10, id: "é" });
    await clock.advance(10);
    const expected = [urgent, b, a, Z, later, nonAscii, low];
    assert.deepEqual(
      idsOf(await driver.claim()),
      expected.map(({ run }) => run.id),
    );
  },

  async "takes at most the limit, and only of the agents asked for"({ driver }) {
    const { run: first } = await driver.accept();
    const { run: other } = await driver.accept({ agent: "other" });
    const { run: second } = await driver.accept();
    const { run: third } = await driver.accept({ agent: "third" });
    assert.deepEqual(idsOf(await driver.claim(1)), [first.id]);
    assert.deepEqual(idsOf(await driver.claim(10, ["third", "worker"])), [second.id, third.id]);
    assert.deepEqual(idsOf(await driver.claim(10, [])), []);
    assert.deepEqual(idsOf(await driver.claim(10, ["other"])), [other.id]);
  },

  async "never gives out what is queued, delayed, running or settled"({ driver }) {
    const active = await driver.start({ threadId: freshId("thr") });
    await driver.accept({ threadId: active.threadId, whenBusy: "enqueue" });
    await driver.accept({ threadId: active.threadId, delay: 1_000 });
    await driver.accept({ delay: 1_000 });
    await driver.settle(await driver.start());
    assert.deepEqual(await driver.claim(), []);
  },

  async "waits for a released run's time"({ driver, clock }) {
    const run = await driver.start();
    await driver.release(run, { delay: 1_000 });
    assert.deepEqual(await driver.claim(), []);
    await clock.advance(1_000);
    const [again] = await driver.claim();
    assertFields(again as RunRecord, { id: run.id, attempt: 2, failures: 1, startedAt: run.startedAt });
  },

  async "is refused to a second claimer: rivals get disjoint runs"({ driver, storage }) {
    const accepted = await storage.commit(Array.from({ length: 30 }, () => acceptRun()));
    const rivals = Array.from({ length: 5 }, () => new StorageDriver(storage));
    const claims = await Promise.all(rivals.map((rival) => rival.claim(10)));
    const ids = claims.flat().map(({ id }) => id);
    assert.equal(ids.length, accepted.length);
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(await driver.claim(), []);
  },

  async "with the acceptance: in one transaction, where nothing older or more urgent waits"({ driver }) {
    const claim = { worker: driver.worker, lease, agents: ["worker"] };
    const { run, claimed, outcome } = await driver.accept({ claim });
    assert.equal(outcome, "accepted");
    assert.deepEqual(claimed, run);
    assertFields(run, { status: "running", attempt: 1, worker: driver.worker });
    assert.deepEqual(await driver.run(run), run);
  },

  async "with the acceptance: not past an older or more urgent run"({ driver, clock }) {
    const claim = { worker: driver.worker, lease, agents: ["worker"] };
    const { run: older } = await driver.accept();
    await clock.advance(1);
    const { run, claimed } = await driver.accept({ claim });
    assert.equal(claimed, undefined);
    assert.equal(run.status, "pending");
    const urgent = await driver.accept({ claim, priority: 1 });
    assert.equal(urgent.claimed?.id, urgent.run.id);
    assert.deepEqual(idsOf(await driver.claim()), [older.id, run.id]);
  },

  async "with the acceptance: not past one that waits behind a more urgent one that it ends"({ driver }) {
    const claim = { worker: driver.worker, lease, agents: ["worker"] };
    const threadId = freshId("thr");
    const urgent = await driver.accept({ threadId, priority: 5 });
    const { run: waiting } = await driver.accept();
    const { run, claimed } = await driver.accept({ claim, threadId, whenBusy: "interrupt" });
    assertFields(await driver.run(urgent.run), { status: "canceled" });
    assert.equal(claimed, undefined);
    assert.deepEqual(idsOf(await driver.claim()), [waiting.id, run.id]);
  },

  async "with the acceptance: runs of other agents are not waited for"({ driver }) {
    await driver.accept({ agent: "other" });
    const { claimed } = await driver.accept({ claim: { worker: driver.worker, lease, agents: ["worker"] } });
    assert.notEqual(claimed, undefined);
  },

  async "with the acceptance: never of a run that has to queue"({ driver }) {
    const claim = { worker: driver.worker, lease, agents: ["worker"] };
    const { threadId } = await driver.start({ threadId: freshId("thr") });
    const { run, claimed } = await driver.accept({ claim, threadId, whenBusy: "enqueue" });
    assert.equal(claimed, undefined);
    assert.equal(run.active, false);
  },

  async "with the acceptance: each of a batch gets its own run"({ driver, storage }) {
    const claim = { worker: driver.worker, lease, agents: ["worker"] };
    const results = await storage.commit(Array.from({ length: 20 }, () => acceptRun({ claim })));
    const claimed = results.map((result) => result.ok && (result.value as Accepted).claimed?.status);
    assert.deepEqual(claimed, Array(20).fill("running"));
  },

  async "leases are prolonged together; of a lost one nothing is said but that"({ driver, clock }) {
    const held = await driver.start();
    const lost = await driver.start();
    await driver.settle(lost);
    await clock.advance(5_000);
    const attempts = [held, lost].map(({ id, threadId, lineageId, attempt }) => ({
      runId: id,
      threadId,
      lineageId,
      attempt,
    }));
    const states = await driver.apply<"extend_leases">({
      kind: "extend_leases",
      worker: driver.worker,
      lease,
      attempts,
    });
    const prolonged = { ...held, leaseUntil: clock.now() + lease };
    assert.deepEqual(states, [
      { runId: held.id, attempt: 1, run: prolonged },
      { runId: lost.id, attempt: 1, run: undefined },
    ]);
    assert.deepEqual(await driver.run(held), prolonged);
  },
});
