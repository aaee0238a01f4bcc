/** Whatever is handed in, every public entry answers with a typed error that names the field, and changes nothing. */

import { createEngine, defineAgent, errorCodes, HeddleError, memoryStorage } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { handDriven } from "./hand-driven.js";
import type { World } from "./set-up.js";
import { failure, refusal, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const noObjects = [null, 5, "text", true, Symbol("s"), [1]];
const noText = [null, 5, {}, [], Symbol("s"), () => {}];
const noNumbers = ["5", null, Number.NaN, -1, {}, Symbol("s"), 10n];
const noIds = ["", "x".repeat(256), "nul\u0000", "half \ud800", ...noText];
const noText255 = noIds.filter((id) => id !== null);

/** `calls` per value, all refused with one of `codes` and, where given, naming `field`. */
async function allRefused(
  values: readonly unknown[],
  codes: readonly string[],
  field: string | undefined,
  call: (value: never) => unknown,
) {
  for (const value of values) {
    const error = await failure(() => call(value as never));
    const shown = `${String(value)} (${typeof value}): ${String(error)}`;
    expect(HeddleError.is(error), shown).toBe(true);
    expect(codes, shown).toContain((error as HeddleError).code);
    if (field !== undefined) expect((error as HeddleError).details.field, shown).toBe(field);
  }
}

onEveryStorage("bad input", (kind) => {
  async function guarded() {
    const worker = handDriven();
    const world = await setUp(kind, { agents: [worker.agent] });
    const thread = await world.engine.threads.create({ id: "kept", metadata: { a: 1 }, values: { n: 1 } });
    const run = await world.engine.runs.start(worker.agent, "kept");
    const turn = await worker.next();
    const before = await everything(world);
    /** Nothing of all that changed anything, and the engine works. */
    const unharmed = async () => {
      expect(await everything(world)).toEqual(before);
      turn.finish({ output: "fine" });
      expect(await run.result()).toBe("fine");
    };
    return { ...world, worker, thread, run, turn, unharmed };
  }

  async function everything({ engine }: World) {
    const threads = (await engine.threads.list({ archived: "any" })).items;
    return {
      threads,
      runs: (await engine.runs.list()).items,
      values: await (await engine.threads.get("kept")).values(),
    };
  }

  test("of a start", async () => {
    const { engine, worker, thread, unharmed } = await guarded();
    const { agent } = worker;
    const start = (options: object) => engine.runs.start(agent, null, options);
    await allRefused(noObjects, ["UNKNOWN_AGENT"], undefined, (value) => engine.runs.start(value, null as never));
    await allRefused([{ name: "nobody" }, { name: 5 }, {}, undefined], ["UNKNOWN_AGENT"], undefined, (value) =>
      engine.runs.start(value, null as never),
    );
    await allRefused(
      [1n, Symbol("s"), () => {}, { n: Number.NaN }, new Date(), new Map(), new (class Odd {})()],
      ["INVALID_JSON"],
      undefined,
      (value) => engine.runs.start(agent, value),
    );
    await allRefused(noObjects, ["INVALID_ARGUMENT"], "options", (value) => engine.runs.start(agent, null, value));
    await allRefused(noNumbers, ["INVALID_ARGUMENT"], "delay", (delay) => start({ delay }));
    await allRefused([...noNumbers, 0], ["INVALID_ARGUMENT"], "deadline", (deadline) => start({ deadline }));
    await allRefused([...noNumbers, 0], ["INVALID_ARGUMENT"], "attemptTimeout", (attemptTimeout) =>
      start({ attemptTimeout }),
    );
    await allRefused(
      ["1", null, 1.5, Number.NaN, 2 ** 31, -(2 ** 31), {}],
      ["INVALID_ARGUMENT"],
      "priority",
      (priority) => start({ priority }),
    );
    await allRefused(noText255, ["INVALID_ID"], "idempotency key", (idempotencyKey) => start({ idempotencyKey }));
    await allRefused(["keep it", 5, null], ["INVALID_ARGUMENT"], "onCompletion", (onCompletion) =>
      start({ onCompletion }),
    );
    await allRefused(["wait", 5, null], ["INVALID_ARGUMENT"], "whenBusy", (whenBusy) =>
      thread.start(agent, null, { whenBusy }),
    );
    await allRefused(["make", 5, null], ["INVALID_ARGUMENT"], "ifNotExists", (ifNotExists) =>
      thread.start(agent, null, { ifNotExists }),
    );
    await allRefused(noObjects, ["INVALID_ARGUMENT"], "retry", (retry) => start({ retry }));
    await allRefused([...noNumbers, 0], ["INVALID_ARGUMENT"], "retry.maxFailures", (maxFailures) =>
      start({ retry: { maxFailures } }),
    );
    await allRefused([...noNumbers, 0], ["INVALID_ARGUMENT"], "retry.maxCrashes", (maxCrashes) =>
      start({ retry: { maxCrashes } }),
    );
    await allRefused(noNumbers, ["INVALID_ARGUMENT"], "retry.delay", (delay) => start({ retry: { delay } }));
    await allRefused([...noNumbers, 0.5], ["INVALID_ARGUMENT"], "retry.factor", (factor) =>
      start({ retry: { factor } }),
    );
    await allRefused(noNumbers, ["INVALID_ARGUMENT"], "retry.maxDelay", (maxDelay) => start({ retry: { maxDelay } }));
    await allRefused(["half", 5, null], ["INVALID_ARGUMENT"], "retry.jitter", (jitter) => start({ retry: { jitter } }));
    await allRefused([1n, () => {}], ["INVALID_JSON"], undefined, (config) => start({ config }));
    await allRefused(noObjects, ["INVALID_ARGUMENT", "INVALID_JSON"], undefined, (metadata) => start({ metadata }));
    await allRefused([{ n: 1n }, { f: () => {} }, { n: Number.NaN }], ["INVALID_JSON"], undefined, (metadata) =>
      start({ metadata }),
    );
    await allRefused(
      [{ t: "nul\u0000" }, { "half\ud800": 1 }, { deep: { "nul\u0000": [1] } }, { deep: ["\udc00"] }],
      ["INVALID_ARGUMENT"],
      undefined,
      (metadata) => start({ metadata }),
    );
    await allRefused([{ big: "x".repeat(17_000) }], ["TOO_LARGE"], undefined, (metadata) => start({ metadata }));
    await unharmed();
  });

  test("of many starts and many cancels", async () => {
    const { engine, worker, unharmed } = await guarded();
    await allRefused([null, undefined, 5, "text", {}], ["INVALID_ARGUMENT"], "starts", (starts) =>
      engine.runs.startMany(starts),
    );
    await allRefused(noObjects, ["INVALID_ARGUMENT", "UNKNOWN_AGENT"], undefined, (start) =>
      engine.runs.startMany([{ agent: worker.agent, input: 1 }, start]),
    );
    await allRefused(noText255, ["INVALID_ID"], "thread id", (threadId) =>
      engine.runs.startMany([{ agent: worker.agent, input: 1, threadId }]),
    );
    await allRefused([null, undefined, 5, "text"], ["INVALID_ARGUMENT"], "filter", (filter) =>
      engine.runs.cancelMany(filter),
    );
    await allRefused(noNumbers, ["INVALID_ARGUMENT"], "grace", (grace) =>
      engine.runs.cancelMany({ ids: ["none"] }, { grace }),
    );
    await unharmed();
  });

  test("of a run", async () => {
    const { engine, run, unharmed } = await guarded();
    await allRefused([...noIds, undefined, "run_none"], ["RUN_NOT_FOUND"], undefined, (id) => engine.runs.get(id));
    await allRefused([...noIds, undefined], ["RUN_NOT_FOUND"], undefined, (id) => engine.runs.cancel(id));
    await allRefused([...noIds, undefined], ["RUN_NOT_FOUND"], undefined, (id) => engine.runs.delete(id));
    await allRefused(noNumbers, ["INVALID_ARGUMENT"], "grace", (grace) => run.cancel({ grace }));
    await allRefused([5, {}, null, Symbol("s")], ["INVALID_ARGUMENT"], "note", (note) => run.cancel({ note }));
    await allRefused(noObjects, ["INVALID_ARGUMENT"], "options", (options) => run.cancel(options));
    await allRefused([-1, 1.5, "1", null, Number.NaN], ["INVALID_ARGUMENT"], "after", (after) =>
      run.events({ after }).next(),
    );
    await allRefused([99], ["CURSOR_EXPIRED"], undefined, (after) => run.events({ after }).next());
    await allRefused([{}, 5, "now", null], ["INVALID_ARGUMENT"], "signal", (signal) => run.result({ signal }));
    await allRefused([{}, 5, "now", null], ["INVALID_ARGUMENT"], "signal", (signal) => run.events({ signal }).next());
    await allRefused(["stop", 5, null], ["INVALID_ARGUMENT"], "onDisconnect", (onDisconnect) =>
      run.settled({ onDisconnect }),
    );
    await allRefused(["stop", 5, null], ["INVALID_ARGUMENT"], "onDisconnect", (onDisconnect) =>
      run.events({ onDisconnect }).next(),
    );
    await unharmed();
  });

  test("of a thread's creation and lookup", async () => {
    const { engine, unharmed } = await guarded();
    await allRefused(noIds, ["INVALID_ID"], "thread id", (id) => engine.threads.create({ id }));
    await allRefused([...noIds, undefined], ["INVALID_ID"], "thread id", (id) => engine.threads.getOrCreate(id));
    await allRefused([...noIds, undefined, "none"], ["THREAD_NOT_FOUND"], undefined, (id) => engine.threads.get(id));
    await allRefused(noObjects, ["INVALID_ARGUMENT"], "options", (options) => engine.threads.create(options));
    await allRefused(
      [5, {}, Symbol("s"), "x".repeat(1_001), "nul\u0000", "\ud800"],
      ["INVALID_ARGUMENT"],
      "title",
      (title) => engine.threads.create({ title }),
    );
    await allRefused(noObjects, ["INVALID_ARGUMENT", "INVALID_JSON"], undefined, (metadata) =>
      engine.threads.create({ metadata }),
    );
    await allRefused([null, 5, "text", [1], Symbol("s"), new Map()], ["INVALID_JSON"], undefined, (values) =>
      engine.threads.create({ values }),
    );
    await unharmed();
  });

  test("of a thread", async () => {
    const { thread, unharmed } = await guarded();
    await allRefused(noObjects, ["INVALID_ARGUMENT"], "update", (update) => thread.update(update));
    await allRefused([5, {}, "x".repeat(1_001), "\u0000"], ["INVALID_ARGUMENT"], "title", (title) =>
      thread.update({ title }),
    );
    await allRefused(["yes", 1, null], ["INVALID_ARGUMENT"], "archived", (archived) => thread.update({ archived }));
    await allRefused(
      [5, "text", [1], { n: 1n }, { t: "\u0000" }],
      ["INVALID_ARGUMENT", "INVALID_JSON"],
      undefined,
      (metadata) => thread.update({ metadata }),
    );
    await allRefused([{ big: "x".repeat(17_000) }], ["TOO_LARGE"], undefined, (metadata) =>
      thread.update({ metadata }),
    );
    await allRefused(noIds, ["INVALID_ID"], "thread id", (id) => thread.copy({ id }));
    await allRefused([5, {}, "\u0000"], ["INVALID_ARGUMENT"], "title", (title) => thread.copy({ title }));
    await allRefused([...noIds, undefined, "chk_none"], ["CHECKPOINT_NOT_FOUND"], undefined, (id) =>
      thread.valuesAt(id),
    );
    await allRefused(noIds, ["CHECKPOINT_NOT_FOUND"], undefined, (before) => thread.history({ before }));
    await allRefused([0, -1, 1.5, "5", null, Number.NaN], ["INVALID_ARGUMENT"], "limit", (limit) =>
      thread.history({ limit }),
    );
    await allRefused([-1, 1.5, "1", null], ["INVALID_ARGUMENT"], "after", (after) => thread.events({ after }).next());
    await allRefused([{}, 5, null], ["INVALID_ARGUMENT"], "signal", (signal) => thread.events({ signal }).next());
    await unharmed();
  });

  test("of lists and counts", async () => {
    const { engine, unharmed } = await guarded();
    for (const list of [engine.runs.list.bind(engine.runs), engine.threads.list.bind(engine.threads)] as ((
      options: object,
    ) => unknown)[]) {
      await allRefused(noObjects, ["INVALID_ARGUMENT"], "options", (options) => list(options));
      await allRefused([0, -1, 1.5, "5", null, Number.NaN], ["INVALID_ARGUMENT"], "limit", (limit) => list({ limit }));
      await allRefused(["up", 5, null], ["INVALID_ARGUMENT"], "order", (order) => list({ order }));
      await allRefused(["title", 5, null], ["INVALID_ARGUMENT"], "sortBy", (sortBy) => list({ sortBy }));
      await allRefused(
        ["nonsense", "", 5, {}, null, Buffer.from("[1]").toString("base64url")],
        ["INVALID_ARGUMENT"],
        "cursor",
        (cursor) => list({ cursor }),
      );
      await allRefused(["done", 5, null, ["idle", "done"], [5]], ["INVALID_ARGUMENT"], "status", (status) =>
        list({ status }),
      );
      await allRefused([5, "text", {}, null], ["INVALID_ARGUMENT"], "ids", (ids) => list({ ids }));
      await allRefused([5, {}, null], ["INVALID_ARGUMENT"], "agent", (agent) => list({ agent }));
      await allRefused([5, "text", [1]], ["INVALID_ARGUMENT"], "metadata", (metadata) => list({ metadata }));
      await allRefused([{ a: {} }, { a: [1] }, { a: null }], ["INVALID_ARGUMENT"], "metadata.a", (metadata) =>
        list({ metadata }),
      );
    }
    await allRefused([5, {}, Symbol("s")], ["INVALID_ARGUMENT"], "threadId", (threadId) =>
      engine.runs.list({ threadId }),
    );
    await allRefused(["yes", 5, null], ["INVALID_ARGUMENT"], "archived", (archived) =>
      engine.threads.list({ archived }),
    );
    await allRefused([5, "text"], ["INVALID_ARGUMENT"], "filter", (filter) => engine.runs.count(filter));
    await allRefused([5, "text"], ["INVALID_ARGUMENT"], "filter", (filter) => engine.threads.count(filter));
    const { nextCursor } = await engine.threads.list({ limit: 1 });
    expect(nextCursor).toBeUndefined();
    await engine.threads.create({ id: "second" });
    const page = await engine.threads.list({ limit: 1 });
    await refusal("INVALID_ARGUMENT", () =>
      engine.threads.list({ limit: 1, order: "asc", cursor: page.nextCursor ?? "" }),
    );
    await (await engine.threads.get("second")).delete();
    await unharmed();
  });

  test("hostile text in a search finds what equals it, and nothing else", async () => {
    const { engine } = await setUp(kind);
    const hostile = [
      "'",
      '"',
      "\\",
      "%",
      "_",
      "$.a",
      "a.b",
      "a[0]",
      '"]',
      "'; drop table heddle_threads; --",
      "__proto__",
      "length",
      "ä",
      "a\u0308",
      "😀",
      "",
    ];
    for (const text of hostile) await engine.threads.create({ metadata: { [text]: text } });
    for (const text of hostile) {
      const { items } = await engine.threads.list({ metadata: { [text]: text } });
      expect(
        items.map(({ metadata }) => Object.entries(metadata)),
        JSON.stringify(text),
      ).toEqual([[[text, text]]]);
      expect(await engine.threads.count({ metadata: { [text]: "other" } })).toBe(0);
      expect(await engine.threads.count({ metadata: { other: text } })).toBe(0);
    }
    for (const id of ["'", "%", "a%"]) {
      expect(await engine.threads.count({ ids: [id] })).toBe(0);
      expect(await engine.threads.count({ agent: id })).toBe(0);
      expect(await engine.runs.count({ threadId: id, agent: id })).toBe(0);
    }
  });
});

describe("bad settings and definitions", () => {
  const create = (options: object) => createEngine({ storage: memoryStorage(), ...options });

  test("of an engine are refused by name", async () => {
    await allRefused(
      [...noObjects, undefined, {}, { storage: {} }, { storage: 5 }],
      ["INVALID_ARGUMENT"],
      "storage",
      (options) => createEngine(options),
    );
    for (const field of ["concurrency", "lease", "heartbeat", "poll", "attemptTimeout", "deadline"]) {
      await allRefused([...noNumbers, 0], ["INVALID_ARGUMENT"], field, (value) => create({ [field]: value }));
    }
    for (const field of ["cancelGrace", "closeGrace", "queueBound"]) {
      await allRefused(noNumbers, ["INVALID_ARGUMENT"], field, (value) => create({ [field]: value }));
    }
    await allRefused(["wait", 5, null], ["INVALID_ARGUMENT"], "whenBusy", (whenBusy) => create({ whenBusy }));
    await allRefused(["forget", 5, null], ["INVALID_ARGUMENT"], "retention.statelessRuns", (statelessRuns) =>
      create({ retention: { statelessRuns } }),
    );
    for (const field of ["maxAge", "sweep", "keys"]) {
      await allRefused(noNumbers, ["INVALID_ARGUMENT"], `retention.${field}`, (value) =>
        create({ retention: { [field]: value } }),
      );
    }
    for (const field of [
      "values",
      "event",
      "metadata",
      "input",
      "output",
      "id",
      "page",
      "maxPage",
      "bufferedDeltas",
      "valuesCache",
    ]) {
      await allRefused([...noNumbers, 0], ["INVALID_ARGUMENT"], `limits.${field}`, (value) =>
        create({ limits: { [field]: value } }),
      );
    }
    await allRefused([{ lease: 10, heartbeat: 4 }], ["INVALID_ARGUMENT"], "lease", (options) => create(options));
    const agent = defineAgent({ name: "twice", run: () => {} });
    await allRefused([[agent, agent]], ["INVALID_ARGUMENT"], "agents", (agents) => create({ agents }));
    await allRefused([5, "text", {}, [5], [{ name: "raw" }], [null]], ["INVALID_ARGUMENT"], undefined, (agents) =>
      create({ agents }),
    );
    for (const options of [
      { concurrency: Number.POSITIVE_INFINITY },
      { cancelGrace: Number.POSITIVE_INFINITY },
      { retry: undefined },
      { limits: undefined },
    ])
      create(options);
  });

  test("of an agent are refused by name", async () => {
    const run = () => {};
    await allRefused([...noObjects, undefined], ["INVALID_ARGUMENT"], "name", (definition) => defineAgent(definition));
    await allRefused([...noText, "", "x".repeat(256), "\u0000", "\ud800"], ["INVALID_ARGUMENT"], "name", (name) =>
      defineAgent({ name, run }),
    );
    for (const field of ["input", "values", "output", "config"]) {
      await allRefused([{}, 5, "string", () => {}, { parse: () => {} }], ["INVALID_ARGUMENT"], field, (schema) =>
        defineAgent({ name: "a", run, [field]: schema }),
      );
    }
    await allRefused([undefined, null, 5, {}, "code"], ["INVALID_ARGUMENT"], "run", (code) =>
      defineAgent({ name: "a", run: code }),
    );
    for (const [field, value] of [
      ["whenBusy", "wait"],
      ["onCompletion", "forget"],
      ["attemptTimeout", 0],
      ["deadline", -1],
      ["executor", {}],
    ] as const) {
      await allRefused([value], ["INVALID_ARGUMENT"], field, (bad) =>
        create({ agents: [defineAgent({ name: "a", run, [field]: bad })] }),
      );
    }
    await allRefused([0, "3"], ["INVALID_ARGUMENT"], "retry.maxFailures", (maxFailures) =>
      create({ agents: [defineAgent({ name: "a", run, retry: { maxFailures } })] }),
    );
    expect(defineAgent({ name: "good", input: z.string(), run }).name).toBe("good");
  });

  test("a listener must be a function, and its type one that there is", async () => {
    const engine = create({});
    await allRefused([undefined, null, 5, {}], ["INVALID_ARGUMENT"], "listener", (listener) =>
      engine.on("run_started", listener),
    );
    await allRefused([undefined, null, 5, "run_begun"], ["INVALID_ARGUMENT"], "type", (type) =>
      engine.on(type, () => {}),
    );
  });

  test("every code of an error is one of the closed union, with an HTTP status", () => {
    for (const code of errorCodes) {
      const error = new HeddleError(code, "text");
      expect(error.status).toBeGreaterThanOrEqual(400);
      expect(error.status).toBeLessThan(600);
      expect(HeddleError.is(error, code)).toBe(true);
    }
    for (const no of [null, undefined, 5, "text", {}, new Error("x"), { code: "THREAD_BUSY" }])
      expect(HeddleError.is(no)).toBe(false);
  });
});
