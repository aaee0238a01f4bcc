import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { HeddleError } from "../errors.js";
import { applyDelta } from "./delta.js";
import { copyJson, type Json, type JsonObject, jsonBytes } from "./json.js";
import { REMOVE, type Reconciled, type ReconcileOptions, reconcile } from "./reconcile.js";
import { valuesSchema } from "./values-schema.js";

const free = { schema: valuesSchema(undefined) };
const tree = (value: unknown): JsonObject => copyJson(value, "values") as JsonObject;
const clone = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value)) as Value;

/** Reconciles and checks what must hold of every result. */
function checked(base: JsonObject, next: Record<string, unknown>, options: ReconcileOptions = free): Reconciled {
  const before = JSON.stringify(base);
  const result = reconcile(base, next, options);
  expect(JSON.stringify(base)).toBe(before);
  const rebuilt = applyDelta(base, clone(result.delta));
  expect(JSON.stringify(rebuilt)).toBe(JSON.stringify(result.tree));
  expect(result.bytes).toBe(jsonBytes(result.tree));
  expect(result.sizeChange).toBe(result.bytes - jsonBytes(base));
  expect(result.delta.length === 0).toBe(result.tree === base);
  return result;
}

function error(work: () => unknown): HeddleError {
  try {
    work();
  } catch (caught) {
    if (HeddleError.is(caught)) return caught;
    throw caught;
  }
  throw new Error("did not throw");
}

const messages = (...ids: number[]) => ids.map((id) => ({ id, text: `message ${id}` }));
const chat = tree({ messages: messages(1, 2, 3, 4), title: "t", profile: { name: "n", tags: ["a", "b"] } });
const old = chat["messages"] as readonly JsonObject[];

