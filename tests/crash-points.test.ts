/**
 * Crashes at a named point, as users write them: at each point of the list, before and after it, the storage holds what
 * docs/testing.md says; and whatever died where, another process brings the run to its one end.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineAgent, HeddleError, type ThreadHandle } from "@heddle/core";
import type { QuestionRecord, RunRecord, Storage } from "@heddle/core/storage";
import type { CrashAt, CrashPoint, TestEngine, TestEngineOptions } from "@heddle/core/testing";
import { checkInvariants, crashPoints, createTestEngine, readStorage } from "@heddle/core/testing";
import { processExecutor } from "@heddle/executor-process";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { namesOf, read } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import { failure, isPending, refusal } from "./set-up.js";
import { isFull } from "./size.js";
import type { Database, StorageKind } from "./storages.js";
import { onEveryStorage, storages } from "./storages.js";

interface Scene {
  readonly t: TestEngine;
  /** Looks at what is stored, whoever is dead. */
  readonly look: Storage;
  readonly database: Database;
}

async function enter(kind: StorageKind, options: TestEngineOptions): Promise<Scene> {
  const database = await kind.create();
  const pace = kind.takesTurns ? {} : { poll: 10_000 };
  const t = await createTestEngine({ ...pace, ...options, storage: database.storage });
  const look = database.connect();
  await look.open({ clock: t.clock });
  onTestFinished(async () => {
    await t.close();
    await checkInvariants(look);
    await look.close();
    await database.cleanup();
  });
  return { t, look, database };
}

/** An agent that comes to every point but one, one that never ends, and what they did to the world outside. */
function shop() {
  const world = { charges: 0, hasPaper: false };
  const order = defineAgent({
    name: "order",
    values: z.object({ paid: z.boolean().default(false) }),
    retry: { maxFailures: 2, maxCrashes: 9 },
    async run({ emit, checkpoint, step, sleep, interrupt }) {
      await emit("order_taken", { n: 7 }, { key: "taken" });
      await checkpoint({ paid: false });
      await step("charge", () => void world.charges++);
      await sleep(20_000);
      if (!world.hasPaper) {
        world.hasPaper = true;
        throw new Error("the printer is out of paper");
      }
      const to = await interrupt("address", { question: "Where to?" }, { schema: z.string() });
      return { output: `shipped to ${to}`, values: { paid: true } };
    },
  });
  const hanging = defineAgent({ name: "hanging", run: () => new Promise<void>(() => {}) });
  return { world, order, hanging };
}

/** What is stored of the first run of an agent. */
interface Facts {
  readonly run: RunRecord | undefined;
  readonly types: readonly string[];
  readonly question: QuestionRecord | undefined;
  readonly hasStep: boolean;
}

async function factsOf(storage: Storage, agent: string): Promise<Facts> {
  const [run] = await storage.runs.list({ agent, limit: 1, sortBy: "createdAt", order: "asc" });
  if (run === undefined) return { run, types: [], question: undefined, hasStep: false };
  const { id: lineageId } = run;
  const stream = run.threadId === null ? `r:${run.id}` : `t:${run.threadId}`;
  const events = await storage.events.read({ stream, after: 0, limit: 500 });
  return {
    run,
    types: events.map(({ type }) => type),
    question: (await storage.lineages.questions(lineageId))[0],
    hasStep: (await storage.lineages.memo({ lineageId, kind: "step", key: "charge" })) !== undefined,
  };
}

/** What is so once a point is passed, and was not before. */
const isPassed: Record<CrashPoint, (facts: Facts) => boolean> = {
  accepted: ({ run }) => run !== undefined,
  claimed: ({ run, types }) => run?.attempt === 1 && types.includes("run_started"),
  event: ({ types }) => types.includes("order_taken"),
  checkpoint: ({ run }) => run !== undefined && run.headCheckpointId !== null,
  step: ({ hasStep }) => hasStep,
  suspended: ({ run, types }) => run?.status === "pending" && types.includes("run_suspended"),
  retrying: ({ run }) => run?.failures === 1,
  canceling: ({ run }) => run !== undefined && run.cancelRequestedAt !== null,
  asked: ({ run, question }) => run?.status === "interrupted" && question?.status === "open",
  answered: ({ question }) => question?.status === "answered",
  settled: ({ types }) => types.includes("run_succeeded"),
};

