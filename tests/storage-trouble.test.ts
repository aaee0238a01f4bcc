/** A storage that is busy, full, away or broken for a while: typed errors, nothing lost, the engine stays usable. */

import { createEngine, HeddleError } from "@heddle/core";
import { manualClock } from "@heddle/core/testing";
import { sqliteStorage } from "@heddle/storage-sqlite";
import BetterSqlite3 from "better-sqlite3";
import { describe, expect, onTestFinished, test } from "vitest";
import type { FaultyStorage } from "./faulty-storage.js";
import { failCommits, faultyStorage, storageError } from "./faulty-storage.js";
import { namesOf, read } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import { failure, isPending, refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const passing = ["STORAGE_BUSY", "STORAGE_FULL", "STORAGE_UNAVAILABLE"] as const;

onEveryStorage("storage trouble", (kind) => {
  async function troubled(options: Parameters<typeof handDriven>[0] = {}) {
    const worker = handDriven(options);
    const faults = faultyStorage();
    const world = await setUp(kind, { agents: [worker.agent], wrap: faults.wrap });
    const errors: string[] = [];
    world.engine.on("error", ({ error, during }) => errors.push(`${during}: ${(error as Error).message}`));
    return { ...world, worker, faults, errors };
  }

  describe.each(passing)("%s", (code) => {
    test("while a run settles: it is tried again until it is written, and the agent does not run twice", async () => {
      const { engine, worker, faults, errors, advance } = await troubled();
      const thread = await engine.threads.create();
      const run = await thread.start(worker.agent, null);
      const turn = await worker.next();
      faults.before = failCommits("settle_run", 5, () => storageError(code));
      const result = run.result();
      turn.finish({ output: "kept", values: { kept: true } });
      await advance(0);
      expect(await isPending(result)).toBe(true);
      await advance(10_000);
      expect(await result).toBe("kept");
      expect(await thread.values()).toEqual({ kept: true });
      expect(await run.info()).toMatchObject({ attempt: 1, failures: 0, crashes: 0 });
      expect(errors.length).toBe(5);
    });

    test("while it emits and writes a checkpoint: both are there once, in order", async () => {
      const { engine, worker, faults, advance } = await troubled();
      const thread = await engine.threads.create();
      const run = await thread.start(worker.agent, null);
      const { context, finish } = await worker.next();
      faults.before = failCommits("record_progress", 3, () => storageError(code));
      const written = [context.emit("a"), context.emit("b"), context.checkpoint({ n: 1 }), context.emit("c")];
      await advance(10_000);
      await Promise.all(written);
      finish();
      expect(namesOf(await read(run.events()).ended).toSorted()).toEqual([
        "a",
        "b",
        "c",
        "run_started",
        "run_succeeded",
        "values_updated",
      ]);
      expect(await thread.values()).toEqual({ n: 1 });
    });

    test("while a run starts: refused with just that, nothing is there, and the next one works", async () => {
      const { engine, worker, faults, advance } = await troubled();
      const thread = await engine.threads.create();
      faults.before = failCommits("accept_run", 2, () => storageError(code));
      await refusal(code, () => engine.runs.start(worker.agent, 1));
      await refusal(code, () => thread.start(worker.agent, 1));
      await advance(10_000);
      expect(await engine.runs.count()).toBe(0);
      expect(await thread.info()).toMatchObject({ status: "idle" });
      const run = await thread.start(worker.agent, 2);
      (await worker.next()).finish({ output: "fine" });
      expect(await run.result()).toBe("fine");
    });

    test("while a retry is put off: the run waits for its retry as it should", async () => {
      const { engine, worker, faults, advance } = await troubled({
        retry: { maxFailures: 2, jitter: "none", delay: 100 },
      });
      const run = await engine.runs.start(worker.agent, null);
      faults.before = failCommits("release_run", 2, () => storageError(code));
      (await worker.next()).fail(new Error("once"));
      await advance(5_000);
      (await worker.next()).finish({ output: "second" });
      expect(await run.result()).toBe("second");
      expect(await run.info()).toMatchObject({ failures: 1, crashes: 0 });
    });
  });

  test("an unknown error is a STORAGE_ERROR with its cause", async () => {
    const { engine, worker, faults } = await troubled();
    const cause = new TypeError("driver bug");
    faults.before = failCommits("accept_run", 1, () => cause);
    const error = await refusal("STORAGE_ERROR", () => engine.runs.start(worker.agent, 1));
    expect(error.cause).toBe(cause);
    expect(error.message).toContain("driver bug");
    await engine.runs.start(worker.agent, 2);
  });

  test("an unknown error while a run settles does not lose the run", async () => {
    const { engine, worker, faults, errors, advance } = await troubled();
    const run = await engine.runs.start(worker.agent, null);
    faults.before = failCommits("settle_run", 1, () => new Error("disk on fire"));
    (await worker.next()).finish({ output: "first try" });
    await advance(0);
    expect(errors.join()).toContain("disk on fire");
    await advance(30_000);
    for (const turn of worker.turns) turn.finish({ output: "second try" });
    await advance(1_000);
    expect((await run.settled()).status).toBe("succeeded");
  });

  test.each([
    "settle_run",
    "release_run",
    "record_progress",
    "accept_run",
    "claim_runs",
    "extend_leases",
    "cancel_run",
  ] as const)(
    "a commit whose answer got lost (%s): the run is settled, once, and those who wait hear of it",
    async (intent) => {
      const { engine, worker, faults, advance } = await troubled({
        retry: { maxFailures: 2, jitter: "none", delay: 10 },
      });
      const thread = await engine.threads.create();
      let left = 1;
      faults.after = (_, intents) => {
        if (left > 0 && intents.some((each) => each.kind === intent)) {
          left--;
          throw new HeddleError("STORAGE_UNAVAILABLE", "the connection broke", { details: { outcome: "unknown" } });
        }
      };
      const runs = [
        await thread
          .start(worker.agent, "a")
          .catch(async () => engine.runs.get((await engine.runs.list()).items[0]?.id ?? "")),
        await engine.runs.start(worker.agent, "b", { delay: 5 }),
      ];
      const outcomes = Promise.all(runs.map((run) => run.settled()));
      for (let step = 0, done = 0; step < 60; step++) {
        await advance(1_000);
        // Long enough for a heartbeat.
        if (step < 10) continue;
        for (const { context, finish, fail } of worker.turns.slice(done)) {
          done++;
          void context.emit("own").catch(() => {});
          if (intent === "cancel_run") await runs[0]?.cancel().catch(() => {});
          if (context.attempt === 1 && context.input === "a") fail(new Error("once"));
          else finish({ output: "done" });
        }
      }
      expect(left).toBe(0);
      expect(await isPending(outcomes)).toBe(false);
      for (const [index, { status }] of (await outcomes).entries())
        expect(status).toBe(intent === "cancel_run" && index === 0 ? "canceled" : "succeeded");
      for (const run of runs)
        expect(
          namesOf(await read(run.events()).ended).filter((type) => /succeeded|canceled|failed/.test(type)),
        ).toHaveLength(1);
    },
  );

  test("reads that fail are refused with the storage's error, and the next ones work", async () => {
    const { engine, worker, faults } = await troubled();
    const thread = await engine.threads.create();
    const run = await engine.runs.start(worker.agent, null);
    faults.before = (call) => {
      if (/^(runs|threads|checkpoints|events)\./.test(call)) throw storageError("STORAGE_BUSY");
    };
    for (const call of [
      () => engine.runs.list(),
      () => engine.runs.count(),
      () => engine.runs.get(run.id),
      () => run.info(),
      () => run.events().next(),
      () => engine.threads.list(),
      () => engine.threads.get(thread.id),
      () => thread.info(),
      () => thread.values(),
      () => thread.history(),
      () => thread.queue(),
      () => thread.events().next(),
      () => engine.runs.cancelMany({}),
    ])
      await refusal("STORAGE_BUSY", call);
    faults.before = () => {};
    expect(await engine.runs.count()).toBe(1);
    (await worker.next()).finish({ output: 1 });
    expect(await run.result()).toBe(1);
  });

  test("values that cannot be loaded for a while are waited for: the attempt begins later", async () => {
    const { engine, worker, faults, advance, join } = await troubled();
    await engine.threads.create({ id: "t", values: { n: 1 } });
    let left = 3;
    const other = faultyStorage();
    const late = handDriven({ name: "late" });
    const second = await join({ agents: [late.agent], storage: other.wrap((await join()).database.connect()) });
    other.before = (call) => {
      if (call === "checkpoints.chain" && left-- > 0) throw storageError("STORAGE_UNAVAILABLE");
    };
    const run = await (await second.engine.threads.get("t")).start(late.agent, null);
    await advance(5_000);
    const turn = await late.next();
    expect(turn.context.values).toEqual({ n: 1 });
    turn.finish();
    await run.result();
    expect(await run.info()).toMatchObject({ attempt: 1, failures: 0 });
    void worker;
    void faults;
  });

  test("background work that fails is reported, and goes on when the storage does", async () => {
    const { engine, worker, faults, errors, advance } = await troubled();
    const run = await engine.runs.start(worker.agent, null);
    const turn = await worker.next();
    faults.before = () => {
      throw storageError("STORAGE_UNAVAILABLE");
    };
    await advance(10_000);
    expect(errors.some((error) => error.startsWith("a heartbeat"))).toBe(true);
    expect(errors.some((error) => error.startsWith("looking for due work"))).toBe(true);
    faults.before = () => {};
    await advance(20_000);
    turn.finish({ output: "survived" });
    expect(await run.result()).toBe("survived");
    expect(await run.info()).toMatchObject({ attempt: 1, crashes: 0 });
  });

  test("an outage longer than the lease: the run is settled all the same", async () => {
    const { engine, worker, faults, advance } = await troubled();
    const run = await engine.runs.start(worker.agent, null);
    const turn = await worker.next();
    faults.before = () => {
      throw storageError("STORAGE_UNAVAILABLE");
    };
    turn.finish({ output: "waiting to be written" });
    await advance(60_000);
    faults.before = () => {};
    const result = run.result();
    for (let step = 0; step < 40; step++) {
      await advance(1_000);
      for (const each of worker.turns) each.finish({ output: "waiting to be written" });
    }
    expect(await result).toBe("waiting to be written");
  });

  test("closing while the storage is away ends, and the run goes on elsewhere", async () => {
    const { engine, clock, worker, faults, quiet, join, advance } = await troubled();
    const run = await engine.runs.start(worker.agent, null);
    await worker.next();
    faults.before = () => {
      throw storageError("STORAGE_UNAVAILABLE");
    };
    const closed = engine.close({ grace: 100 });
    await quiet();
    await clock.advance(60_000);
    await closed;
    faults.before = () => {};
    const other = handDriven();
    const second = await join({ agents: [other.agent] });
    await second.advance(30_000);
    (await other.next()).finish({ output: "elsewhere" });
    expect(await (await second.engine.runs.get(run.id)).result()).toBe("elsewhere");
    void advance;
  });

  test("random trouble, as much as there may be: every accepted run is settled, and no work is lost", {
    timeout: 60_000,
  }, async () => {
    for (let round = 0; round < 10; round++) {
      const { engine, worker, faults, advance } = await troubled({ whenBusy: "enqueue" });
      const thread = await engine.threads.create({ values: { done: [] } });
      let seed = round + 1;
      const random = (): number => {
        seed = (seed * 48_271) % 2_147_483_647;
        return seed / 2_147_483_647;
      };
      const sometimes: FaultyStorage["before"] = () => {
        if (random() < 0.15) throw random() < 0.8 ? storageError("STORAGE_BUSY") : new Error("odd");
      };
      faults.before = sometimes;
      const runs = [];
      for (let n = 0; n < 10; n++) {
        const start = n % 2 === 0 ? thread.start(worker.agent, n) : engine.runs.start(worker.agent, n);
        const run = await start.catch(() => undefined);
        if (run !== undefined) runs.push(run);
      }
      for (let step = 0, done = 0; step < 200; step++) {
        await advance(500);
        for (const { context, finish } of worker.turns.slice(done)) {
          done++;
          finish({ values: { done: [...((context.values.done ?? []) as number[]), context.input] } });
        }
      }
      faults.before = () => {};
      await advance(120_000);
      for (const turn of worker.turns) turn.finish();
      await advance(60_000);
      for (const run of runs) expect((await run.info()).status).toMatch(/succeeded|failed/);
      expect((await engine.runs.list({ status: ["pending", "running"] })).items).toEqual([]);
    }
  });
});

describe("data that somebody else broke, on SQLite", () => {
  async function broken(update: string) {
    const worker = handDriven({ whenBusy: "enqueue" });
    const database = new BetterSqlite3(":memory:");
    const clock = manualClock();
    const open = async () => {
      const engine = createEngine({ storage: sqliteStorage(database), agents: [worker.agent], clock });
      await engine.start();
      return engine;
    };
    onTestFinished(() => void database.close());
    const first = await open();
    const thread = await first.threads.create({ id: "t", values: { n: 1 } });
    const poison = await thread.start(worker.agent, "poison", { delay: 1_000, deadline: 600_000 });
    await first.close({ grace: 0 });
    database.exec(update);
    const engine = await open();
    onTestFinished(() => engine.close({ grace: 0 }));
    const errors: string[] = [];
    engine.on("error", ({ error, during }) => errors.push(`${during}: ${(error as Error).message}`));
    engine.on("run_started", () => {});
    const advance = async (ms: number) => {
      for (let turn = 0; turn < 20; turn++) await clock.settle();
      await clock.advance(ms);
      for (let turn = 0; turn < 20; turn++) await clock.settle();
    };
    return { engine, worker, advance, poison: await engine.runs.get(poison.id).catch(() => poison), errors };
  }

  test.each([
    ["an input that is no JSON", "update heddle_runs set input = '{bad'"],
    ["a config that is no JSON", "update heddle_runs set config = '{bad'"],
    ["metadata that is no JSON", "update heddle_runs set metadata = '{bad'"],
    ["a checkpoint that is no JSON", "update heddle_checkpoints set body = '{bad'"],
    ["a policy that is no JSON", "update heddle_runs set policy = '{bad'"],
  ])("%s fails its own run with CORRUPT_DATA, and no other", async (_, update) => {
    const { engine, worker, advance, poison, errors } = await broken(update);
    await advance(2_000);
    const healthy = await engine.runs.start(worker.agent, "healthy");
    (await worker.next()).finish({ output: "fine" });
    expect(await healthy.result()).toBe("fine");
    await advance(120_000);
    expect(await poison.settled(), errors.join("\n")).toMatchObject({
      status: "failed",
      error: { code: "CORRUPT_DATA" },
    });
    const thread = await engine.threads.get("t");
    expect(await thread.info()).toMatchObject({ status: "error", activeRunId: undefined });
  });

  test("what cannot be read is CORRUPT_DATA for who asks, and says where", async () => {
    const { engine } = await broken("update heddle_checkpoints set body = '{bad'");
    const thread = await engine.threads.get("t");
    const error = await failure(() => thread.values());
    expect(error).toMatchObject({ code: "CORRUPT_DATA" });
    expect((error as Error).message).toMatch(/chk_/);
  });
});
