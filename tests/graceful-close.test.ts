/** Closing lets work finish, hands back what does not, and loses nothing; start and close may be called in any way. */

import { createEngine, defineAgent } from "@heddle/core";
import { manualClock } from "@heddle/core/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { faultyStorage, storageError } from "./faulty-storage.js";
import { handDriven } from "./hand-driven.js";
import { failure, isPending, refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

onEveryStorage("a graceful close", (kind) => {
  test("waits for attempts that finish within its grace", async () => {
    const worker = handDriven();
    const { engine, quiet, join } = await setUp(kind, { agents: [worker.agent], closeGrace: 5_000 });
    const run = await engine.runs.start(worker.agent, null);
    const turn = await worker.next();
    const closed = engine.close();
    await quiet();
    expect(await isPending(closed)).toBe(true);
    expect(turn.context.signal.aborted).toBe(false);
    await turn.context.emit("own", "still works");
    turn.finish({ output: "finished" });
    await closed;
    const other = await join();
    expect(await (await other.engine.runs.get(run.id)).result()).toBe("finished");
  });

  test("hands back what does not finish: neither failure nor crash, and it goes on with the next start", async () => {
    const worker = handDriven();
    const { engine, clock, quiet, join } = await setUp(kind, { agents: [worker.agent], closeGrace: 5_000 });
    const thread = await engine.threads.create({ id: "t" });
    const run = await thread.start(worker.agent, "work");
    const turn = await worker.next();
    await turn.context.checkpoint({ half: true });
    const closed = engine.close();
    await quiet();
    await clock.advance(5_000);
    await closed;
    expect(turn.context.signal.reason).toMatchObject({ code: "ENGINE_CLOSED" });
    await refusal("LEASE_LOST", () => turn.context.emit("own")).catch(() =>
      refusal("ENGINE_CLOSED", () => turn.context.emit("own")),
    );
    turn.finish({ output: "too late" });
    const next = await join({ agents: [worker.agent] });
    const again = await worker.next();
    expect(again.context).toMatchObject({ attempt: 2, input: "work", values: { half: true } });
    expect(await (await next.engine.runs.get(run.id)).info()).toMatchObject({ attempt: 2, failures: 0, crashes: 0 });
    again.finish({ output: "done" });
    expect(await (await next.engine.runs.get(run.id)).result()).toBe("done");
  });

  test("starts nothing new: what waits stays for the next", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine, quiet, join } = await setUp(kind, { agents: [worker.agent], concurrency: 1 });
    const thread = await engine.threads.create();
    await thread.start(worker.agent, 1);
    await thread.start(worker.agent, 2);
    await engine.runs.start(worker.agent, 3);
    const turn = await worker.next();
    const closed = engine.close();
    await quiet();
    turn.finish();
    await closed;
    expect(worker.turns).toHaveLength(1);
    await join({ agents: [worker.agent] });
    const inputs = [(await worker.next()).context.input, (await worker.next()).context.input];
    expect(inputs.sort()).toEqual([2, 3]);
  });

  test("tells those who wait that the engine is closed", async () => {
    const worker = handDriven();
    const { engine, close } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    const waiting = [run.result(), run.settled(), (await engine.runs.get(run.id)).result()];
    for (const wait of waiting) wait.catch(() => {});
    await close();
    for (const wait of waiting) await refusal("ENGINE_CLOSED", () => wait);
  });

  test("of a run that is being canceled settles it as canceled", async () => {
    const worker = handDriven();
    const { engine, close, join } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, null);
    await worker.next();
    await run.cancel();
    await close();
    const other = await join();
    expect(await (await other.engine.runs.get(run.id)).info()).toMatchObject({ status: "canceled" });
  });

  test("with starts under way leaves each either refused or waiting, and none as crashed", async () => {
    for (let turns = 0; turns < 6; turns++) {
      const worker = handDriven();
      const { engine, close, join } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.create();
      const starts = [
        engine.runs.start(worker.agent, 1),
        thread.start(worker.agent, 2),
        engine.runs.startMany([{ agent: worker.agent, input: 3 }]).then(([run]) => run),
      ];
      const settled = Promise.allSettled(starts);
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      await close();
      const accepted = (await settled).flatMap((start) =>
        start.status === "fulfilled" ? [start.value?.id ?? ""] : [],
      );
      for (const start of await settled)
        if (start.status === "rejected")
          expect(start.reason).toMatchObject({ code: expect.stringMatching(/ENGINE_CLOSED|STORAGE_UNAVAILABLE/) });
      const before = worker.turns.length;
      const next = await join({ agents: [worker.agent] });
      await next.quiet();
      for (const run of (await next.engine.runs.list()).items) {
        expect(accepted).toContain(run.id);
        expect(run).toMatchObject({ status: "running", crashes: 0, failures: 0 });
      }
      expect(worker.turns.length - before).toBe(accepted.length);
      await next.close();
    }
  });

  test("may be asked for twice and at once", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    await engine.runs.start(worker.agent, null);
    await worker.next();
    await Promise.all([engine.close({ grace: 0 }), engine.close({ grace: 0 }), engine.close()]);
    await engine.close();
  });

  test("makes every further call ENGINE_CLOSED", async () => {
    const worker = handDriven();
    const { engine, close } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const run = await engine.runs.start(worker.agent, null, { delay: 1_000 });
    await close();
    for (const call of [
      () => engine.start(),
      () => engine.runs.start(worker.agent, 1),
      () => engine.runs.startMany([]),
      () => engine.runs.get(run.id),
      () => engine.runs.list(),
      () => engine.runs.count(),
      () => engine.runs.cancelMany({}),
      () => engine.runs.cancel(run.id),
      () => engine.runs.delete(run.id),
      () => engine.threads.create(),
      () => engine.threads.getOrCreate("x"),
      () => engine.threads.get(thread.id),
      () => engine.threads.list(),
      () => engine.threads.count(),
      () => thread.start(worker.agent, 1),
      () => thread.info(),
      () => thread.values(),
      () => thread.history(),
      () => thread.valuesAt("x"),
      () => thread.update({}),
      () => thread.copy(),
      () => thread.delete(),
      () => thread.queue(),
      () => thread.events().next(),
      () => run.result(),
      () => run.settled(),
      () => run.info(),
      () => run.values(),
      () => run.cancel(),
      () => run.delete(),
      () => run.events().next(),
      () => engine.transaction(async () => {}),
    ])
      await refusal("ENGINE_CLOSED", call);
  });

  test("abandoned code does not keep it from closing", async () => {
    const worker = handDriven();
    const { engine, advance, close } = await setUp(kind, { agents: [worker.agent], cancelGrace: 10 });
    const run = await engine.runs.start(worker.agent, null);
    await worker.next();
    await run.cancel();
    await advance(1_000);
    await close();
  });

  test("closes each executor once, and one that fails to close does not harm", async () => {
    const closed: string[] = [];
    const executor = (name: string) => ({
      name,
      sharesMemory: true,
      execute: async () => ({ output: name }),
      close: async () => {
        closed.push(name);
        if (name === "bad") throw new Error("stuck");
      },
    });
    const [shared, bad] = [executor("shared"), executor("bad")];
    const agents = [
      defineAgent({ name: "a", executor: bad, run: () => {} }),
      defineAgent({ name: "b", executor: shared, run: () => {} }),
      defineAgent({ name: "c", executor: shared, run: () => {} }),
    ];
    const { engine, close } = await setUp(kind, { agents });
    expect(await (await engine.runs.start(agents[1] as (typeof agents)[1], null)).result()).toBe("shared");
    await close();
    expect(closed.sort()).toEqual(["bad", "shared"]);
  });

  describe("and start", () => {
    async function unstarted(
      options: { agents?: ReturnType<typeof handDriven>["agent"][]; faults?: ReturnType<typeof faultyStorage> } = {},
    ) {
      const database = await kind.create();
      const clock = manualClock();
      const storage = options.faults?.wrap(database.storage) ?? database.storage;
      const engine = createEngine({ storage, clock, agents: options.agents ?? [] });
      onTestFinished(async () => {
        await engine.close({ grace: 0 });
        await database.cleanup();
      });
      return { engine, clock, database };
    }

    test("before it nothing works, and the error says what to do", async () => {
      const { engine } = await unstarted();
      const error = await refusal("ENGINE_CLOSED", () => engine.threads.create());
      expect(error.message).toContain("engine.start()");
    });

    test("may be called twice and at once", async () => {
      const { engine } = await unstarted();
      await Promise.all([engine.start(), engine.start()]);
      await engine.start();
      await engine.threads.create();
    });

    test("an engine that never started can be closed, and stays closed", async () => {
      const { engine } = await unstarted();
      await engine.close();
      await refusal("ENGINE_CLOSED", () => engine.start());
    });

    test("closing while it starts ends closed: nothing is taken up", async () => {
      const worker = handDriven();
      const { engine, database } = await unstarted({ agents: [worker.agent] });
      const started = engine.start().catch((error: unknown) => error);
      const closed = engine.close({ grace: 0 });
      await started;
      await refusal("ENGINE_CLOSED", () => engine.threads.create());
      await closed;
      await refusal("ENGINE_CLOSED", () => engine.threads.create());
      const storage = database.connect();
      await storage.open({ clock: manualClock() });
      await storage.close();
    });

    test.each(["open", "work.announce", "work.due"])("a start that fails (at %s) may be tried again", async (call) => {
      const worker = handDriven();
      const faults = faultyStorage();
      const { engine } = await unstarted({ agents: [worker.agent], faults });
      let left = 2;
      faults.before = (name) => {
        if (name === call && left-- > 0) throw storageError("STORAGE_UNAVAILABLE");
      };
      await refusal("STORAGE_UNAVAILABLE", () => engine.start());
      await refusal("ENGINE_CLOSED", () => engine.threads.create());
      await refusal("STORAGE_UNAVAILABLE", () => engine.start());
      await engine.start();
      const run = await engine.runs.start(worker.agent, 1);
      (await worker.next()).finish({ output: "works" });
      expect(await run.result()).toBe("works");
    });

    test("after a failed start close lets go of the storage", async () => {
      const faults = faultyStorage();
      const { engine, database, clock } = await unstarted({ faults });
      faults.before = (name) => {
        if (name === "work.due") throw storageError("STORAGE_UNAVAILABLE");
      };
      await failure(() => engine.start());
      await engine.close();
      await refusal("STORAGE_UNAVAILABLE", () => database.storage.runs.count({}));
      void clock;
    });
  });

  test("await using closes", async () => {
    const database = await kind.create();
    onTestFinished(() => database.cleanup());
    let kept: ReturnType<typeof createEngine> | undefined;
    {
      await using engine = createEngine({ storage: database.storage, clock: manualClock() });
      await engine.start();
      await engine.threads.create();
      kept = engine;
    }
    await refusal("ENGINE_CLOSED", () => kept?.threads.create());
  });
});
