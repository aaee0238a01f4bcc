/**
 * Whatever dies in between, an accepted run is settled eventually, and who lost its lease can write nothing. A death is
 * simulated here by a storage that stops answering; that of real processes is tested in its own file.
 */

import { defineAgent } from "@heddle/core";
import { describe, expect, test } from "vitest";
import type { FaultyStorage } from "./faulty-storage.js";
import { faultyStorage } from "./faulty-storage.js";
import { namesOf, read } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import { isPending, refusal, setUp } from "./set-up.js";
import { size } from "./size.js";
import type { StorageKind } from "./storages.js";
import { onEveryStorage } from "./storages.js";

const lease = 15_000;

onEveryStorage("crash and recovery", (kind) => {
  /** One engine that can be stopped and one that watches; each has an own copy of the agent. */
  async function twoEngines(options: Parameters<typeof handDriven>[0] = {}) {
    const [mortal, heir] = [handDriven(options), handDriven(options)];
    const faults = faultyStorage();
    const first = await setUp(kind, { agents: [mortal.agent], wrap: faults.wrap });
    const second = await first.join({ agents: [heir.agent] });
    /** The run begins at the first engine. */
    const begin = async () => {
      const thread = await first.engine.threads.create({ id: "t" });
      const run = await thread.start(mortal.agent, "work");
      const turn = await mortal.next();
      return { run: await second.engine.runs.get(run.id), thread: await second.engine.threads.get("t"), turn };
    };
    return { first, second, mortal, heir, faults, begin };
  }

  test("a run whose worker fell silent goes on elsewhere when its lease is over, counted as a crash", async () => {
    const { first, second, heir, faults, begin } = await twoEngines({ retry: { delay: 60_000 } });
    const { run, thread, turn } = await begin();
    await turn.context.checkpoint({ half: true });
    faults.freeze();
    await second.advance(lease - 1);
    expect(heir.turns).toHaveLength(0);
    expect(await thread.info()).toMatchObject({ status: "busy" });
    await second.advance(1_001);
    const next = await heir.next();
    expect(next.context).toMatchObject({ attempt: 2, input: "work", values: { half: true } });
    expect(await run.info()).toMatchObject({ status: "running", attempt: 2, crashes: 1, failures: 0 });
    next.finish({ output: "by the heir" });
    expect(await run.result()).toBe("by the heir");
    const types = namesOf(await read(run.events()).ended);
    expect(types).toEqual(["run_started", "values_updated", "run_retrying", "run_started", "run_succeeded"]);
    faults.thaw();
    await first.quiet();
  });

  test("who comes back from a long sleep is told, and can write nothing", async () => {
    const { first, second, heir, faults, begin } = await twoEngines();
    const { run, thread, turn } = await begin();
    const lost: number[] = [];
    first.engine.on("lease_lost", ({ attempt }) => lost.push(attempt));
    faults.freeze();
    const emitted = turn.context.emit("own", "late");
    const checkpoint = turn.context.checkpoint({ late: true });
    await second.advance(lease + 1_000);
    (await heir.next()).finish({ output: "by the heir", values: { heir: true } });
    expect(await run.result()).toBe("by the heir");
    const before = [await run.info(), await thread.info(), await read(run.events()).ended];
    faults.thaw();
    await refusal("LEASE_LOST", () => emitted);
    await refusal("LEASE_LOST", () => checkpoint);
    await first.quiet();
    expect(turn.context.signal.aborted).toBe(true);
    expect(turn.context.signal.reason).toMatchObject({ code: "LEASE_LOST" });
    await refusal("LEASE_LOST", () => turn.context.emit("own", "later"));
    turn.finish({ output: "from the grave", values: { late: true } });
    await first.quiet();
    expect(lost).toEqual([1]);
    expect([await run.info(), await thread.info(), await read(run.events()).ended]).toEqual(before);
    expect(await thread.values()).toEqual({ heir: true });
  });

  test("who settles in its sleep does not settle twice", async () => {
    const { first, second, heir, faults, begin } = await twoEngines();
    const { run, turn } = await begin();
    faults.freeze();
    turn.finish({ output: "too late" });
    await second.advance(lease + 1_000);
    const next = await heir.next();
    faults.thaw();
    await first.quiet();
    expect(await isPending(run.result())).toBe(true);
    next.finish({ output: "in time" });
    expect(await run.result()).toBe("in time");
    expect(namesOf(await read(run.events()).ended).filter((type) => type === "run_succeeded")).toHaveLength(1);
  });

  test("heartbeats keep a lease as long as the worker lives", async () => {
    const { second, heir, begin } = await twoEngines();
    const { run, turn } = await begin();
    await second.advance(20 * lease);
    expect(heir.turns).toHaveLength(0);
    turn.finish({ output: "slow but alive" });
    expect(await run.result()).toBe("slow but alive");
    expect(await run.info()).toMatchObject({ attempt: 1, crashes: 0 });
  });

  test("a short silence harms nobody", async () => {
    const { second, heir, faults, begin } = await twoEngines();
    const { run, turn } = await begin();
    faults.freeze();
    await second.advance(lease - 5_001);
    faults.thaw();
    await second.advance(lease);
    expect(heir.turns).toHaveLength(0);
    turn.finish({ output: 1 });
    expect(await run.result()).toBe(1);
  });

  test("a run that kills its worker again and again fails at its crash limit", async () => {
    const { second, heir, faults, begin } = await twoEngines({ retry: { maxCrashes: 2, maxFailures: 9 } });
    const { run, thread } = await begin();
    faults.freeze();
    await second.advance(lease + 1_000);
    await heir.next();
    const sleeping = faultyStorage();
    const third = await second.join({ agents: [], storage: sleeping.wrap(second.database.connect()) });
    await second.close();
    expect(await third.engine.runs.count({ status: "pending" })).toBe(1);
    const again = handDriven({ retry: { maxCrashes: 2 } });
    const victim = faultyStorage();
    const fourth = await third.join({ agents: [again.agent], storage: victim.wrap(second.database.connect()) });
    await again.next();
    victim.freeze();
    await third.advance(lease + 1_000);
    const gone = await third.engine.runs.get(run.id);
    expect(await gone.settled()).toMatchObject({
      status: "failed",
      error: { code: "CRASH_LIMIT", details: { crashes: 2 } },
    });
    expect(await gone.info()).toMatchObject({ attempt: 3, crashes: 2, failures: 0 });
    expect(await (await third.engine.threads.get(thread.id)).info()).toMatchObject({ status: "error" });
    for (const each of [faults, victim]) each.thaw();
    await fourth.quiet();
  });

  test("failures and crashes are counted apart, each against its own limit", async () => {
    const { first, second, heir, faults, begin } = await twoEngines({
      retry: { maxFailures: 2, maxCrashes: 2, jitter: "none", delay: 10 },
    });
    const { run, turn } = await begin();
    turn.fail(new Error("first failure"));
    await second.advance(9);
    faults.freeze();
    await second.advance(1_000);
    const retried = await heir.next();
    expect(await run.info()).toMatchObject({ failures: 1, crashes: 0, attempt: 2 });
    retried.finish({ output: "fine" });
    expect(await run.result()).toBe("fine");
    faults.thaw();
    await first.quiet();
  });

  test("canceled while its worker is dead: it stays canceled, and is not retried", async () => {
    const { first, second, heir, faults, begin } = await twoEngines({ retry: { maxCrashes: 9, maxFailures: 9 } });
    const { run, thread } = await begin();
    faults.freeze();
    const canceled = run.cancel({ wait: true, grace: 2_000 });
    await second.advance(2_000);
    expect(await canceled).toEqual({ outcome: "canceled", stopped: "abandoned" });
    expect(await thread.info()).toMatchObject({ status: "idle" });
    await second.advance(2 * lease);
    expect(heir.turns).toHaveLength(0);
    faults.thaw();
    await first.quiet();
    expect(await run.info()).toMatchObject({ status: "canceled", crashes: 0 });
  });

  test("whose lease is lost during a cancel's grace, it is canceled then", async () => {
    const { first, second, heir, faults, begin } = await twoEngines({ retry: { maxCrashes: 9 } });
    const { run } = await begin();
    await run.cancel({ grace: 10 * lease });
    faults.freeze();
    await second.advance(lease + 1_000);
    expect(await run.settled()).toMatchObject({ status: "canceled", reason: { kind: "user" } });
    expect(heir.turns).toHaveLength(0);
    faults.thaw();
    await first.quiet();
  });

  test("whose deadline passes while its worker is dead, it fails with that", async () => {
    const { first, second, mortal, heir, faults } = await twoEngines();
    const { id } = await first.engine.runs.start(mortal.agent, null, { deadline: lease - 1_000 });
    await mortal.next();
    faults.freeze();
    await second.advance(lease + 1_000);
    const run = await second.engine.runs.get(id);
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code: "DEADLINE_EXCEEDED" } });
    expect(heir.turns).toHaveLength(0);
    faults.thaw();
    await first.quiet();
  });

  test("those who wait in line behind it keep their places", async () => {
    const { first, second, mortal, heir, faults, begin } = await twoEngines({ whenBusy: "enqueue" });
    const { run, thread } = await begin();
    const second2nd = await (await first.engine.threads.get("t")).start(mortal.agent, "second");
    faults.freeze();
    await second.advance(lease + 1_000);
    const recovered = await heir.next();
    expect(recovered.context.runId).toBe(run.id);
    expect((await thread.queue()).map(({ id }) => id)).toEqual([second2nd.id]);
    recovered.finish();
    const next = await heir.next();
    expect(next.context.runId).toBe(second2nd.id);
    next.finish();
    await run.result();
    faults.thaw();
    await first.quiet();
  });

  test("a cancel from another engine reaches the worker's signal", async () => {
    const { second, begin } = await twoEngines();
    const { run, turn } = await begin();
    expect(await run.cancel()).toEqual({ outcome: "requested" });
    await second.advance(500);
    expect(turn.context.signal.aborted).toBe(true);
    turn.fail(turn.context.signal.reason);
    expect((await run.settled()).status).toBe("canceled");
  });

  test("events and results cross between engines", async () => {
    const { second, begin } = await twoEngines();
    const { run, thread, turn } = await begin();
    const live = read(run.events());
    const snapshot = read(thread.events());
    await second.advance(100);
    for (let n = 0; n < 5; n++) {
      await turn.context.emit("own", n);
      await second.advance(100);
      expect(live.frames).toHaveLength(n + 2);
    }
    const result = run.result();
    turn.finish({ output: "heard" });
    await second.advance(500);
    expect(await result).toBe("heard");
    expect(namesOf(await live.ended)).toEqual(["run_started", "own", "own", "own", "own", "own", "run_succeeded"]);
    await thread.delete();
    await snapshot.ended;
  });

  test("a reader that missed the hint of an event reads it when the next one shows the gap", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const first = await setUp(kind, { agents: [worker.agent] });
    const faults = faultyStorage();
    faults.deaf = true;
    const second = await first.join({ agents: [], storage: faults.wrap(first.database.connect()) });
    const thread = await first.engine.threads.create({ id: "t" });
    await thread.start(worker.agent, "active");
    const queued = await thread.start(worker.agent, "queued");
    const { context } = await worker.next();
    const live = read((await second.engine.threads.get("t")).events());
    await second.quiet();
    await context.emit("own", "unheard of");
    await second.engine.runs.cancel(queued.id);
    await second.quiet();
    expect(namesOf(live.frames)).toEqual(["snapshot", "own", "run_canceled"]);
    await thread.delete();
  });

  test("a thread that another engine deletes stops its run here", async () => {
    const { first, second, begin } = await twoEngines();
    const { thread, turn } = await begin();
    const live = read((await first.engine.threads.get("t")).events());
    await second.quiet();
    await thread.delete();
    await second.advance(500);
    expect(turn.context.signal.aborted).toBe(true);
    await refusal("LEASE_LOST", () => turn.context.emit("own"));
    await live.ended;
  });

  describe("killed at any of its steps", () => {
    const worker = defineAgent({
      name: "worker",
      whenBusy: "enqueue",
      retry: { maxFailures: 2, jitter: "none", delay: 10 },
      run: async ({ input, values, attempt, emit, checkpoint }) => {
        const done = (values.done ?? []) as string[];
        await emit("began", attempt);
        if (input === "b" && attempt === 1) throw new Error("once");
        await checkpoint({ done: [...done, `${input} half`] });
        return { output: input, values: { done: [...done, `${input} half`, `${input}`] } };
      },
    });

    /** The process dies around its `n`-th call of the storage. Resolves with whether it came that far. */
    async function playAndDie(kind: StorageKind, n: number, when: "before" | "after"): Promise<boolean> {
      const faults: FaultyStorage = faultyStorage();
      const first = await setUp(kind, { agents: [worker], wrap: faults.wrap });
      let calls = 0;
      let died = false;
      const count = async (): Promise<void> => {
        if (++calls !== n) return;
        died = true;
        faults.freeze();
        await new Promise<void>((resolve) => {
          gone = resolve;
        });
      };
      let gone = (): void => {};
      faults[when] = count;
      const accepted: string[] = [];
      const start = async (thread: string | undefined, input: string): Promise<void> => {
        const run =
          thread === undefined
            ? await first.engine.runs.start(worker, input)
            : await (await first.engine.threads.getOrCreate(thread)).start(worker, input);
        accepted.push(run.id);
      };
      const starts = Promise.allSettled([start("t", "a"), start("t", "b"), start(undefined, "c"), start("t", "d")]);
      for (let step = 0; step < 30 && !died; step++) await first.advance(10);
      const second = await first.join({ agents: [worker] });
      await second.advance(2 * lease);
      for (const id of accepted) expect((await (await second.engine.runs.get(id)).info()).status, id).toBe("succeeded");
      const { items } = await second.engine.runs.list();
      for (const run of items) expect(run.status).toBe("succeeded");
      faults.before = faults.after = () => {};
      gone();
      faults.thaw();
      await starts;
      await second.advance(2 * lease);
      expect((await second.engine.runs.list({ status: ["pending", "running"] })).items).toEqual([]);
      const thread = await second.engine.threads.get("t").catch(() => undefined);
      if (thread !== undefined) expect(await thread.info()).toMatchObject({ status: "idle", queueLength: 0 });
      await second.close();
      await first.close();
      return died;
    }

    test.each(["before", "after"] as const)(
      "%s the step is taken: nothing is lost, stuck or done by halves",
      { timeout: 120_000 },
      async (when) => {
        let n = 1;
        const stride = size(3, 1);
        while (await playAndDie(kind, n, when)) n += stride;
        expect(n).toBeGreaterThan(15);
      },
    );
  });
});