describe("top-level keys", () => {
  it("replaces what is named and keeps the rest", () => {
    const { tree, changedKeys, delta } = checked(chat, { title: "u", messages: undefined });
    expect(tree).toEqual({ ...chat, title: "u" });
    expect(tree["messages"]).toBe(chat["messages"]);
    expect(changedKeys).toEqual(["title"]);
    expect(delta).toEqual([["=", ["title"], "u"]]);
  });

  it("removes only explicitly", () => {
    const { tree, changedKeys, delta } = checked(chat, { title: REMOVE, none: REMOVE });
    expect(tree).toEqual({ messages: chat["messages"], profile: chat["profile"] });
    expect(changedKeys).toEqual(["title"]);
    expect(delta).toEqual([["-", ["title"]]]);
    expect(error(() => reconcile(chat, { profile: { name: REMOVE } }, free)).code).toBe("INVALID_JSON");
  });

  it("returns the base when nothing changed", () => {
    const { tree, changedKeys } = checked(chat, { ...chat, profile: clone(chat["profile"]) });
    expect(tree).toBe(chat);
    expect(changedKeys).toEqual([]);
  });

  it("starts from nothing", () => {
    const result = reconcile(undefined, { a: 1, b: [] }, free);
    expect(result).toMatchObject({ tree: { a: 1, b: [] }, changedKeys: ["a", "b"], bytes: 14 });
    expect(applyDelta(tree({}), clone(result.delta))).toEqual({ a: 1, b: [] });
  });

  it("takes __proto__ as a key like any other", () => {
    const hostile = JSON.parse('{"__proto__":{"polluted":1},"a":{"__proto__":[1]}}') as Record<string, unknown>;
    const once = checked(chat, hostile).tree;
    const twice = checked(
      once,
      JSON.parse('{"__proto__":{"polluted":2},"a":{"__proto__":[1,2]}}') as Record<string, unknown>,
    );
    expect(Object.getPrototypeOf(twice.tree)).toBe(Object.prototype);
    expect(JSON.stringify(twice.tree)).toContain('"__proto__":{"polluted":2}');
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it.each<[string, unknown, string, string]>([
    ["an array", [], "values", "no plain object"],
    ["null", null, "values", "no plain object"],
    ["a class", new Map(), "values", "no plain object"],
    [
      "a getter of a bigint",
      Object.defineProperty({}, "a", { get: () => 1n, enumerable: true }),
      "values.a",
      "a bigint",
    ],
    ["what is no JSON", { title: [1n] }, "values.title[0]", "a bigint"],
  ])("refuses %s as values, by identity or by value", (_name, next, path, what) => {
    for (const identity of [true, false]) {
      const wrong = error(() => reconcile(chat, next as Record<string, unknown>, { ...free, identity }));
      expect(wrong).toMatchObject({ code: "INVALID_JSON", details: { path, what } });
    }
  });
});

describe("what is stored", () => {
  it.each<[string, Record<string, unknown>, unknown]>([
    ["append", { messages: [...old, ...messages(5)] }, [["~", ["messages"], 4, 0, messages(5)]]],
    [
      "window",
      { messages: [...old.slice(1), ...messages(5)] },
      [
        ["~", ["messages"], 0, 1, []],
        ["~", ["messages"], 3, 0, messages(5)],
      ],
    ],
    ["prepend", { messages: [...messages(0), ...old] }, [["~", ["messages"], 0, 0, messages(0)]]],
    ["removal", { messages: [old[0], old[3]] }, [["~", ["messages"], 1, 2, []]]],
    [
      "edit of an element",
      { messages: [old[0], { ...old[1], text: "x" }, old[2], old[3]] },
      [["=", ["messages", 1, "text"], "x"]],
    ],
    [
      "edit of the last and append",
      { messages: [...old.slice(0, 3), { ...old[3], more: 1 }, ...messages(5)] },
      [
        ["=", ["messages", 3, "more"], 1],
        ["~", ["messages"], 4, 0, messages(5)],
      ],
    ],
    [
      "nested edits",
      { profile: { name: "m", tags: ["a", "c", "b"] } },
      [
        ["=", ["profile", "name"], "m"],
        ["~", ["profile", "tags"], 1, 0, ["c"]],
      ],
    ],
    ["removed nested key", { profile: { name: "n" } }, [["-", ["profile", "tags"]]]],
    ["nested undefined", { profile: { name: "n", tags: undefined } }, [["-", ["profile", "tags"]]]],
    ["nothing left of it", { profile: { other: 1 } }, [["=", ["profile"], { other: 1 }]]],
    ["emptied", { messages: [] }, [["=", ["messages"], []]]],
    [
      "another kind",
      { profile: [1], title: { a: 1 } },
      [
        ["=", ["profile"], [1]],
        ["=", ["title"], { a: 1 }],
      ],
    ],
  ])("%s", (_name, next, delta) => {
    expect(checked(chat, next).delta).toEqual(delta);
    expect(checked(chat, clone(next), { ...free, identity: false }).delta).toEqual(
      next["profile"] ? checked(chat, next).delta : delta,
    );
  });

  const long = "x".repeat(64);
  it.each<[string, Json[], (kept: readonly Json[]) => Json[], unknown]>([
    [
      "elements of no likeness are spliced",
      [1, { a: 1 }],
      ([, kept]) => [2, kept as Json],
      [["~", ["list"], 0, 1, [2]]],
    ],
    [
      "elements beside one that is alike stay in their places",
      [1, { a: 1, b: 1 }],
      () => [2, { a: 2, b: 1 }],
      [
        ["=", ["list", 0], 2],
        ["=", ["list", 1, "a"], 2],
      ],
    ],
    ["a container for a text", [{ a: 1 }], () => ["b"], [["=", ["list"], ["b"]]]],
    ["a number for a long text", [long], () => [1], [["=", ["list"], [1]]]],
  ])("in lists: %s", (_name, list, next, delta) => {
    for (const identity of [true, false]) {
      const base = tree({ list });
      const edited = next(base["list"] as readonly Json[]);
      expect(checked(base, { list: edited }, { ...free, identity }).delta).toEqual(delta);
    }
  });

  it("a value of any kind in place of one of any other", () => {
    const kinds: Json[] = [null, true, 1, "a", long, [], [1], {}, { a: 1 }, Array(65).fill(1)];
    for (const [from, before] of kinds.entries()) {
      for (const [to, after] of kinds.entries()) {
        const { tree: result, delta } = checked(tree({ value: before }), { value: after });
        expect(result["value"]).toEqual(after);
        expect(delta.length).toBe(from === to ? 0 : 1);
      }
    }
  });

  it("keys stay in their order", () => {
    const base = tree({ profile: { name: "n", age: 1, tags: [] } });
    const { tree: result } = checked(base, { profile: { more: 1, tags: [], name: "m", age: 1 } });
    expect(Object.keys(result["profile"] as JsonObject)).toEqual(["name", "age", "tags", "more"]);
  });

  it("only the end of a long string that grew", () => {
    const text = "x".repeat(64);
    const base = tree({ short: "ab", long: text, list: [text] });
    const { delta } = checked(base, { short: "abc", long: `${text}yz`, list: [`${text}!`] });
    expect(delta).toEqual([
      ["=", ["short"], "abc"],
      ["+", ["long"], "yz"],
      ["+", ["list", 0], "!"],
    ]);
  });

  it("a string cut inside a surrogate pair", () => {
    const half = `${"x".repeat(64)}\ud83d`;
    expect(checked(tree({ text: half }), { text: `${half}\ude00` }).delta).toEqual([["+", ["text"], "\ude00"]]);
  });
});

describe("sharing", () => {
  it("keeps every element that stayed, by identity or by value", () => {
    const edited = checked(chat, { messages: [...old.slice(1, 3), { ...old[3], text: "x" }, ...messages(5)] }).tree;
    expect((edited["messages"] as Json[])[0]).toBe(old[1]);
    const whole = checked(chat, { messages: clone([...old, { id: 5 }]) }, { ...free, identity: false }).tree;
    expect((whole["messages"] as Json[]).slice(0, 4).every((message, index) => message === old[index])).toBe(true);
    const copied = checked(chat, { messages: clone(old) }).tree;
    expect(copied).toBe(chat);
  });

  it("keeps what was copied beside an edit", () => {
    const base = tree({ list: [{ id: 1 }, { id: 2, n: 1, empty: {} }], profile: { none: [], name: "n" } });
    const next = { list: [{ id: 1 }, { id: 2, n: 2, empty: {} }], profile: { none: [], name: "m" } };
    const { tree: result, delta } = checked(base, next);
    expect((result["list"] as Json[])[0]).toBe((base["list"] as Json[])[0]);
    expect((result["profile"] as JsonObject)["none"]).toBe((base["profile"] as JsonObject)["none"]);
    expect(delta).toEqual([
      ["=", ["list", 1, "n"], 2],
      ["=", ["profile", "name"], "m"],
    ]);
  });

  it("never keeps or freezes the caller's objects", () => {
    const mine = { id: 5, tags: ["x"] };
    const { tree } = checked(chat, { messages: [...old, mine] });
    mine.tags.push("y");
    expect((tree["messages"] as Json[])[4]).toEqual({ id: 5, tags: ["x"] });
    expect(Object.isFrozen((tree["messages"] as Json[])[4])).toBe(true);
  });

  it("does not look into what stayed", () => {
    const untouched = tree({ big: { a: 1 }, list: [{ b: 1 }] });
    const traps = { ownKeys: () => expect.unreachable(), get: () => expect.unreachable() };
    const big = new Proxy(untouched["big"] as object, traps);
    const guarded = Object.freeze({ big, list: [new Proxy({}, traps)], nested: Object.freeze({ big, n: 1 }) });
    const next = { list: [...guarded.list, 1], big, nested: { big, n: 2 } };
    const { tree: result } = reconcile(guarded as unknown as JsonObject, next, {
      ...free,
      baseBytes: 40,
      maxBytes: 1000,
    });
    expect(result["big"]).toBe(big);
    expect((result["nested"] as JsonObject)["big"]).toBe(big);
  });
});

describe("validation by parts", () => {
  const parsed: unknown[] = [];
  const Message = z.object({
    role: z.enum(["user", "assistant"]),
    text: z.string().refine((text) => parsed.push(text) > 0),
    n: z.number().default(0),
  });
  const schema = valuesSchema(
    z.object({
      messages: z.array(Message).max(4).default([]),
      title: z.string().optional(),
      id: z.string(),
      strict: z.strictObject({ a: z.number().optional() }).optional(),
    }),
  );
  const base = tree({ messages: [{ role: "user", text: "one", n: 1 }], id: "x", theirs: { b: 1 }, strict: {} });
  const first = (base["messages"] as readonly JsonObject[])[0] as JsonObject;

  it("validates only what is new and fills nested defaults", () => {
    parsed.length = 0;
    const { tree } = checked(base, { messages: [first, { role: "assistant", text: "two", x: 1 }] }, { schema });
    expect(parsed).not.toContain("one");
    expect(tree["messages"]).toEqual([first, { role: "assistant", text: "two", n: 0 }]);
    expect(tree["theirs"]).toBe(base["theirs"]);
  });

  it("validates only the edited property of an element", () => {
    parsed.length = 0;
    checked(base, { messages: [{ ...first, role: "assistant" }] }, { schema });
    expect(parsed).toEqual([]);
    const { tree } = checked(base, { messages: [{ role: "user", text: "one" }] }, { schema });
    expect(tree["messages"]).toEqual([{ ...first, n: 0 }]);
  });

  it("strips unknown keys from an edited object, and takes out what was left out", () => {
    const loose = tree({ profile: { name: "n", nick: "k" } });
    const options = {
      schema: valuesSchema(z.object({ profile: z.object({ name: z.string(), nick: z.string().optional() }) })),
    };
    const { delta } = checked(loose, { profile: { name: "m", other: 1 } }, options);
    expect(delta).toEqual([["=", ["profile"], { name: "m" }]]);
    expect(checked(loose, { profile: { name: "n", other: 1 } }, options).delta).toEqual([["-", ["profile", "nick"]]]);
  });

  it("leaves what stayed as it is, though the schema would have it otherwise by now", () => {
    const stored = tree({ profile: { name: "n", legacy: { a: 1 }, count: "1" }, words: ["A", "B"] });
    const profile = z.object({ name: z.string(), count: z.number().optional() });
    const words = z.array(z.string().lowercase()).refine(() => true);
    const options = { schema: valuesSchema(z.object({ profile, words })) };
    const { delta } = checked(
      stored,
      { profile: { ...(stored["profile"] as object), name: "m" }, words: ["A", "B"] },
      options,
    );
    expect(delta).toEqual([["=", ["profile", "name"], "m"]]);
    expect(error(() => reconcile(stored, { words: ["A", "C"] }, options)).code).toBe("INVALID_VALUES");
  });

  it("takes what the schema makes the same again for unchanged", () => {
    const options = { schema: valuesSchema(z.object({ title: z.string().trim() })) };
    const start = tree({ title: "t" });
    expect(checked(start, { title: " t " }, options).tree).toBe(start);
  });

  it("validates the parts of a record that changed", () => {
    const options = { schema: valuesSchema(z.object({ scores: z.record(z.string(), z.number()) })) };
    const start = tree({ scores: { a: 1, b: 2 } });
    expect(checked(start, { scores: { a: 1, c: 3 } }, options).tree).toEqual({ scores: { a: 1, c: 3 } });
    expect(error(() => reconcile(start, { scores: { a: "x" } }, options)).details["path"]).toBe("values.scores.a");
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      "a new element",
      { messages: [first, { role: "robot", text: "a" }] },
      /^values\.messages\[1\]\.role: Invalid option/,
    ],
    ["an edited element", { messages: [{ ...first, text: 1 }] }, /^values\.messages\[0\]\.text: Invalid input/],
    ["an absent property", { messages: [{ role: "user" }] }, /^values\.messages\[0\]\.text: Invalid input/],
    ["the length", { messages: [first, first, first, first, first] }, /^values\.messages: Too big/],
    ["the kind", { messages: {} }, /^values\.messages: Invalid input/],
    ["an unknown key", { theirs: { b: 2 } }, /^values\.theirs: the values schema does not know/],
    ["removal of an unknown key", { theirs: REMOVE }, /^values\.theirs: the values schema does not know/],
    ["removal of a required key", { id: REMOVE }, /^values\.id: Invalid input/],
    ["a strict object", { strict: { b: 1 } }, /^values\.strict\.b: the values schema does not know/],
  ])("refuses %s", (_name, next, message) => {
    const wrong = error(() => reconcile(base, next, { schema }));
    expect(wrong.code).toBe("INVALID_VALUES");
    expect(wrong.message).toMatch(message);
    expect(wrong.message.startsWith(`${wrong.details["path"]}: `)).toBe(true);
  });

  it("allows removing what has a default or is optional", () => {
    expect(checked(base, { messages: REMOVE, title: REMOVE }, { schema }).tree).toEqual({
      id: "x",
      theirs: { b: 1 },
      strict: {},
    });
  });

  it("validates what does not come apart whole, and stores the difference", () => {
    const refined = valuesSchema(
      z.object({ list: z.array(z.object({ id: z.number() })).refine((list) => list.length < 4) }),
    );
    const start = tree({ list: [{ id: 1 }, { id: 2 }] });
    const { delta, tree: result } = checked(
      start,
      { list: [...(start["list"] as Json[]).slice(1), { id: 3, x: 1 }] },
      { schema: refined },
    );
    expect(delta).toEqual([
      ["~", ["list"], 0, 1, []],
      ["~", ["list"], 1, 0, [{ id: 3 }]],
    ]);
    expect((result["list"] as Json[])[0]).toBe((start["list"] as Json[])[1]);
    expect(error(() => reconcile(start, { list: [1, 2, 3, 4].map((id) => ({ id })) }, { schema: refined })).code).toBe(
      "INVALID_VALUES",
    );
  });

  it("validates a refined root with everything visible", () => {
    const refined = valuesSchema(
      z.object({ a: z.number(), b: z.number().default(5), l: z.array(z.number()).optional() }).refine((v) => v.a < v.b),
    );
    const start = tree({ a: 1, theirs: 1, l: [1, 2] });
    expect(checked(start, { a: 4, l: [1, 2, 3] }, { schema: refined }).delta).toEqual([
      ["=", ["a"], 4],
      ["~", ["l"], 2, 0, [3]],
    ]);
    expect(error(() => reconcile(start, { a: 6 }, { schema: refined })).code).toBe("INVALID_VALUES");
    expect(error(() => reconcile(start, { a: REMOVE }, { schema: refined })).message).toMatch(/^values\.a/);
    expect(error(() => reconcile(start, { theirs: 2 }, { schema: refined })).message).toMatch(/^values\.theirs/);
    expect(checked(start, { l: REMOVE }, { schema: refined }).tree).toEqual({ a: 1, theirs: 1 });
  });
});

describe("hostile values", () => {
  it.each<[string, unknown, string]>([
    ["undefined element", [...old, undefined], "values.messages[4]"],
    ["function in an element", [...old, { id: () => 1 }], "values.messages[4].id"],
    [
      "getter of a function in an edited element",
      [Object.defineProperty({ ...old[0] }, "text", { get: () => () => {}, enumerable: true }), ...old.slice(1)],
      "values.messages[0].text",
    ],
    [
      "getter that throws in an edited element",
      [
        Object.defineProperty({ ...old[0] }, "text", {
          get: () => {
            throw new Error("no");
          },
          enumerable: true,
        }),
        ...old.slice(1),
      ],
      "values.messages[0].text",
    ],
    ["class in place of an element", [new Date(0), ...old.slice(1)], "values.messages[0]"],
    ["undefined beside an edited element", [undefined, { ...old[1], text: "x" }], "values.messages[0]"],
  ])("%s", (_name, list, path) => {
    for (const identity of [true, false]) {
      const wrong = error(() => reconcile(chat, { messages: list }, { ...free, identity }));
      expect(wrong).toMatchObject({ code: "INVALID_JSON", details: { path } });
    }
  });

  it("a getter is read once, as any other property", () => {
    for (const identity of [true, false]) {
      let reads = 0;
      const edited = Object.defineProperty({ ...old[0] }, "text", { get: () => `read ${++reads}`, enumerable: true });
      const { tree } = reconcile(chat, { messages: [edited, ...old.slice(1)] }, { ...free, identity });
      expect(tree["messages"]).toEqual([{ ...old[0], text: "read 1" }, ...old.slice(1)]);
      expect(reads).toBe(1);
    }
  });

  it("a cycle through the base", () => {
    const loop: Record<string, unknown> = { ...(chat["profile"] as object) };
    loop["name"] = loop;
    expect(error(() => reconcile(chat, { profile: loop }, free)).code).toBe("INVALID_JSON");
  });
});

describe("size", () => {
  it("refuses growth beyond the limit, and only growth", () => {
    const wrong = error(() => reconcile(chat, { title: "longer" }, { ...free, maxBytes: 100 }));
    expect(wrong).toMatchObject({ code: "TOO_LARGE", details: { limit: 100, what: "values" } });
    expect(reconcile(chat, { title: "" }, { ...free, maxBytes: 100 }).tree["title"]).toBe("");
    expect(reconcile(chat, { title: "longer" }, { ...free, baseBytes: 10, maxBytes: 15 }).bytes).toBe(15);
    expect(error(() => reconcile(chat, { title: "longer" }, { ...free, baseBytes: 10, maxBytes: 14 })).code).toBe(
      "TOO_LARGE",
    );
    expect(reconcile(chat, { title: "u" }, { ...free, baseBytes: 10, maxBytes: 9 }).tree["title"]).toBe("u");
  });
});

describe("properties", () => {
  const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>;
  const pool = tree({ list: messages(...Array(12).keys()) })["list"] as readonly Json[];
  const element = fc.oneof(fc.constantFrom(...pool), json, fc.constantFrom<Json>("y".repeat(70), "y".repeat(70) + "z"));
  const key = fc.constantFrom("a", "b", "c", "__proto__", "1");
  const value = fc.oneof(
    json,
    fc.array(element, { maxLength: 15 }),
    fc.dictionary(key, fc.oneof(element, fc.array(element)), { maxKeys: 4 }),
  );
  const state = fc.dictionary(key, value, { maxKeys: 4 });

  function expected(base: JsonObject, next: Record<string, unknown>): unknown {
    const merged = new Map<string, unknown>(Object.entries(base));
    for (const name of Object.keys(next)) {
      if (next[name] === REMOVE) merged.delete(name);
      else if (next[name] !== undefined) merged.set(name, next[name]);
    }
    return clone(Object.fromEntries(merged));
  }

  it("the tree is the base with the named keys replaced, and the delta makes it", () => {
    const named = fc.dictionary(key, fc.oneof(value, fc.constantFrom(undefined, REMOVE)), { maxKeys: 4 });
    fc.assert(
      fc.property(state, named, fc.boolean(), (base, next, identity) => {
        const from = tree(base);
        const result = checked(from, next, { ...free, identity });
        expect(result.tree).toEqual(expected(from, next));
      }),
      { numRuns: 1000 },
    );
  });

  it("holds along a thread whose turns edit what they were handed", () => {
    type Edit = (list: Json[], at: number, element: Json) => Json[];
    const edits: Edit[] = [
      (list, _at, element) => [...list, element],
      (list, at) => list.slice(at),
      (list, at, element) => list.with(at, element),
      (list, at, element) => [...list.slice(0, at), element, ...list.slice(at + 1)],
      (list, at, element) => [element, ...list.slice(at)],
      (list, at, element) =>
        list.map((each, index) => (index === at ? { ...(Object(each) as object), edited: element } : each)) as Json[],
      (list) => [...list].reverse(),
    ];
    const turn = fc.tuple(fc.constantFrom(...edits), fc.nat(20), element, fc.boolean());
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 25 }), (turns) => {
        let now = reconcile(undefined, { list: [...pool] }, free);
        for (const [edit, at, each, identity] of turns) {
          const before = now.tree["list"] as Json[];
          const list = before.length === 0 ? [each] : edit(before, at % before.length, each);
          const next = checked(now.tree, { list }, { ...free, identity, baseBytes: now.bytes });
          expect(next.tree["list"]).toEqual(clone(list));
          now = next;
        }
      }),
    );
  });
});
