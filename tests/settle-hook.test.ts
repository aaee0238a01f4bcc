/** A settle hook's rows are committed with the run's outcome, or not at all. */

import type { Engine, SettledRun } from "@heddle/core";
import { defineAgent } from "@heddle/core";
import type { SqliteHost } from "@heddle/storage-sqlite";
import { expect, test } from "vitest";
import type { HandDriven } from "./hand-driven.js";
import { handDriven } from "./hand-driven.js";
import { setUp } from "./set-up.js";
import { onEveryStorage, storages } from "./storages.js";

/** Collects what the hook starts in the settle's transaction: rows that every storage can hold. */
const ledger = defineAgent({ name: "ledger", run: ({ input }) => ({ output: input }) });

interface Hooked {
  readonly worker: HandDriven;
  readonly calls: SettledRun[];
  /** The hook throws this, after it wrote. */
  throws: unknown;
  engine: Engine | undefined;
}

function hooked(options: Parameters<typeof handDriven>[0] = {}): Hooked {
  const state: Hooked = {
    calls: [],
    throws: undefined,
    engine: undefined,
    worker: handDriven({
      ...options,
      async onSettle(tx, settled) {
        state.calls.push(settled);
        await state.engine?.runs.start(ledger, { of: settled.id, status: settled.status }, { tx });
        if (state.throws !== undefined) throw state.throws;
      },
    }),
  };
  return state;
}

async function ledgerOf(engine: Engine): Promise<unknown[]> {
  const { items } = await engine.runs.list({ agent: "ledger", order: "asc" });
  return items.map((run) => run.input);
}