/** The host's part, of a host as it should be: it does again what it got no answer to. */
class Host {
  deaths = 0;
  readonly #t: TestEngine;
  readonly #onDeath: () => Promise<void>;

  constructor(t: TestEngine, onDeath: () => Promise<void>) {
    this.#t = t;
    this.#onDeath = onDeath;
  }

  async ask<Answer>(work: () => Promise<Answer>): Promise<Answer | undefined> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        // The question was answered before the process died.
        if (HeddleError.is(error, "QUESTION_NOT_FOUND")) return undefined;
        if (!HeddleError.is(error, "ENGINE_CLOSED")) throw error;
        await this.#restart();
      }
    }
  }

  async waitUntilIdle(): Promise<void> {
    await this.#t.runUntilIdle();
    if (!this.#t.crashed) return;
    await this.#restart();
    await this.#t.runUntilIdle();
  }

  async #restart(): Promise<void> {
    this.deaths++;
    await this.#onDeath();
    await this.#t.restart();
  }
}

onEveryStorage("crashes at a named point", (kind) => {
  // A server answers each call later: there the whole list is for the long tests.
  const points = isFull || kind.takesTurns ? crashPoints : (["step", "settled"] as const);
  const places = points.flatMap((point): CrashAt[] => [{ before: point }, { after: point }]);

  test.each(places)("%o: it is stored or not, as said, and the run ends once", async (place) => {
    const { world, order, hanging } = shop();
    const { t, look } = await enter(kind, { agents: [order, hanging] });
    const point = (place.before ?? place.after) as CrashPoint;
    const agent = point === "canceling" ? "hanging" : "order";
    const host = new Host(t, async () => {
      expect(isPassed[point](await factsOf(look, agent))).toBe(place.after !== undefined);
      await checkInvariants(look);
    });
    await t.engine.threads.create({ id: "cart" });
    t.crashAt({ ...place, agent });

    const options = { idempotencyKey: "order-7", delay: 1_000 };
    const run = await host.ask(async () => (await t.engine.threads.get("cart")).start(order, null, options));
    await host.waitUntilIdle();
    await host.ask(async () => (await t.engine.runs.get(run?.id ?? "")).resume("Loom Street 3"));
    await host.waitUntilIdle();
    if (point === "canceling") {
      const { id } = await t.engine.runs.start(hanging, null);
      await host.ask(() => t.engine.runs.cancel(id));
      await host.waitUntilIdle();
      expect(await (await t.engine.runs.get(id)).settled()).toMatchObject({ status: "canceled" });
    }

    expect([host.deaths, t.crashed]).toEqual([1, false]);
    await expectOneEnd(t, await t.engine.threads.get("cart"));
    // Only where the result was lost is a step done again.
    expect(world.charges).toBe(place.before === "step" ? 2 : 1);
  });

  async function expectOneEnd(t: TestEngine, thread: ThreadHandle): Promise<void> {
    expect(await thread.values()).toEqual({ paid: true });
    const runs = await t.engine.runs.list({ threadId: thread.id, order: "asc" });
    expect(runs.items.map(({ status }) => status)).toEqual(["interrupted", "succeeded"]);
    const leave = new AbortController();
    const reading = read(thread.events({ after: 0, signal: leave.signal }));
    await t.clock.settle();
    leave.abort();
    const types = namesOf(await reading.ended);
    for (const once of ["order_taken", "run_interrupted", "run_succeeded"]) {
      expect(types.filter((type) => type === once)).toHaveLength(1);
    }
  }

  test("the code of a dead process goes on, and reaches nobody", async () => {
    const { agent, next } = handDriven({ attemptTimeout: 30_000 });
    const { t, look } = await enter(kind, { agents: [agent] });
    const run = await t.engine.runs.start(agent, null);
    const { context, finish } = await next();
    const done = vi.fn();
    t.crash();
    const before = await readStorage(look);
    const calls = [context.step("late", done), context.emit("own", 1), context.checkpoint({}), context.sleep(1)];
    context.delta("own", 1);
    finish({ output: "late" });
    // Nobody prolongs its lease, and nobody else is there.
    await t.clock.advance(60_000);
    expect(await Promise.all(calls.map(isPending))).toEqual(calls.map(() => true));
    expect(done).not.toHaveBeenCalled();
    expect(context.signal.aborted).toBe(false);
    expect(await readStorage(look)).toEqual(before);
    expect(await look.runs.get(run.id)).toMatchObject({ status: "running" });
  });

  test("who waits for a dead engine is told, and its handles stay dead", async () => {
    const { order } = shop();
    const { t } = await enter(kind, { agents: [order] });
    const { engine } = t;
    const run = await engine.runs.start(order, null);
    const waiting = [failure(() => run.result()), failure(() => read(run.events()).ended)];
    t.crashAt({ after: "step" });
    await t.runUntilIdle();
    expect(t.crashed).toBe(true);
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: "ENGINE_CLOSED" });
    await refusal("ENGINE_CLOSED", () => run.info());
    await refusal("ENGINE_CLOSED", () => engine.threads.list());
    await t.restart();
    await refusal("ENGINE_CLOSED", () => run.info());
    expect(await (await t.engine.runs.get(run.id)).info()).toMatchObject({ status: "running", attempt: 1 });
  });

  test("a host's transaction dies with its process, whole or not at all", async () => {
    const { order } = shop();
    const { t } = await enter(kind, { agents: [order] });
    t.crashAt({ before: "accepted", nth: 2 });
    const two = () =>
      t.engine.transaction(async (tx) => {
        await t.engine.runs.start(order, 1, { tx });
        return (await t.engine.runs.start(order, 2, { tx })).id;
      });
    await refusal("ENGINE_CLOSED", two);
    await t.restart();
    expect(await t.engine.runs.count()).toBe(0);
    t.crashAt({ after: "accepted" });
    await refusal("ENGINE_CLOSED", two);
    await t.restart();
    expect(await t.engine.runs.count()).toBe(2);
    const stuck = t.engine.transaction(async (tx) => {
      await t.engine.runs.start(order, 3, { tx });
      t.crash();
      await new Promise(() => {});
    });
    await refusal("ENGINE_CLOSED", () => stuck);
    await t.restart();
    expect(await t.engine.runs.count()).toBe(2);
  });

  test("a process beside it takes over when the lease is over", async () => {
    const { world, order } = shop();
    const { t } = await enter(kind, { agents: [order] });
    const other = await t.join();
    onTestFinished(() => other.close());
    t.crashAt({ after: "step", key: "charge" });
    const { id } = await t.engine.runs.start(order, null);
    await t.runUntilIdle();
    expect([t.crashed, other.crashed]).toEqual([true, false]);
    const run = await other.engine.runs.get(id);
    expect(await run.info()).toMatchObject({ status: "interrupted", crashes: 1 });
    expect(world.charges).toBe(1);
  });

  test("of many that are committed together, one is enough, and a refused one is refused", async () => {
    const { order } = shop();
    const { t } = await enter(kind, { agents: [order] });
    t.crashAt({ before: "accepted", nth: 4 });
    const thread = await t.engine.threads.create({ id: "cart" });
    const starts = [1, 2, 3].map((n) => thread.start(order, n, { delay: 60_000 + n }));
    const refused = failure(() => t.engine.runs.start({ name: "order" }, 1, { idempotencyKey: "\0" }));
    await Promise.all(starts);
    expect(await refused).toMatchObject({ code: "INVALID_ID" });
    await refusal("THREAD_NOT_FOUND", async () => {
      const gone = await t.engine.threads.create({ id: "gone" });
      await gone.delete();
      await Promise.all([gone.start(order, 1), t.engine.threads.create({ id: "beside" })]);
    });
    expect(t.crashed).toBe(false);
    const last = [4, 5].map((n) => failure(() => t.engine.runs.start(order, n)));
    expect(await Promise.all(last)).toMatchObject([{ code: "ENGINE_CLOSED" }, { code: "ENGINE_CLOSED" }]);
    await t.restart();
    expect(await t.engine.runs.count()).toBe(3);
  });
});

