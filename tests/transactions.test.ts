/** The host's own rows and its run starts commit together, or not at all. */

import type { Transaction } from "@heddle/core";
import { createEngine } from "@heddle/core";
import { manualClock } from "@heddle/core/testing";
import { sqliteStorage } from "@heddle/storage-sqlite";
import BetterSqlite3 from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { handDriven } from "./hand-driven.js";
import { failure, isPending, refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

onEveryStorage("a transaction", (kind) => {
  test("starts its runs when it commits, and not before", async () => {
    const worker = handDriven({ whenBusy: "enqueue" });
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const existing = await engine.threads.create();
    const { result, created, runs } = await engine.transaction(async (tx) => {
      const created = await engine.threads.create({ id: "made inside", values: { n: 1 }, tx });
      const runs = [
        await engine.runs.start(worker.agent, "stateless", { tx }),
        await existing.start(worker.agent, "in thread", { tx }),
        await created.start(worker.agent, "in new thread", { tx }),
        await created.start(worker.agent, "queued", { tx }),
      ];
      await new Promise((resolve) => setImmediate(resolve));
      expect(worker.turns).toHaveLength(0);
      return { result: "of the body", created, runs };
    });
    expect(result).toBe("of the body");
    await quiet();
    expect(worker.turns.map(({ context }) => context.input).sort()).toEqual([
      "in new thread",
      "in thread",
      "stateless",
    ]);
    for (const turn of worker.turns) turn.finish({ output: turn.context.input });
    await quiet();
    const [last] = worker.turns.slice(3);
    last?.finish({ output: "last" });
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual([
      "stateless",
      "in thread",
      "in new thread",
      "last",
    ]);
    expect(await created.values()).toEqual({ n: 1 });
  });

  test("that throws leaves nothing, and throws on what its body threw", async () => {
    const worker = handDriven();
    const { engine, advance } = await setUp(kind, { agents: [worker.agent] });
    const heard: string[] = [];
    engine.on("run_accepted", () => heard.push("accepted"));
    const mine = new Error("my own");
    const thrown = await failure(() =>
      engine.transaction(async (tx) => {
        await engine.runs.start(worker.agent, 1, { tx, idempotencyKey: "k" });
        await engine.threads.create({ id: "t", tx });
        throw mine;
      }),
    );
    expect(thrown).toBe(mine);
    await advance(10_000);
    expect(worker.turns).toHaveLength(0);
    expect(heard).toEqual([]);
    expect(await engine.runs.count()).toBe(0);
    await refusal("THREAD_NOT_FOUND", () => engine.threads.get("t"));
    await engine.threads.create({ id: "t" });
    expect((await engine.runs.start(worker.agent, 1, { idempotencyKey: "k" })).id).toBeDefined();
  });

  test("goes on after a refusal that its body caught", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    await engine.transaction(async (tx) => {
      await thread.start(worker.agent, 1, { tx });
      await refusal("THREAD_BUSY", () => thread.start(worker.agent, 2, { tx }));
      await refusal("THREAD_EXISTS", () => engine.threads.create({ id: thread.id, tx }));
      await refusal("INVALID_ID", () => engine.threads.create({ id: "", tx }));
      await engine.runs.start(worker.agent, 3, { tx });
    });
    expect(await engine.runs.count()).toBe(2);
  });

  test("is refused where it does not belong, or is over", async () => {
    const worker = handDriven();
    const first = await setUp(kind, { agents: [worker.agent] });
    const other = await first.join({ agents: [worker.agent] });
    let leaked: Transaction | undefined;
    await first.engine.transaction(async (tx) => {
      leaked = tx;
      await refusal("FOREIGN_TRANSACTION", () => other.engine.runs.start(worker.agent, 1, { tx }));
    });
    await refusal("TRANSACTION_CLOSED", () => first.engine.runs.start(worker.agent, 1, { tx: leaked as Transaction }));
    await refusal("TRANSACTION_CLOSED", () => first.engine.threads.create({ tx: leaked as Transaction }));
    for (const tx of [{}, null, 5, "tx", { host: undefined }]) {
      await refusal("FOREIGN_TRANSACTION", () => first.engine.runs.start(worker.agent, 1, { tx: tx as never }));
    }
    expect(await first.engine.runs.count()).toBe(0);
  });

  test("answers calls from inside that would wait for it for ever with TRANSACTION_MISUSE, and lives on", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    const run = await engine.runs.start(worker.agent, 0);
    await engine.transaction(async (tx) => {
      for (const call of [
        () => engine.runs.start(worker.agent, 1),
        () => engine.runs.startMany([{ agent: worker.agent, input: 1 }]),
        () => thread.start(worker.agent, 1),
        () => engine.threads.create(),
        () => thread.update({ title: "x" }),
        () => thread.info(),
        () => thread.values(),
        () => engine.runs.list(),
        () => engine.threads.list(),
        () => engine.runs.get(run.id),
        () => run.info(),
        () => run.cancel(),
        () => engine.runs.cancelMany({}),
        () => thread.delete(),
        () => thread.events().next(),
        () => run.events().next(),
        () => thread.queue(),
        () => engine.transaction(async () => {}),
      ])
        await refusal("TRANSACTION_MISUSE", call);
      await engine.runs.start(worker.agent, "inside", { tx });
    });
    expect(await engine.runs.count()).toBe(2);
  });

  test("keeps calls that concern the same thread waiting, which then go on", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const thread = await engine.threads.create();
    let finish = (): void => {};
    let begun = (): void => {};
    const isBegun = new Promise<void>((resolve) => (begun = resolve));
    const inside = engine.transaction(async (tx) => {
      await thread.start(worker.agent, "inside", { tx });
      begun();
      await new Promise<void>((resolve) => (finish = resolve));
    });
    await isBegun;
    const outside = thread.start(worker.agent, "outside");
    const listed = engine.runs.count();
    expect(await isPending(outside)).toBe(true);
    finish();
    await inside;
    await refusal("THREAD_BUSY", () => outside);
    // Others see nothing of it before its commit: they wait for that, or see what was before.
    expect(kind.takesTurns ? [1] : [0, 1]).toContain(await listed);
    await quiet();
    expect(worker.turns).toHaveLength(1);
  });

  test("goes well with others of its kind", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    let open = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        engine.transaction(async (tx) => {
          most = Math.max(most, ++open);
          await engine.runs.start(worker.agent, n, { tx });
          await new Promise((resolve) => setImmediate(resolve));
          open--;
        }),
      ),
    );
    if (kind.takesTurns) expect(most).toBe(1);
    expect(await engine.runs.count()).toBe(10);
  });

  test("may be open while runs work: they wait and nothing is lost", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const run = await engine.runs.start(worker.agent, "outside");
    const turn = await worker.next();
    await engine.transaction(async (tx) => {
      turn.finish({ output: "settled meanwhile" });
      await new Promise((resolve) => setImmediate(resolve));
      await engine.runs.start(worker.agent, "inside", { tx });
    });
    expect(await run.result()).toBe("settled meanwhile");
    await quiet();
    expect(worker.turns).toHaveLength(2);
  });

  test("a handle of a run that was rolled back finds nothing", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    let run: { info(): Promise<unknown>; result(): Promise<unknown> } | undefined;
    await failure(() =>
      engine.transaction(async (tx) => {
        run = await engine.runs.start(worker.agent, 1, { tx });
        throw new Error("no");
      }),
    );
    await refusal("RUN_NOT_FOUND", () => run?.info());
    await refusal("RUN_GONE", () => run?.result());
  });

  test("needs an engine that is open, and a function", async () => {
    const { engine, close } = await setUp(kind);
    await refusal("INVALID_ARGUMENT", () => engine.transaction(undefined as never));
    await close();
    await refusal("ENGINE_CLOSED", () => engine.transaction(async () => {}));
  });
});

