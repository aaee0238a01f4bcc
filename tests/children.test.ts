/** Child runs: started once, their results follow them, cancels and deadlines pass down, nobody waits for ever. */

import { defineAgent, HeddleError } from "@heddle/core";
import type { Storage } from "@heddle/core/storage";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { namesOf, read } from "./frames.js";
import { isPending, refusal, setUp, type World } from "./set-up.js";
import { size } from "./size.js";
import { onEveryStorage } from "./storages.js";

/** Adds one, after `ms`. */
const adder = defineAgent({
  name: "adder",
  input: z.object({ n: z.number(), ms: z.number().default(0) }),
  output: z.number(),
  run: async ({ input, sleep }) => {
    if (input.ms > 0) await sleep(input.ms);
    return { output: input.n + 1 };
  },
});

/** Never returns before its signal aborts. */
const endless = defineAgent({
  name: "endless",
  run: ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
});

const failing = defineAgent({
  name: "failing",
  run: () => {
    throw new Error("the child's own trouble");
  },
});

/** Starts one child of each agent named, and gives what came of them. */
const parent = defineAgent({
  name: "parent",
  input: z.object({
    children: z.record(z.string(), z.enum(["adder", "endless", "failing", "asker"])),
    threadId: z.string().optional(),
    wait: z.boolean().default(true),
    ms: z.number().default(0),
  }),
  run: async ({ input, start }) => {
    const agents = { adder, endless, failing, asker };
    const started = await Promise.all(
      Object.entries(input.children).map(([key, agent]) =>
        start(key, agents[agent] as typeof failing, agent === "adder" ? { n: 1, ms: input.ms } : null, {
          ...(input.threadId === undefined ? {} : { threadId: input.threadId, ifNotExists: "create" as const }),
        }),
      ),
    );
    if (!input.wait) return { output: started.map(({ runId }) => runId) };
    return { output: await Promise.all(started.map((child) => child.result())) };
  },
});

const asker = defineAgent({
  name: "asker",
  run: async ({ interrupt }) => ({ output: await interrupt("name", "Who are you?") }),
});

const agents = [adder, endless, failing, parent, asker];

async function childrenOf(world: World, parentRunId: string) {
  return (await world.engine.runs.list({ parentRunId, order: "asc" })).items;
}