onEveryStorage("a settle hook", (kind) => {
  test("writes with the outcome that it is told", async () => {
    const hook = hooked();
    const { engine, quiet } = await setUp(kind, { agents: [hook.worker.agent, ledger] });
    hook.engine = engine;
    const thread = await engine.threads.create();
    const good = await thread.start(hook.worker.agent, 1);
    (await hook.worker.next()).finish({ output: "done", values: { n: 1 } });
    await quiet();
    const bad = await thread.start(hook.worker.agent, 2);
    (await hook.worker.next()).fail(new Error("no"));
    await quiet();
    const stopped = await thread.start(hook.worker.agent, 3);
    const turn = await hook.worker.next();
    turn.context.signal.addEventListener("abort", () => turn.finish());
    await stopped.cancel();
    await quiet();
    expect(hook.calls).toMatchObject([
      { id: good.id, status: "succeeded", output: "done" },
      { id: bad.id, status: "failed", error: { code: "AGENT_ERROR", message: "no" } },
      { id: stopped.id, status: "canceled", reason: { kind: "user" } },
    ]);
    expect(await ledgerOf(engine)).toEqual([
      { of: good.id, status: "succeeded" },
      { of: bad.id, status: "failed" },
      { of: stopped.id, status: "canceled" },
    ]);
    expect(await thread.values()).toEqual({ n: 1 });
  });

  test("that throws fails the run, without its rows and the run's values", async () => {
    const hook = hooked();
    const { engine, quiet } = await setUp(kind, { agents: [hook.worker.agent, ledger] });
    hook.engine = engine;
    const errors: unknown[] = [];
    engine.on("error", ({ error }) => errors.push(error));
    const mine = new Error("the ledger is closed");
    hook.throws = mine;
    const thread = await engine.threads.create({ values: { n: 0 } });
    const run = await thread.start(hook.worker.agent, 1);
    (await hook.worker.next()).finish({ output: "done", values: { n: 1 } });
    await quiet();
    expect(await run.settled()).toMatchObject({
      status: "failed",
      error: { code: "SETTLE_HOOK_FAILED", message: "The settle hook threw: the ledger is closed" },
    });
    expect(hook.calls).toHaveLength(1);
    expect(errors).toEqual([mine]);
    expect(await ledgerOf(engine)).toEqual([]);
    expect(await thread.values()).toEqual({ n: 0 });
    expect((await thread.info()).status).toBe("error");
  });

  test("is not called for a run that never had its turn", async () => {
    const hook = hooked({ whenBusy: "enqueue" });
    const { engine, quiet } = await setUp(kind, { agents: [hook.worker.agent, ledger] });
    const thread = await engine.threads.create();
    await thread.start(hook.worker.agent, 1);
    const queued = await thread.start(hook.worker.agent, 2);
    const delayed = await thread.start(hook.worker.agent, 3, { delay: 1_000 });
    expect(await queued.cancel()).toEqual({ outcome: "canceled" });
    expect(await delayed.cancel()).toEqual({ outcome: "canceled" });
    (await hook.worker.next()).finish();
    await quiet();
    expect(hook.calls.map(({ input }) => input)).toEqual([1]);
  });

  test("is called when a run is canceled between two attempts, and the agent is not", async () => {
    const hook = hooked({ retry: { maxFailures: 5, delay: 60_000, jitter: "none" } });
    const { engine, quiet } = await setUp(kind, { agents: [hook.worker.agent, ledger] });
    const thread = await engine.threads.create();
    const run = await thread.start(hook.worker.agent, 1);
    (await hook.worker.next()).fail(new Error("once"));
    await quiet();
    expect((await run.info()).status).toBe("pending");
    const canceled = run.cancel({ wait: true });
    await quiet();
    expect(await canceled).toEqual({ outcome: "canceled", stopped: true });
    expect(hook.calls).toMatchObject([{ id: run.id, status: "canceled" }]);
    expect(hook.worker.turns).toHaveLength(1);
    expect((await thread.info()).status).toBe("idle");
  });

  test("is called when a deadline passes between two attempts", async () => {
    const hook = hooked({ deadline: 30_000, retry: { maxFailures: 5, delay: 60_000, jitter: "none" } });
    const { engine, quiet, advance } = await setUp(kind, { agents: [hook.worker.agent, ledger] });
    const run = await engine.runs.start(hook.worker.agent, 1);
    (await hook.worker.next()).fail(new Error("once"));
    await quiet();
    await advance(31_000);
    expect(hook.calls).toMatchObject([{ id: run.id, status: "failed", error: { code: "DEADLINE_EXCEEDED" } }]);
    expect(hook.worker.turns).toHaveLength(1);
  });

  test("is left to an engine that has the agent: another one settles nothing", async () => {
    const hook = hooked();
    const first = await setUp(kind, { agents: [hook.worker.agent] });
    const other = await first.join({ agents: [ledger] });
    const thread = await first.engine.threads.create();
    const run = await thread.start(hook.worker.agent, 1);
    await hook.worker.next();
    await first.engine.close({ grace: 0 });
    const handle = await other.engine.runs.get(run.id);
    expect(await handle.cancel()).toEqual({ outcome: "requested" });
    await other.advance(120_000);
    expect((await handle.info()).status).toBe("pending");
    expect(hook.calls).toEqual([]);
    const successor = await other.join({ agents: [hook.worker.agent] });
    await successor.quiet();
    expect(await (await successor.engine.runs.get(run.id)).settled()).toMatchObject({ status: "canceled" });
    expect(hook.calls).toMatchObject([{ id: run.id, status: "canceled" }]);
    expect(hook.worker.turns).toHaveLength(1);
  });
});

const sqlite = storages.filter(({ name }) => name === "sqlite");

test.each(sqlite)("on $name the host's row is there if and only if the run settled with it", async (kind) => {
  const throws = new Set<unknown>([2]);
  const agent = defineAgent({
    name: "order",
    run: ({ input }) => ({ output: input }),
    onSettle(tx, settled) {
      const { database } = tx.host as SqliteHost;
      database.exec("create table if not exists orders (id integer)");
      database.prepare("insert into orders values (?)").run(settled.input);
      if (throws.has(settled.input)) throw new Error("no such order");
    },
  });
  const { engine, quiet } = await setUp(kind, { agents: [agent] });
  engine.on("error", () => {});
  const runs = await Promise.all([1, 2, 3].map((order) => engine.runs.start(agent, order)));
  await quiet();
  const outcomes = await Promise.all(runs.map((run) => run.settled()));
  expect(outcomes.map(({ status }) => status)).toEqual(["succeeded", "failed", "succeeded"]);
  const rows = await engine.transaction(async (tx) =>
    (tx.host as SqliteHost).database.prepare("select id from orders order by id").pluck().all(),
  );
  expect(rows).toEqual([1, 3]);
});