test("on SQLite the host's rows and the runs are one: both there, or neither", async () => {
  const database = new BetterSqlite3(":memory:");
  database.exec("create table orders (id text primary key, run text)");
  const worker = handDriven();
  const engine = createEngine({ storage: sqliteStorage(database), agents: [worker.agent], clock: manualClock() });
  onTestFinished(async () => {
    await engine.close({ grace: 0 });
    database.close();
  });
  await engine.start();
  const order = (id: string, fail: boolean) =>
    engine.transaction(async ({ host, ...tx }) => {
      host.database.prepare("insert into orders (id) values (?)").run(id);
      const run = await engine.runs.start(worker.agent, id, { tx: { host, ...tx } });
      await host
        .kysely<{ orders: { id: string; run: string | null } }>()
        .updateTable("orders")
        .set({ run: run.id })
        .where("id", "=", id)
        .execute();
      if (fail) throw new Error("out of stock");
      return run.id;
    });
  const kept = await order("a", false);
  await failure(() => order("b", true));
  expect(database.prepare("select * from orders").all()).toEqual([{ id: "a", run: kept }]);
  expect((await engine.runs.list()).items.map(({ id, input }) => [id, input])).toEqual([[kept, "a"]]);
  const clash = await failure(() => order("a", false));
  expect(clash).toMatchObject({ code: "SQLITE_CONSTRAINT_PRIMARYKEY" });
  expect(await engine.runs.count()).toBe(1);
});