onEveryStorage("children", (kind) => {
  const world = (options: Parameters<typeof setUp>[1] = {}) => setUp(kind, { agents, ...options });

  describe("results", () => {
    test.each([
      ["suspended meanwhile", 0],
      ["in memory meanwhile", Number.POSITIVE_INFINITY],
    ])("the parent gets its child's output, %s", async (_, suspendAfter) => {
      const { engine, runUntilIdle, ...rest } = await world({ suspendAfter, concurrency: 1 });
      const run = await engine.runs.start(parent, { children: { one: "adder", two: "adder" }, ms: 60_000 });
      await runUntilIdle();
      expect(await run.result()).toEqual([2, 2]);
      const children = await childrenOf({ engine, runUntilIdle, ...rest } as World, run.id);
      expect(children.map(({ status, parentRunId }) => [status, parentRunId])).toEqual([
        ["succeeded", run.id],
        ["succeeded", run.id],
      ]);
      const events = namesOf(await read(run.events()).ended);
      expect(events.includes("run_suspended")).toBe(suspendAfter === 0);
      expect(await run.info()).toMatchObject({ failures: 0, crashes: 0 });
    });

    test("a child's failure and its cancellation are the parent's to handle", async () => {
      const told: unknown[] = [];
      const curious = defineAgent({
        name: "curious",
        run: async ({ start }) => {
          const bad = await start("bad", failing, null);
          const gone = await start("gone", endless, null);
          for (const child of [bad, gone]) {
            await child.result().catch((error: unknown) => {
              if (!HeddleError.is(error)) throw error;
              told.push([error.code, error.details["runId"] === child.runId]);
            });
          }
          return { output: "goes on" };
        },
      });
      const w = await world({ agents: [...agents, curious] });
      const run = await w.engine.runs.start(curious, null);
      await w.quiet();
      for (const child of await childrenOf(w, run.id))
        if (child.agent === "endless") await w.engine.runs.cancel(child.id);
      await w.runUntilIdle();
      expect(await run.result()).toBe("goes on");
      expect(told.slice(-2)).toEqual([
        ["RUN_FAILED", true],
        ["RUN_CANCELED", true],
      ]);
    });

    test("an unhandled failure of a child fails the parent, and names the child's error", async () => {
      const w = await world();
      const run = await w.engine.runs.start(parent, { children: { bad: "failing" } });
      await w.runUntilIdle();
      const error = await refusal("RUN_FAILED", () => run.result());
      expect(error.details["error"]).toMatchObject({ code: "RUN_FAILED", message: /the child's own trouble/ });
    });

    test("a result may be asked for twice, and by a retried attempt: it is the same child", async () => {
      const seen: string[] = [];
      const twice = defineAgent({
        name: "twice",
        retry: { maxFailures: 3, delay: 10 },
        run: async ({ start, attempt }) => {
          const child = await start("a", adder, { n: 41 });
          seen.push(child.runId);
          const [one, two] = await Promise.all([child.result(), child.result()]);
          if (seen.length < 4) throw new Error(`attempt ${attempt} fails`);
          return { output: one + two };
        },
      });
      const w = await world({ agents: [...agents, twice], suspendAfter: 1_000 });
      const run = await w.engine.runs.start(twice, null, { retry: { maxFailures: 5, delay: 10 } });
      await w.runUntilIdle();
      expect(await run.result()).toBe(84);
      expect(new Set(seen).size).toBe(1);
      expect(await childrenOf(w, run.id)).toHaveLength(1);
    });

    test("a child that asked is resumed later, and its result still comes", async () => {
      const w = await world();
      const run = await w.engine.runs.start(parent, { children: { one: "asker" } });
      await w.quiet();
      const [child] = await childrenOf(w, run.id);
      expect(child?.status).toBe("interrupted");
      expect(await run.info()).toMatchObject({ status: "pending", waiting: "children", awaits: [child?.id] });
      await w.advance(1_000_000);
      await (await w.engine.runs.get(child?.id as string)).resume("Ada");
      await w.runUntilIdle();
      expect(await run.result()).toEqual(["Ada"]);
    });

    test("a child that was deleted meanwhile is told as gone", async () => {
      const w = await world();
      const run = await w.engine.runs.start(parent, { children: { one: "endless" }, threadId: "side" });
      await w.quiet();
      await (await w.engine.threads.get("side")).delete();
      await w.runUntilIdle();
      const error = await refusal("RUN_FAILED", () => run.result());
      expect(error.details["error"]).toMatchObject({ code: expect.stringMatching(/^RUN_(GONE|CANCELED)$/) });
    });
  });

  describe("starting", () => {
    test("a key used twice in one attempt is refused", async () => {
      const doubling = defineAgent({
        name: "doubling",
        run: async ({ start }) => {
          await start("a", adder, { n: 1 });
          await start("a", adder, { n: 2 });
        },
      });
      const w = await world({ agents: [...agents, doubling] });
      const run = await w.engine.runs.start(doubling, null);
      await w.runUntilIdle();
      const error = await refusal("RUN_FAILED", () => run.result());
      expect(error.details["error"]).toMatchObject({ code: "DUPLICATE_KEY" });
    });

    test("bad input, an unknown agent, options that make no sense: refused, nothing started", async () => {
      const codes: string[] = [];
      const clumsy = defineAgent({
        name: "clumsy",
        run: async ({ start }) => {
          const starts: [unknown, unknown, object?][] = [
            [adder, { n: "one" }],
            [{ name: "nobody" }, null],
            [undefined, null],
            [adder, { n: 1 }, { idempotencyKey: "x" }],
            [adder, { n: 1 }, { tx: {} }],
            [adder, { n: 1 }, { threadId: "nowhere" }],
            [adder, { n: 1 }, { priority: 0.5 }],
            [adder, { n: 1n }],
          ];
          for (const [index, [agent, input, options]] of starts.entries())
            await start(`k${index}`, agent as typeof adder, input as { n: number }, options).catch((error: unknown) =>
              codes.push((error as HeddleError).code),
            );
          await start("", adder, { n: 1 }).catch((error: unknown) => codes.push((error as HeddleError).code));
        },
      });
      const w = await world({ agents: [...agents, clumsy] });
      const run = await w.engine.runs.start(clumsy, null);
      await w.runUntilIdle();
      await run.result();
      expect(codes).toEqual([
        "INVALID_INPUT",
        "UNKNOWN_AGENT",
        "UNKNOWN_AGENT",
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        "THREAD_NOT_FOUND",
        "INVALID_ARGUMENT",
        "INVALID_JSON",
        "INVALID_ID",
      ]);
      expect(await childrenOf(w, run.id)).toEqual([]);
    });

    test("a child may go on alone: it outlives a parent that succeeds", async () => {
      const w = await world();
      const run = await w.engine.runs.start(parent, { children: { one: "adder" }, wait: false, ms: 5_000 });
      const [childId] = (await run.result()) as string[];
      const child = await w.engine.runs.get(childId as string);
      expect(await isPending(child.result())).toBe(true);
      await w.runUntilIdle();
      expect(await child.result()).toBe(2);
    });

    test("where stateless runs are deleted when they settle, a child stays for its parent", async () => {
      const w = await world({ retention: { statelessRuns: "delete" } });
      const run = await w.engine.runs.start(parent, { children: { one: "adder" }, ms: 10 });
      const result = run.result();
      await w.runUntilIdle();
      expect(await result).toEqual([2]);
    });
  });

  describe("passing down", () => {
    test.each(["user", "deleted", "failed", "deadline", "superseded"] as const)(
      "the parent's end takes its unsettled children along, and theirs: %s",
      async (why) => {
        const middle = defineAgent({
          name: "middle",
          run: async ({ start }) => ({ output: (await (await start("low", endless, null)).result()) as null }),
        });
        const top = defineAgent({
          name: "top",
          run: async ({ start, sleep }) => {
            const kids = [await start("mid", middle, null), await start("late", adder, { n: 1 }, { delay: 900_000 })];
            if (why === "failed") {
              await sleep(1_000);
              throw new Error("the parent's own trouble");
            }
            await Promise.all(kids.map((kid) => kid.result()));
          },
        });
        const w = await world({ agents: [...agents, middle, top] });
        const thread = await w.engine.threads.create({ id: "home" });
        const run = await thread.start(top, null, why === "deadline" ? { deadline: 5_000 } : {});
        await w.quiet();
        const [mid, late] = await childrenOf(w, run.id);
        const [low] = await childrenOf(w, mid?.id as string);
        if (why === "user") await run.cancel();
        if (why === "deleted") await thread.delete();
        if (why === "superseded") await thread.start(adder, { n: 1 }, { whenBusy: "interrupt" });
        await w.advance(10_000);
        await w.runUntilIdle();
        for (const [child, by] of [
          [mid, run.id],
          [late, run.id],
          [low, mid?.id],
        ] as const) {
          const { status, ...info } = await (await w.engine.runs.get(child?.id as string)).info();
          if (why === "deadline") expect(["canceled", "failed"]).toContain(status);
          else expect({ status, ...info }).toMatchObject({ status: "canceled", reason: { kind: "parent", by } });
        }
      },
    );

    test("deadlines: a child has at most what its parent has left", async () => {
      const w = await world();
      const run = await w.engine.runs.start(parent, { children: { one: "endless" } }, { deadline: 7_000 });
      await w.quiet();
      const [child] = await childrenOf(w, run.id);
      expect(child?.deadlineAt).toEqual((await run.info()).deadlineAt);
      await w.advance(7_000);
      await w.runUntilIdle();
      expect((await run.settled()).status).toBe("failed");
      expect((await (await w.engine.runs.get(child?.id as string)).settled()).status).not.toBe("succeeded");
    });

    test("what a process that died left undone, others do: orphans are canceled", async () => {
      const w = await world({ work: false });
      const other = await w.join({ agents });
      const run = await other.engine.runs.start(parent, { children: { one: "endless" } });
      await w.quiet();
      const [child] = await childrenOf(w, run.id);
      // As if whoever settled it had died before it told its family.
      const storage = w.database.connect();
      await storage.open({ clock: w.clock });
      const reason = { kind: "user" } as const;
      await storage.commit([{ kind: "cancel_run", runId: run.id, threadId: null, reason, finalCheckpointId: "chk_x" }]);
      await storage.close();
      await w.advance(5_000);
      await w.runUntilIdle();
      expect((await run.settled()).status).toBe("canceled");
      expect(await (await w.engine.runs.get(child?.id as string)).settled()).toMatchObject({
        status: "canceled",
        reason: { kind: "parent", by: run.id },
      });
    });
  });

  describe("threads", () => {
    test.each(["reject", "enqueue", "interrupt", "steer"] as const)(
      "a child in the run's own thread, or in its grandparent's, is a deadlock and told at once: %s",
      async (whenBusy) => {
        const codes: unknown[] = [];
        const below = defineAgent({
          name: "below",
          input: z.array(z.string()),
          run: async ({ input, start }) => {
            const [next, ...rest] = input;
            const threads = ["t1", "t2", "t3"].slice(0, 3 - input.length);
            for (const threadId of threads) {
              const error = await start(`in ${threadId}`, adder, { n: 1 }, { threadId, whenBusy }).catch((e) => e);
              codes.push((error as HeddleError).code, (error as HeddleError).details["threadId"]);
            }
            if (next === undefined) return;
            const options = { threadId: next, ifNotExists: "create" } as const;
            await (await start("down", below, rest, options)).result();
          },
        });
        const w = await world({ agents: [...agents, below], suspendAfter: 10_000 });
        const thread = await w.engine.threads.create({ id: "t1" });
        const run = await thread.start(below, ["t2", "t3"]);
        await w.runUntilIdle();
        await run.result();
        expect(codes).toEqual(["t1", "t1", "t2", "t1", "t2", "t3"].flatMap((id) => ["THREAD_DEADLOCK", id]));
      },
    );

    test("a child waits for another run's thread like any other", async () => {
      const w = await world();
      const busy = await w.engine.threads.create({ id: "busy" });
      const holder = await busy.start(adder, { n: 1, ms: 50_000 });
      const patient = defineAgent({
        name: "patient",
        run: async ({ start }) => ({
          output: await (await start("a", adder, { n: 6 }, { threadId: "busy", whenBusy: "enqueue" })).result(),
        }),
      });
      const other = await w.join({ agents: [...agents, patient] });
      const run = await other.engine.runs.start(patient, null);
      await w.advance(1_000);
      expect(await isPending(run.result())).toBe(true);
      await w.runUntilIdle();
      await other.runUntilIdle();
      expect(await run.result()).toBe(7);
      expect((await holder.settled()).status).toBe("succeeded");
    });
  });

  describe("slots", () => {
    const nested: ReturnType<typeof defineAgent> = defineAgent({
      name: "nested",
      run: async ({ input, start }) => {
        const depth = input as number;
        if (depth === 0) return { output: 0 };
        const child = await start("down", nested, depth - 1);
        return { output: ((await child.result()) as number) + 1 };
      },
    });

    test.each([0, 5_000, Number.POSITIVE_INFINITY])(
      "one slot, nested five deep, suspendAfter %s",
      async (suspendAfter) => {
        const w = await world({ agents: [nested], concurrency: 1, suspendAfter });
        const run = await w.engine.runs.start(nested, 5);
        await w.runUntilIdle();
        expect(await run.result()).toBe(5);
      },
    );

    test("64 parents with two slots do not starve their children", async () => {
      const w = await world({ concurrency: 2, suspendAfter: 5_000 });
      const runs = await Promise.all(
        Array.from({ length: 64 }, () =>
          w.engine.runs.start(parent, { children: { one: "adder", two: "adder" }, ms: 1_000 }),
        ),
      );
      await w.runUntilIdle();
      for (const run of runs) expect(await run.result()).toEqual([2, 2]);
    });

    test("thousands of children of one parent", async () => {
      const count = size(200, 3_000);
      const broad = defineAgent({
        name: "broad",
        run: async ({ start }) => {
          const kids = await Promise.all(Array.from({ length: count }, (_, n) => start(`kid ${n}`, adder, { n })));
          const sum = (await Promise.all(kids.map((kid) => kid.result()))).reduce((a, b) => a + b, 0);
          return { output: sum };
        },
      });
      const w = await world({ agents: [...agents, broad], suspendAfter: 5_000 });
      const run = await w.engine.runs.start(broad, null);
      await w.runUntilIdle();
      expect(await run.result()).toBe((count * (count + 1)) / 2);
      expect(await w.engine.runs.count({ parentRunId: run.id })).toBe(count);
    });
  });

  describe("a child that ends just when its parent is suspended", () => {
    const waiting = defineAgent({
      name: "waiting",
      run: async ({ start }) => {
        const child = await start("late", adder, { n: 1 }, { delay: 9_000_000 });
        return { output: await child.result().catch((error: HeddleError) => error.code) };
      },
    });

    test.each(["before", "after", "long after"] as const)(
      "%s the suspension is committed, told by nobody",
      async (when) => {
        let parentId = "";
        let strikes = 0;
        const strike = async (storage: Storage): Promise<void> => {
          const page = { limit: 1, sortBy: "createdAt", order: "asc" } as const;
          for (const { id } of await storage.runs.list({ parentRunId: parentId, status: ["pending"], ...page })) {
            const reason = { kind: "user" } as const;
            await storage.commit([
              { kind: "cancel_run", runId: id, threadId: null, reason, finalCheckpointId: `chk_${id}` },
            ]);
            strikes++;
          }
        };
        const wrap = (storage: Storage): Storage => ({
          ...storage,
          name: storage.name,
          open: (context) => storage.open(context),
          close: () => storage.close(),
          transaction: (body) => storage.transaction(body),
          commit: async (intents) => {
            const suspends = intents.some((intent) => intent.kind === "release_run" && intent.why === "child");
            if (suspends && when === "before") await strike(storage);
            const results = await storage.commit(intents);
            if (suspends && when === "after") await strike(storage);
            return results;
          },
        });
        const w = await world({ agents: [adder, waiting], wrap });
        const run = await w.engine.runs.start(waiting, null);
        parentId = run.id;
        await w.quiet();
        if (when === "long after") {
          expect(await isPending(run.result())).toBe(true);
          await strike(w.database.storage);
          // Longer than from one look at what is due to the next, on any storage.
          await w.advance(20_000);
        }
        await w.quiet();
        expect(strikes).toBe(1);
        expect(await run.result()).toBe("RUN_CANCELED");
      },
    );
  });

  describe("across processes", () => {
    test("the worker dies while its run waits: another goes on with the same child", async () => {
      for (const suspendAfter of [0, Number.POSITIVE_INFINITY]) {
        const w = await world({ work: false });
        const dying = await w.join({ agents, suspendAfter });
        const run = await dying.engine.runs.start(parent, { children: { one: "adder" }, ms: 30_000 });
        await w.quiet();
        const before = await childrenOf(w, run.id);
        expect(before).toHaveLength(1);
        await dying.engine.close({ grace: 0 });
        const heir = await w.join({ agents });
        await heir.runUntilIdle();
        const [child, ...more] = await childrenOf(w, run.id);
        expect([child?.id, more]).toEqual([before[0]?.id, []]);
        await heir.runUntilIdle();
        const after = await (await w.engine.runs.get(run.id)).info();
        expect(after).toMatchObject({ status: "succeeded", output: [2] });
      }
    });

    test("a child settled by an engine that does not have the parent's agent", async () => {
      const w = await world({ agents: [parent, adder, endless, failing, asker], work: false });
      const above = await w.join({ agents: [parent, ...agents.filter((agent) => agent !== parent)] });
      const run = await above.engine.runs.start(parent, { children: { one: "endless" } });
      await w.quiet();
      const below = await w.join({ agents: [adder] });
      const [child] = await childrenOf(w, run.id);
      await below.engine.runs.cancel(child?.id as string);
      await w.advance(6_000);
      await above.runUntilIdle();
      expect((await run.settled()).status).toBe("failed");
    });
  });
});
