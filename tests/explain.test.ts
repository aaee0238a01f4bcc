/** `engine.explain` says why a run or a thread is not moving, and what would move it: staged situations. */

import type { Explanation } from "@heddle/core";
import { defineAgent } from "@heddle/core";
import type { Storage } from "@heddle/core/storage";
import { expect, test } from "vitest";
import { faultyStorage } from "./faulty-storage.js";
import { handDriven } from "./hand-driven.js";
import { refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const lease = 15_000;
const ok = defineAgent({ name: "ok", run: () => ({ output: "done" }) });
const asking = defineAgent({
  name: "asking",
  run: async ({ interrupt, input }) => {
    const options = input === null ? {} : { expiresIn: 1_000 };
    return { output: String(await interrupt("sure", { text: "Are you sure?" }, options)) };
  },
});
const sleeper = defineAgent({ name: "sleeper", run: ({ sleep }) => sleep(60_000) });
const parent = defineAgent({
  name: "parent",
  run: async ({ start }) => {
    const child = await start("child", asking, null);
    return { output: String(await child.result()) };
  },
});

/** Every explanation must be one that a human can read. */
function readable(explanation: Explanation): Explanation {
  expect(explanation.why).toMatch(/^[A-Z][\s\S]*\.$/);
  expect(explanation.next).toMatch(/^[A-Z][\s\S]*\.$/);
  expect(explanation.why).not.toMatch(/undefined|null|NaN|\[object/);
  return explanation;
}

onEveryStorage("explain", (kind) => {
  test("a thread that has nothing to do, and runs that are settled", async () => {
    const { engine } = await setUp(kind, { agents: [ok, asking] });
    const failing = handDriven();
    const other = await setUp(kind, { agents: [failing.agent] });
    const thread = await engine.threads.create();
    expect(readable(await engine.explain(thread.id))).toMatchObject({ state: "idle", threadId: thread.id, waiting: 0 });
    const succeeded = await thread.start(ok, null);
    await succeeded.result();
    expect(readable(await engine.explain(succeeded.id))).toMatchObject({ state: "succeeded", runId: succeeded.id });
    expect(readable(await engine.explain(thread.id))).toMatchObject({ state: "idle", agent: "ok" });
    const failed = await other.engine.runs.start(failing.agent, null);
    (await failing.next()).fail(new Error("no luck today"));
    await failed.settled();
    const why = readable(await other.engine.explain(failed.id));
    expect(why).toMatchObject({ state: "failed", why: expect.stringContaining("no luck today") });
    const canceled = await engine.runs.start(ok, null, { delay: 60_000 });
    await canceled.cancel({ note: "not needed" });
    const reason = expect.stringContaining("not needed");
    expect(readable(await engine.explain(canceled.id))).toMatchObject({ state: "canceled", why: reason });
    for (const unknown of ["run_none", "", "\u0000", 7 as unknown as string])
      await refusal("RUN_NOT_FOUND", () => engine.explain(unknown));
  });

  test("a run that is worked on: here, elsewhere, by a worker that fell silent, or being stopped", async () => {
    const worker = handDriven();
    const faults = faultyStorage();
    const first = await setUp(kind, { agents: [worker.agent], wrap: faults.wrap });
    const second = await first.join({ agents: [], storage: blind(first.database.connect()) });
    const thread = await first.engine.threads.create();
    const run = await thread.start(worker.agent, null);
    const turn = await worker.next();
    const here = readable(await first.engine.explain(thread.id));
    expect(here).toMatchObject({ state: "running", runId: run.id, threadId: thread.id, agent: "worker" });
    expect(here.why).toContain("this engine");
    expect(here.until).toEqual(new Date(first.clock.now() + lease));
    const there = readable(await second.engine.explain(run.id));
    expect(there).toMatchObject({ state: "running", worker: here.worker, until: here.until });
    expect(there.why).not.toContain("this engine");
    await run.cancel({ grace: 3_000, note: "enough" });
    const canceling = readable(await second.engine.explain(run.id));
    expect(canceling).toMatchObject({ state: "canceling", until: new Date(first.clock.now() + 3_000) });
    expect(canceling.why).toContain("enough");
    turn.finish();
    await run.settled();
    const next = await thread.start(worker.agent, null);
    await worker.next();
    faults.freeze();
    await second.advance(lease + 1);
    const silent = readable(await second.engine.explain(next.id));
    expect(silent).toMatchObject({ state: "lease_expired", worker: here.worker });
    faults.thaw();
    for (const each of worker.turns) each.finish();
  });

  test("runs that wait for their thread, and the thread that they wait for", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const active = await thread.start(worker.agent, 1);
    const turn = await worker.next();
    const [one, two] = [
      await thread.start(worker.agent, 2, { whenBusy: "enqueue" }),
      await thread.start(worker.agent, 3, { whenBusy: "enqueue" }),
    ];
    const steering = await thread.start(worker.agent, 4, { whenBusy: "steer" });
    expect(readable(await engine.explain(one.id))).toMatchObject({
      state: "queued",
      waiting: 0,
      behind: { state: "running", runId: active.id, until: expect.any(Date) },
    });
    expect(readable(await engine.explain(two.id))).toMatchObject({ state: "queued", waiting: 1 });
    expect(readable(await engine.explain(steering.id))).toMatchObject({
      state: "steering",
      behind: { runId: active.id, state: "running" },
    });
    expect(readable(await engine.explain(thread.id))).toMatchObject({ state: "running", runId: active.id, waiting: 3 });
    await one.cancel();
    await two.cancel();
    await steering.cancel();
    turn.finish();
    await active.result();
  });

  test("runs that wait for their time: delayed, retried, asleep", async () => {
    const worker = handDriven({ retry: { maxFailures: 3, delay: 5_000, jitter: "none" } });
    const { engine, clock, quiet, advance } = await setUp(kind, { agents: [worker.agent, sleeper] });
    const thread = await engine.threads.create();
    const delayed = await thread.start(worker.agent, null, { delay: 7_000 });
    const due = new Date(clock.now() + 7_000);
    expect(readable(await engine.explain(delayed.id))).toMatchObject({ state: "delayed", until: due });
    expect(readable(await engine.explain(thread.id))).toMatchObject({
      state: "delayed",
      runId: delayed.id,
      waiting: 1,
    });
    await delayed.cancel();
    const retried = await thread.start(worker.agent, null);
    (await worker.next()).fail(new Error("once"));
    await quiet();
    const retrying = readable(await engine.explain(retried.id));
    expect(retrying).toMatchObject({ state: "retrying", until: new Date(clock.now() + 5_000) });
    expect(retrying.why).toContain("1 of at most 3");
    await advance(5_000);
    (await worker.next()).finish();
    await retried.result();
    const sleeping = await thread.start(sleeper, null);
    await quiet();
    const asleep = readable(await engine.explain(sleeping.id));
    expect(asleep).toMatchObject({ state: "sleeping", until: new Date(clock.now() + 60_000) });
    await advance(60_000);
    await sleeping.result();
  });

  test("runs that wait for a human, while there is time and when it is over; and for a child that does", async () => {
    const { engine, quiet, advance } = await setUp(kind, { agents: [asking, parent] });
    const thread = await engine.threads.create();
    const run = await thread.start(asking, null);
    await run.settled();
    for (const id of [run.id, thread.id]) {
      const waiting = readable(await engine.explain(id));
      const questions = [{ id: `${run.id}/sure`, key: "sure", expiresAt: undefined, isExpired: false }];
      expect(waiting).toMatchObject({ state: "interrupted", questions });
      expect(waiting.why).toContain(`${run.id}/sure`);
    }
    const hasty = await engine.runs.start(asking, "soon");
    await hasty.settled();
    await advance(1_001);
    const late = readable(await engine.explain(hasty.id));
    expect(late).toMatchObject({ state: "interrupted", questions: [{ isExpired: true }] });
    expect(late.why).toContain("is over");
    const waiting = await engine.runs.start(parent, null);
    await quiet();
    const explained = readable(await engine.explain(waiting.id));
    expect(explained).toMatchObject({
      state: "waiting_for_children",
      until: undefined,
      children: [{ state: "interrupted", agent: "asking", questions: [{ key: "sure" }] }],
    });
    await waiting.cancel();
  });

  test("runs that are ready: no engine has the agent, none works, no slot is free", async () => {
    const worker = handDriven();
    const { engine, join } = await setUp(kind, { agents: [worker.agent], concurrency: 1 });
    const first = await engine.runs.start(worker.agent, null);
    const turn = await worker.next();
    const second = await engine.runs.start(worker.agent, null);
    const full = readable(await engine.explain(second.id));
    expect(full).toMatchObject({ state: "no_slot", why: expect.stringContaining("concurrency: 1") });
    const without = await join({ agents: [ok] });
    const unknown = readable(await without.engine.explain(second.id));
    expect(unknown).toMatchObject({ state: "no_agent", next: expect.stringContaining('"worker"') });
    const idle = await join({ agents: [worker.agent], work: false });
    expect(readable(await idle.engine.explain(second.id))).toMatchObject({ state: "not_working" });
    turn.finish();
    await first.result();
    (await worker.next()).finish();
    await second.result();
  });
});

/** A storage for an engine that sees nothing of what is due. */
function blind(storage: Storage): Storage {
  return new Proxy(storage, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (name === "work")
        return { ...target.work, due: async (query: never) => ({ ...(await target.work.due(query)), tend: [] }) };
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