const [memory] = storages as readonly [StorageKind];

describe("where a process dies", () => {
  test("is named as narrowly as one likes", async () => {
    const agents = ["a", "b"].map((name) =>
      defineAgent({
        name,
        async run({ step, emit }) {
          for (const key of ["one", "two"]) await step(key, () => key);
          await emit("own_type", null);
        },
      }),
    );
    for (const [place, steps] of [
      [{ after: "step", agent: "b", key: "two" }, ["a/one", "a/two", "b/one", "b/two"]],
      [{ before: "step", key: "two" }, ["a/one"]],
      [{ after: "step", nth: 3 }, ["a/one", "a/two", "b/one"]],
      [{ before: "event", type: "own_type", nth: 2 }, ["a/one", "a/two", "b/one", "b/two"]],
    ] as const) {
      const { t, look } = await enter(memory, { agents, concurrency: 1 });
      t.crashAt(place);
      const started: string[] = [];
      for (const agent of agents) started.push((await t.engine.runs.start(agent, null, { delay: 1_000 })).id);
      await t.runUntilIdle();
      expect(t.crashed).toBe(true);
      const memos = await Promise.all(started.map((id) => look.lineages.memos(id, 10)));
      const found = memos.flatMap((list, index) => list.map(({ key }) => `${agents[index]?.name}/${key}`));
      expect(found.sort()).toEqual(steps);
    }
  });

  test("each place counts once, also in the process that comes after", async () => {
    const { world, order } = shop();
    const { t } = await enter(memory, { agents: [order] });
    t.crashAt({ before: "step" });
    t.crashAt({ before: "step" });
    const { id } = await t.engine.runs.start(order, null);
    for (const _ of [1, 2]) {
      await t.runUntilIdle();
      await t.restart();
    }
    await t.runUntilIdle();
    expect(world.charges).toBe(3);
    expect(await (await t.engine.runs.get(id)).info()).toMatchObject({ crashes: 2, status: "interrupted" });
  });

  test("a process that lives is not restarted: the place was never reached", async () => {
    const { t } = await enter(memory, {});
    t.crashAt({ before: "step", key: "misspelt" });
    const error = await refusal("INVALID_ARGUMENT", () => t.restart());
    expect(error.message).toContain('"key":"misspelt"');
    t.crash();
    await t.restart();
    expect(t.crashed).toBe(false);
  });

  test("another version of the agent goes on", async () => {
    const broken = defineAgent({ name: "greeter", run: () => new Promise<void>(() => {}) });
    const mended = defineAgent({ name: "greeter", run: () => ({ output: "hello" }) });
    const { t } = await enter(memory, { agents: [broken] });
    const { id } = await t.engine.runs.start(broken, null);
    t.crash();
    await t.restart({ agents: [mended] });
    await t.runUntilIdle();
    expect(await (await t.engine.runs.get(id)).result()).toBe("hello");
  });

  test("a change that is undefined is none, for another process as for the next one", async () => {
    const greeter = defineAgent({ name: "greeter", run: () => ({ output: "hello" }) });
    const { t } = await enter(memory, { agents: [greeter] });
    const unchanged = { storage: undefined, agents: undefined, executor: undefined } as object;
    await using other = await t.join(unchanged);
    const { id } = await t.engine.runs.start(greeter, "first");
    t.crash();
    await t.restart(unchanged);
    await t.runUntilIdle();
    for (const engine of [t.engine, other.engine]) expect(await (await engine.runs.get(id)).result()).toBe("hello");
  });

  test("odd places are refused by name", async () => {
    const { t } = await enter(memory, {});
    const odd = (place: unknown) => failure(() => t.crashAt(place as CrashAt));
    for (const [place, field] of [
      [undefined, "where"],
      [{}, "before"],
      [{ before: "step", after: "step" }, "before"],
      [{ before: "lunch" }, "before"],
      [{ after: "settled", nth: 0 }, "nth"],
      [{ after: "settled", key: "charge" }, "key"],
      [{ after: "step", type: "own" }, "type"],
      [{ after: "step", agent: 7 }, "agent"],
      [{ after: "step", time: 7 }, "where"],
    ] as const) {
      expect(await odd(place)).toMatchObject({ code: "INVALID_ARGUMENT", details: { field } });
    }
  });

  test("programs of the process end with it", async () => {
    const { database } = await enter(memory, {});
    const folder = mkdtempSync(join(tmpdir(), "heddle-test-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "pid");
    const code = `require("fs").writeFileSync(${JSON.stringify(file)}, String(process.pid)); setInterval(() => {}, 1e6)`;
    const executor = processExecutor({ command: process.execPath, args: ["-e", code], protocol: "json" });
    const agent = defineAgent({ name: "program", executor });
    await using t = await createTestEngine({ agents: [agent], storage: database.connect() });
    await t.engine.runs.start(agent, null);
    const pid = await vi.waitFor(
      () => Number(existsSync(file) && readFileSync(file, "utf8")) || Promise.reject(),
      10_000,
    );
    t.crash();
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), 10_000);
  });
});
