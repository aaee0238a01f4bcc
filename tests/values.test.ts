/** What an agent gets is what was stored, frozen; what it returns is checked, copied and kept, and nothing else is. */

import type { AgentContext, JsonObject } from "@heddle/core";
import { defineAgent, REMOVE } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { eventsOf, read } from "./frames.js";
import { handDriven } from "./hand-driven.js";
import type { World } from "./set-up.js";
import { failure, refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const cyclic: Record<string, unknown> = { name: "loop" };
cyclic.self = { cyclic };

const holey = [1, 2, 3];
delete holey[1];

const notJson: [string, unknown, string][] = [
  ["a BigInt", { list: [{ n: 1n }] }, "values.bad.list[0].n"],
  ["a function", { f: () => {} }, "values.bad.f"],
  ["a symbol", Symbol("s"), "values.bad"],
  ["a cycle", cyclic, "values.bad.self.cyclic"],
  ["NaN", { n: Number.NaN }, "values.bad.n"],
  ["Infinity", [1, Number.POSITIVE_INFINITY], "values.bad[1]"],
  ["a Date", { at: new Date(0) }, "values.bad.at"],
  ["a Map", new Map([["a", 1]]), "values.bad"],
  [
    "an instance of a class",
    new (class Thing {
      n = 1;
    })(),
    "values.bad",
  ],
  ["undefined in an array", [1, undefined], "values.bad[1]"],
  ["a hole in an array", holey, "values.bad[1]"],
  [
    "a getter that throws",
    {
      get secret() {
        throw new Error("not for you");
      },
    },
    "values.bad.secret",
  ],
  ["a key that is awkward", { "a b": 1n }, 'values.bad["a b"]'],
];

const texts = ["nul \u0000", "half \ud800 pair", "😀", "\u2028", '"quoted" \\ back', "", "__proto__", "ünïcödé"];

/** A turn of an agent without a schema on a thread, as the test scripts it. */
async function turn(
  world: World,
  threadId: string,
  act: (context: AgentContext<unknown, JsonObject, unknown>) => unknown,
) {
  script = act;
  const run = await (await world.engine.threads.get(threadId)).start(scripted, null);
  return { run, outcome: await run.settled() };
}
let script: (context: AgentContext<unknown, JsonObject, unknown>) => unknown = () => {};
const scripted = defineAgent({ name: "scripted", run: (context) => script(context) as never });

onEveryStorage("values", (kind) => {
  const open = async (values?: JsonObject) => {
    const world = await setUp(kind, { agents: [scripted] });
    const thread = await world.engine.threads.create(values === undefined ? {} : { values });
    return { ...world, world, thread };
  };

  test("named keys replace, others stay, undefined means unchanged, REMOVE removes", async () => {
    const { world, thread } = await open({ a: 1, b: { deep: 1, other: 2 }, c: [1], gone: "x" });
    const { outcome } = await turn(world, thread.id, () => ({
      values: { a: undefined, b: { deep: 2 }, d: null, gone: REMOVE },
    }));
    expect(outcome.status).toBe("succeeded");
    expect(await thread.values()).toEqual({ a: 1, b: { deep: 2 }, c: [1], d: null });
    expect(Object.keys(await thread.values())).not.toContain("gone");
  });

  test("an agent that returns no values, or empty ones, changes nothing; each turn still ends in a checkpoint", async () => {
    const { world, thread } = await open({ a: 1 });
    await turn(world, thread.id, () => ({ output: 1 }));
    await turn(world, thread.id, () => ({ values: {} }));
    await turn(world, thread.id, () => ({ values: { a: 1 } }));
    expect(await thread.values()).toEqual({ a: 1 });
    expect(
      (await thread.history()).map(({ kind, storedBytes, valuesBytes }) => [kind, storedBytes, valuesBytes]),
    ).toEqual([
      ["final", 0, undefined],
      ["final", 0, undefined],
      ["final", 0, undefined],
      ["initial", expect.any(Number), 7],
    ]);
  });

  test("what an agent is handed is frozen to the bottom", async () => {
    const { world, thread } = await open({ list: [{ deep: { n: 1 } }], object: { key: "x" } });
    const { outcome } = await turn(world, thread.id, ({ values }) => {
      const tries = [
        () => Object.assign(values, { fresh: 1 }),
        () => (values.list as unknown[]).push(1),
        () => Object.assign((values.list as { deep: object }[])[0]?.deep ?? {}, { n: 2 }),
        () => delete (values.object as Record<string, unknown>).key,
      ];
      return {
        output: tries.map((attempt) => {
          try {
            attempt();
            return "changed";
          } catch {
            return "frozen";
          }
        }),
      };
    });
    expect(outcome).toMatchObject({ output: ["frozen", "frozen", "frozen", "frozen"] });
    expect(await thread.values()).toEqual({ list: [{ deep: { n: 1 } }], object: { key: "x" } });
  });

  test("what the agent keeps and changes later is not seen, and its own objects are not frozen", async () => {
    const { world, thread } = await open();
    const mine = { list: [1, { n: 1 }] as unknown[] };
    await turn(world, thread.id, () => ({ values: { mine } }));
    mine.list.push("later");
    (mine.list[1] as { n: number }).n = 2;
    expect(await thread.values()).toEqual({ mine: { list: [1, { n: 1 }] } });
    await turn(world, thread.id, ({ values }) => ({ output: values.mine ?? null, values: { mine } }));
    expect(await thread.values()).toEqual({ mine: { list: [1, { n: 2 }, "later"] } });
    mine.list.length = 0;
    expect(await thread.values()).toEqual({ mine: { list: [1, { n: 2 }, "later"] } });
  });

  test("parts that came back as they were handed out are the same objects next time", async () => {
    const { world, thread } = await open({ big: Array.from({ length: 100 }, (_, n) => ({ n })) });
    let seen: unknown[] = [];
    await turn(world, thread.id, ({ values }) => {
      seen = values.big as unknown[];
      return { values: { big: [...seen, { n: 100 }] } };
    });
    let same = 0;
    await turn(world, thread.id, ({ values }) => {
      same = (values.big as unknown[]).filter((item, index) => item === seen[index]).length;
    });
    expect(same).toBe(100);
    expect(((await thread.values()).big as unknown[]).length).toBe(101);
  });

  test.each(notJson)("%s is refused with its path, and changes nothing", async (_, bad, path) => {
    const { world, thread, engine } = await open({ good: 1 });
    const { outcome } = await turn(world, thread.id, () => ({ values: { good: 2, bad } }));
    expect(outcome).toMatchObject({ status: "failed", error: { code: "INVALID_JSON" } });
    if (!path.includes("cyclic")) expect(outcome.status === "failed" && outcome.error.details?.path).toBe(path);
    expect(await thread.values()).toEqual({ good: 1 });
    const created = await refusal("INVALID_JSON", () => engine.threads.create({ id: "new", values: { bad } as never }));
    if (!path.includes("cyclic")) expect(created.details.path).toBe(path);
    await refusal("THREAD_NOT_FOUND", () => engine.threads.get("new"));
  });

  test("a mid-run checkpoint of the same rubbish is refused there and then, and the agent may go on", async () => {
    const { world, thread } = await open();
    const { outcome } = await turn(world, thread.id, async ({ checkpoint }) => {
      const error = await failure(() => checkpoint({ n: Number.NaN }));
      await checkpoint({ n: 1 });
      return { output: (error as { code: string }).code };
    });
    expect(outcome).toEqual({ status: "succeeded", output: "INVALID_JSON" });
    expect(await thread.values()).toEqual({ n: 1 });
  });

  test.each(texts)("any text comes back as it was: %j", async (text) => {
    const { world, thread, join } = await open({ [text]: text });
    await turn(world, thread.id, () => ({ output: { [text]: [text] }, values: { nested: { [text]: [text] } } }));
    const expected = JSON.parse(JSON.stringify({ nested: { [text]: [text] } }));
    const fresh = (await join()).engine;
    const read = await (await fresh.threads.get(thread.id)).values();
    expect(JSON.stringify(read)).toBe(JSON.stringify({ [text]: text, ...expected }));
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  });

  test.each([0, -0, 1.5, -1e-7, 1e21, 123456789012345680000, Number.MAX_SAFE_INTEGER, 5e-324, Number.MAX_VALUE])(
    "any number does: %d",
    async (n) => {
      const { world, thread, join } = await open({ n });
      await turn(world, thread.id, ({ values }) => ({ output: values.n ?? null, values: { m: [n] } }));
      const read = await (await (await join()).engine.threads.get(thread.id)).values();
      expect(read).toEqual({ n: n + 0, m: [n + 0] });
    },
  );

  test("values too large are refused; what is too large already may shrink", async () => {
    const world = await setUp(kind, { agents: [scripted], limits: { values: 1_000 } });
    await refusal("TOO_LARGE", () => world.engine.threads.create({ values: { text: "x".repeat(1_000) } }));
    const thread = await world.engine.threads.create({ values: { text: "x".repeat(900) } });
    const { outcome } = await turn(world, thread.id, () => ({ values: { more: "x".repeat(100) } }));
    expect(outcome).toMatchObject({
      status: "failed",
      error: { code: "TOO_LARGE", details: { limit: 1_000, what: "values" } },
    });
    expect(Object.keys(await thread.values())).toEqual(["text"]);
    const smaller = await world.join({ agents: [scripted], limits: { values: 100 } });
    const { outcome: shrunk } = await turn(smaller, thread.id, () => ({ values: { text: "x".repeat(500) } }));
    expect(shrunk.status).toBe("succeeded");
    const { outcome: grown } = await turn(smaller, thread.id, () => ({ values: { text: "x".repeat(501) } }));
    expect(grown).toMatchObject({ status: "failed", error: { code: "TOO_LARGE" } });
  });

  describe("of an agent with a schema", () => {
    const Message = z.object({ role: z.enum(["user", "assistant"]), text: z.string().max(20) });
    const chat = defineAgent({
      name: "chat",
      input: z.unknown(),
      values: z.object({
        messages: z.array(Message).default([]),
        topic: z.string().optional(),
        stats: z.object({ turns: z.number().int().default(0) }).default({ turns: 0 }),
      }),
      run: ({ input, values }) => {
        const given = input as { values?: object } | null;
        return { output: values, values: (given?.values ?? {}) as never };
      },
    });

    test("absent keys are filled from the defaults, which are not stored until they change", async () => {
      const { engine } = await setUp(kind, { agents: [chat] });
      const thread = await engine.threads.create();
      const run = await thread.start(chat, null);
      expect(await run.result()).toEqual({ messages: [], stats: { turns: 0 } });
      expect(await thread.values()).toEqual({});
      expect(await thread.values(chat)).toEqual({ messages: [], stats: { turns: 0 } });
    });

    test("defaults and what was written before are handed out frozen as well", async () => {
      const tries: string[] = [];
      const pusher = defineAgent({
        name: "pusher",
        values: z.object({
          list: z.array(z.unknown()).default([]),
          deep: z.object({ list: z.array(z.number()) }).optional(),
        }),
        run: async ({ values, checkpoint }) => {
          const written = await checkpoint({ deep: { list: [1] } });
          for (const list of [values.list, values.deep?.list, written.list, written.deep?.list]) {
            try {
              list?.push(0);
              tries.push(list === undefined ? "none" : "changed");
            } catch {
              tries.push("frozen");
            }
          }
          return { values: { list: [...values.list, { n: [1] }] } };
        },
      });
      const { engine } = await setUp(kind, { agents: [pusher] });
      const thread = await engine.threads.create();
      await (await thread.start(pusher, null)).result();
      await (await thread.start(pusher, null)).result();
      expect(tries).toEqual(["frozen", "none", "frozen", "frozen", "frozen", "frozen", "frozen", "frozen"]);
      expect(await thread.values()).toEqual({ list: [{ n: [1] }, { n: [1] }], deep: { list: [1] } });
    });

    test("what breaks the schema is refused with the path, and changes nothing", async () => {
      const { engine } = await setUp(kind, { agents: [chat] });
      const thread = await engine.threads.create({ values: { topic: "tea" } });
      for (const [values, path] of [
        [
          {
            messages: [
              { role: "user", text: "ok" },
              { role: "robot", text: "x" },
            ],
          },
          "values.messages[1].role",
        ],
        [{ messages: [{ role: "user", text: "x".repeat(21) }] }, "values.messages[0].text"],
        [{ messages: [{ role: "user" }] }, "values.messages[0].text"],
        [{ messages: "none" }, "values.messages"],
        [{ stats: { turns: 1.5 } }, "values.stats.turns"],
        [{ topic: 5 }, "values.topic"],
        [{ unknown: 1 }, "values.unknown"],
      ] as const) {
        const outcome = await (await thread.start(chat, { values })).settled();
        expect(outcome, path).toMatchObject({ status: "failed", error: { code: "INVALID_VALUES" } });
        expect(outcome.status === "failed" && outcome.error.message, path).toContain(path);
      }
      expect(await thread.values()).toEqual({ topic: "tea" });
    });

    test("keys of others are invisible to it and kept, and it cannot touch them", async () => {
      const thief = defineAgent({
        name: "thief",
        values: z.object({ topic: z.string().optional() }),
        run: () => ({ values: { foreign: REMOVE } as never }),
      });
      const { engine } = await setUp(kind, { agents: [chat, thief] });
      const thread = await engine.threads.create({ values: { foreign: { secret: 1 }, topic: "tea" } });
      const run = await thread.start(chat, { values: { topic: "coffee" } });
      expect(await run.result()).toEqual({ messages: [], stats: { turns: 0 }, topic: "tea" });
      expect(await thread.values()).toEqual({ foreign: { secret: 1 }, topic: "coffee" });
      const outcome = await (await thread.start(thief, null)).settled();
      expect(outcome).toMatchObject({ status: "failed", error: { code: "INVALID_VALUES" } });
      expect(await thread.values()).toEqual({ foreign: { secret: 1 }, topic: "coffee" });
    });

    test("a head that breaks it fails the run with INVALID_VALUES before the agent runs", async () => {
      const { engine } = await setUp(kind, { agents: [chat, scripted] });
      const thread = await engine.threads.create({ values: { messages: [{ role: "robot", text: "x" }] } });
      const outcome = await (await thread.start(chat, null)).settled();
      expect(outcome).toMatchObject({ status: "failed", error: { code: "INVALID_VALUES" } });
      expect(outcome.status === "failed" && outcome.error.message).toContain("values.messages[0].role");
      expect(await thread.info()).toMatchObject({ status: "error" });
      script = () => ({ values: { messages: [] } });
      await (await thread.start(scripted, null)).result();
      expect((await (await thread.start(chat, null)).settled()).status).toBe("succeeded");
    });

    test("what others changed since is looked at anew, also where it was right before", async () => {
      const strict = defineAgent({
        name: "strict",
        values: z.object({ n: z.number(), kept: z.string() }),
        run: ({ values }) => ({ output: values.n }),
      });
      const { engine } = await setUp(kind, { agents: [strict, scripted] });
      const thread = await engine.threads.create({ values: { n: 1, kept: "x" } });
      const edits = [
        [{ n: 2 }, "succeeded"],
        [{ n: "two" }, "failed"],
        [{ n: 3, other: [] }, "succeeded"],
        [{ kept: REMOVE }, "failed"],
        [{ kept: "y", other: REMOVE }, "succeeded"],
      ] as const;
      for (const [values, status] of edits) {
        script = () => ({ values });
        await (await thread.start(scripted, null)).result();
        const outcome = await (await thread.start(strict, null)).settled();
        expect(outcome.status, JSON.stringify(values)).toBe(status);
        if (outcome.status === "failed") expect(outcome.error.code).toBe("INVALID_VALUES");
      }
    });

    test("a schema that transforms is refused", async () => {
      const odd = defineAgent({
        name: "odd",
        values: z.object({ text: z.string().transform((text) => text.length) }),
        run: () => ({ values: { text: "abc" } as never }),
      });
      const { engine } = await setUp(kind, { agents: [odd] });
      const thread = await engine.threads.create();
      expect(await (await thread.start(odd, null)).settled()).toMatchObject({
        status: "failed",
        error: { code: "INVALID_VALUES" },
      });
    });

    test("a refinement over the whole is asked whenever something in it changed", async () => {
      const budget = defineAgent({
        name: "budget",
        input: z.number(),
        values: z.object({
          plan: z
            .object({ parts: z.array(z.number()) })
            .refine(({ parts }) => parts.reduce((a, b) => a + b, 0) <= 10, "too much")
            .default({ parts: [] }),
        }),
        run: ({ input, values }) => ({ values: { plan: { parts: [...values.plan.parts, input] } } }),
      });
      const { engine } = await setUp(kind, { agents: [budget] });
      const thread = await engine.threads.create();
      await (await thread.start(budget, 6)).result();
      const outcome = await (await thread.start(budget, 5)).settled();
      expect(outcome).toMatchObject({ status: "failed", error: { code: "INVALID_VALUES" } });
      await (await thread.start(budget, 4)).result();
      expect(await thread.values()).toEqual({ plan: { parts: [6, 4] } });
    });
  });

  describe("in the middle of a run", () => {
    test("are written by checkpoint, seen by everyone, and what comes back is what was stored", async () => {
      const { world, thread } = await open({ a: 1 });
      const seen: unknown[] = [];
      const { outcome } = await turn(world, thread.id, async ({ checkpoint, values }) => {
        const own = { list: [1] };
        const next = await checkpoint({ own });
        own.list.push(2);
        seen.push(values, next, await thread.values());
        const third = await checkpoint({ a: REMOVE });
        seen.push(third);
        return { values: { end: true } };
      });
      expect(outcome.status).toBe("succeeded");
      expect(seen).toEqual([
        { a: 1 },
        { a: 1, own: { list: [1] } },
        { a: 1, own: { list: [1] } },
        { own: { list: [1] } },
      ]);
      expect(await thread.values()).toEqual({ own: { list: [1] }, end: true });
      expect((await thread.history()).map(({ kind }) => kind)).toEqual(["final", "mid", "mid", "initial"]);
    });

    test("written without waiting keep their order", async () => {
      const { world, thread } = await open();
      await turn(world, thread.id, async ({ checkpoint, emit }) => {
        await Promise.all([checkpoint({ n: 1 }), emit("between"), checkpoint({ n: 2 }), checkpoint({ m: 3 })]);
      });
      expect(await thread.values()).toEqual({ n: 2, m: 3 });
      const history = await thread.history();
      expect(await Promise.all(history.map(({ id }) => thread.valuesAt(id)))).toEqual([
        { n: 2, m: 3 },
        { n: 2, m: 3 },
        { n: 2 },
        { n: 1 },
      ]);
    });

    test("not awaited before the return, they are there before the end", async () => {
      const { world, thread } = await open();
      const { run } = await turn(world, thread.id, ({ checkpoint, emit }) => {
        void checkpoint({ n: 1 });
        void emit("last word");
        return { values: { end: true } };
      });
      expect(await thread.values()).toEqual({ n: 1, end: true });
      expect(
        eventsOf(await read(run.events()).ended)
          .map(({ type }) => type)
          .at(-1),
      ).toBe("run_succeeded");
    });

    test.each(["failed", "canceled"] as const)("stay when the run %s", async (how) => {
      const worker = handDriven();
      const { engine } = await setUp(kind, { agents: [worker.agent] });
      const thread = await engine.threads.create({ values: { start: true } });
      const run = await thread.start(worker.agent, null);
      const { context, fail } = await worker.next();
      await context.checkpoint({ half: true });
      if (how === "canceled") await run.cancel();
      fail(new Error("boom"));
      expect((await run.settled()).status).toBe(how);
      expect(await thread.values()).toEqual({ start: true, half: true });
      expect(await run.values()).toEqual({ start: true, half: true });
    });

    test("tell which keys changed", async () => {
      const { world, thread } = await open({ a: 1, b: 2 });
      const { run } = await turn(world, thread.id, async ({ checkpoint }) => {
        await checkpoint({ a: 5, b: 2, c: 1 });
        return { values: { b: REMOVE } };
      });
      const updates = eventsOf(await read(run.events()).ended).filter(({ type }) => type === "values_updated");
      const history = await thread.history();
      expect(updates.map(({ payload }) => payload)).toEqual([
        { checkpointId: history[1]?.id, changedKeys: ["a", "c"] },
        { checkpointId: history[0]?.id, changedKeys: ["b"] },
      ]);
    });
  });

  describe("of a stateless run", () => {
    test("are its own: they start from the defaults, can be read on it, and go with it", async () => {
      const counter = defineAgent({
        name: "counter",
        values: z.object({ count: z.number().default(10) }),
        retry: { maxFailures: 2, jitter: "none", delay: 1 },
        run: async ({ values, checkpoint, attempt }) => {
          await checkpoint({ count: values.count + 1 });
          if (attempt === 1) throw new Error("once");
          return { output: values.count, values: { count: values.count + 100 } };
        },
      });
      const { engine, runUntilIdle } = await setUp(kind, { agents: [counter] });
      const [a, b] = [await engine.runs.start(counter, null), await engine.runs.start(counter, null)];
      await runUntilIdle();
      expect([await a.result(), await b.result()]).toEqual([11, 11]);
      expect(await a.values()).toEqual({ count: 111 });
      await a.delete();
      await refusal("RUN_NOT_FOUND", () => a.values());
      expect(await b.values()).toEqual({ count: 111 });
      expect(await engine.threads.count({ archived: "any" })).toBe(0);
    });
  });
});
