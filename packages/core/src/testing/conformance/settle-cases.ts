import assert from "node:assert/strict";
import { acceptRun, freshId, setKey, settleRun, snapshot } from "../intents.js";
import { inGroup } from "./conformance-case.js";
import { assertFields, json, typesOf } from "./expect.js";

export const settleCases = inGroup("run: settle", {
  async "success stores output, events, checkpoint, head and frees the thread at once"({ driver, clock, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    await clock.advance(5);
    const checkpoint = snapshot({ a: 1 });
    const events = [{ type: "log", payload: '{"n":1}' }];
    const intent = settleRun(run, { checkpoint, events, outcome: { status: "succeeded", output: '{"x":[1]}' } });
    const result = await driver.result(intent);
    assert.ok(result.ok);
    const settled = await driver.run(run);
    assert.deepEqual(result.value, settled);
    assertFields(settled, {
      status: "succeeded",
      output: '{"x":[1]}',
      settledAt: clock.now(),
      headCheckpointId: checkpoint.id,
    });
    assertFields(settled, { active: false, worker: null, leaseUntil: null, error: null, failures: 0 });
    const thread = await driver.thread(run.threadId as string);
    assertFields(thread, {
      activeRunId: null,
      lastOutcome: "succeeded",
      headCheckpointId: checkpoint.id,
      updatedAt: clock.now(),
    });
    const log = await driver.threadEvents(thread.id);
    assert.deepEqual(typesOf(log), ["run_started", "log", "values_updated", "run_succeeded"]);
    assert.deepEqual(json(log[2]?.payload ?? null), { checkpointId: checkpoint.id, changedKeys: ["a"] });
    assert.deepEqual(json(log[3]?.payload ?? null), { output: { x: [1] } });
    const head = await storage.checkpoints.get(checkpoint.id);
    assert.ok(head !== undefined);
    assertFields(head, {
      kind: "final",
      runId: run.id,
      threadId: thread.id,
      attempt: 1,
      parentId: null,
      createdAt: clock.now(),
    });
  },

  async "effects tell each event, the run and the checkpoint"({ driver }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const result = await driver.result(settleRun(run, { checkpoint: snapshot({ a: 1 }) }));
    assert.ok(result.ok);
    assert.deepEqual(typesOf(result.effects), ["checkpoint", "event", "event", "run"]);
    const told = result.effects.flatMap((effect) => (effect.type === "event" ? [effect.event] : []));
    const stored = (await driver.threadEvents(run.threadId as string)).slice(1);
    assert.deepEqual(told, stored);
  },

  async "a success without a checkpoint ends with an unchanged one"({ driver, storage }) {
    const values = snapshot({ a: 1 });
    const thread = await driver.createThread({ values });
    const settled = await driver.settle(await driver.start({ threadId: thread.id }), {
      finalCheckpointId: "chk-final",
    });
    assert.equal(settled.headCheckpointId, "chk-final");
    const head = await storage.checkpoints.get("chk-final");
    assert.ok(head !== undefined);
    assertFields(head, { kind: "final", encoding: "same", bodyBytes: 0, valuesBytes: null, parentId: values.id });
    assert.deepEqual(typesOf(await driver.threadEvents(thread.id)), ["run_started", "run_succeeded"]);
  },

  async "failure and cancel keep the head at the last mid-run values"({ driver, storage }) {
    const thread = await driver.createThread();
    const run = await driver.start({ threadId: thread.id });
    const mid = snapshot({ a: 1 });
    await driver.record(run, { checkpoint: mid });
    const failed = await driver.fail(run, "boom");
    assertFields(failed, { status: "failed", failures: 1, output: null });
    assert.deepEqual(json(failed.error), { code: "AGENT_ERROR", message: "boom" });
    assertFields(await driver.thread(thread.id), { lastOutcome: "failed", headCheckpointId: failed.headCheckpointId });
    const history = await storage.checkpoints.history(failed.headCheckpointId as string, 10);
    assert.deepEqual(
      history.map(({ kind, encoding }) => [kind, encoding]),
      [
        ["final", "same"],
        ["mid", "snapshot"],
      ],
    );
    const canceled = await driver.start({ threadId: thread.id });
    const reason = { kind: "disconnect", note: "gone" } as const;
    const settled = await driver.settle(canceled, {
      outcome: { status: "canceled", reason },
      checkpoint: setKey("lost", 1),
    });
    assert.deepEqual(json(settled.cancelReason), reason);
    const [head, parent] = await storage.checkpoints.history(settled.headCheckpointId as string, 2);
    assertFields({ ...head }, { encoding: "same", kind: "final" });
    assert.equal(parent?.id, failed.headCheckpointId);
    assertFields(await driver.thread(thread.id), { lastOutcome: "canceled" });
  },

  async "a failure that does not count leaves the counter"({ driver }) {
    const run = await driver.start();
    const error = { code: "INVALID_OUTPUT", message: "not JSON" };
    const failed = await driver.settle(run, { outcome: { status: "failed", error, counts: "none" } });
    assertFields(failed, { failures: 0, status: "failed" });
    const events = await driver.events(`r:${run.id}`);
    assert.deepEqual(json(events.at(-1)?.payload ?? null), { error });
  },

  async "a stateless run writes a checkpoint only when it has one"({ driver, storage }) {
    const without = await driver.settle(await driver.start());
    assert.equal(without.headCheckpointId, null);
    const checkpoint = snapshot({ a: 1 });
    const run = await driver.settle(await driver.start(), { checkpoint });
    assert.equal(run.headCheckpointId, checkpoint.id);
    assertFields({ ...(await storage.checkpoints.get(checkpoint.id)) }, { threadId: null, runId: run.id });
  },

  async "the next queued run takes the thread in the same transaction, first in first out"({ driver, clock }) {
    const first = await driver.start({ threadId: freshId("thr") });
    const { threadId } = first;
    const second = await driver.accept({ threadId, whenBusy: "enqueue" });
    await clock.advance(5);
    const third = await driver.accept({ threadId, whenBusy: "enqueue", priority: 9 });
    await clock.advance(5);
    const result = await driver.result(settleRun(first, { checkpoint: snapshot({ a: 1 }) }));
    assert.ok(result.ok && result.effects.some(({ type }) => type === "claimable"));
    const promoted = await driver.run(second.run);
    const thread = await driver.thread(threadId as string);
    assertFields(thread, { activeRunId: second.run.id, queueLength: 1, lastOutcome: "succeeded" });
    assertFields(promoted, { active: true, queuePosition: null, status: "pending", availableAt: clock.now() });
    assertFields(promoted, { baseCheckpointId: thread.headCheckpointId, headCheckpointId: thread.headCheckpointId });
    const [claimed] = await driver.claim();
    assert.equal(claimed?.id, second.run.id);
    await driver.fail(claimed);
    assert.equal((await driver.claim())[0]?.id, third.run.id);
  },

  async "a whole queue drains in one batch of settles"({ driver, storage }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const queued = await Promise.all(
      Array.from({ length: 5 }, () => driver.accept({ threadId: run.threadId, whenBusy: "enqueue" })),
    );
    const cancels = queued.map(({ run: { id, threadId } }) => {
      const finalCheckpointId = freshId("chk");
      return { kind: "cancel_run", runId: id, threadId, reason: { kind: "user" }, finalCheckpointId } as const;
    });
    const results = await storage.commit([settleRun(run), ...cancels]);
    assert.deepEqual(
      results.map(({ ok }) => ok),
      Array(6).fill(true),
    );
    assertFields(await driver.thread(run.threadId as string), {
      activeRunId: null,
      queueLength: 0,
      lastOutcome: "canceled",
    });
  },

  async "accepted, claimed and settled in one batch"({ driver, storage }) {
    const intent = acceptRun({ threadId: freshId("thr") });
    const { id, threadId } = intent.run;
    const claim = { kind: "claim_runs", worker: driver.worker, lease: 1, agents: ["worker"], limit: 1 } as const;
    const settle = settleRun({ id, threadId, attempt: 1 } as never);
    const results = await storage.commit([intent, claim, settle, acceptRun({ threadId })]);
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [true, true, true, true],
    );
    assertFields(await driver.run({ id }), { status: "succeeded", attempt: 1 });
  },

  async "a released run keeps its thread and counts a failure only on retry"({ driver, clock }) {
    const run = await driver.start({ threadId: freshId("thr") });
    const retried = await driver.release(run, {
      why: "retry",
      delay: 500,
      error: { code: "AGENT_ERROR", message: "x" },
    });
    assertFields(retried, {
      status: "pending",
      active: true,
      failures: 1,
      availableAt: clock.now() + 500,
      worker: null,
    });
    assert.equal((await driver.thread(run.threadId as string)).activeRunId, run.id);
    await clock.advance(500);
    const [again] = await driver.claim();
    assert.ok(again !== undefined);
    assertFields(await driver.release(again, { why: "shutdown" }), { failures: 1, crashes: 0, status: "pending" });
    const events = await driver.threadEvents(run.threadId as string);
    assert.deepEqual(typesOf(events), ["run_started", "run_retrying", "run_started", "run_retrying"]);
    assertFields(json(events[1]?.payload ?? null), { why: "retry", failures: 1, availableAt: retried.availableAt });
  },

  async "a stateless run that asks for it is removed when it settles"({ driver, storage }) {
    const run = await driver.start({ policy: { onCompletion: "delete" } });
    const checkpoint = snapshot({ a: 1 });
    const result = await driver.result(settleRun(run, { checkpoint }));
    assert.ok(result.ok);
    assert.deepEqual(typesOf(result.effects).slice(-2), ["run", "run_deleted"]);
    assert.equal(await storage.runs.get(run.id), undefined);
    assert.equal(await storage.checkpoints.get(checkpoint.id), undefined);
    assert.deepEqual(await driver.events(`r:${run.id}`), []);
  },
});
