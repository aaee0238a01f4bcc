import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HeddleError } from "../errors.js";
import { applyDelta, applyDeltas, type Delta } from "./delta.js";
import { copyJson, type Json, type JsonObject } from "./json.js";

const tree = (value: unknown): JsonObject => copyJson(value, "values") as JsonObject;

const base = tree({
  messages: [{ id: 1 }, { id: 2 }],
  title: "hi",
  nested: { a: { b: [1, 2, 3] } },
  kept: { big: [1] },
});

describe("applyDelta", () => {
  it.each<[string, Delta, unknown]>([
    ["sets a key", [["=", ["title"], "ho"]], { ...base, title: "ho" }],
    ["adds a key", [["=", ["nested", "c"], null]], { ...base, nested: { a: { b: [1, 2, 3] }, c: null } }],
    ["sets an element", [["=", ["nested", "a", "b", 1], [9]]], { ...base, nested: { a: { b: [1, [9], 3] } } }],
    ["removes a key", [["-", ["nested", "a"]]], { ...base, nested: {} }],
    [
      "appends elements",
      [["~", ["messages"], 2, 0, [{ id: 3 }]]],
      { ...base, messages: [{ id: 1 }, { id: 2 }, { id: 3 }] },
    ],
    [
      "moves a window",
      [
        ["~", ["messages"], 0, 1, []],
        ["~", ["messages"], 1, 0, [{ id: 3 }]],
      ],
      { ...base, messages: [{ id: 2 }, { id: 3 }] },
    ],
    ["appends text", [["+", ["title"], " there"]], { ...base, title: "hi there" }],
    [
      "edits what it inserted",
      [
        ["=", ["x"], { y: [] }],
        ["~", ["x", "y"], 0, 0, [1]],
      ],
      { ...base, x: { y: [1] } },
    ],
  ])("%s", (_name, delta, expected) => {
    const before = JSON.stringify(base);
    const text = JSON.stringify(delta);
    const result = applyDelta(base, JSON.parse(text) as Json);
    expect(result).toEqual(expected);
    expect(result["kept"]).toBe(base["kept"]);
    expect(Object.isFrozen(result) && Object.isFrozen(result["messages"]) && Object.isFrozen(result["nested"])).toBe(
      true,
    );
    expect(JSON.stringify(base)).toBe(before);
  });

  it("leaves the delta's own values as they were", () => {
    const delta: Delta = [
      ["=", ["x"], { y: [] }],
      ["~", ["x", "y"], 0, 0, [1]],
    ];
    const text = JSON.stringify(delta);
    applyDelta(base, delta);
    expect(JSON.stringify(delta)).toBe(text);
  });

  it("sets __proto__ as a plain key", () => {
    const result = applyDelta(
      base,
      JSON.parse('[["=",["__proto__"],{"polluted":1}],["=",["__proto__","polluted"],2]]') as Json,
    );
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
    expect(JSON.stringify(result)).toContain('"__proto__":{"polluted":2}');
  });

  it("returns the base when there is nothing to do", () => {
    expect(applyDelta(base, [])).toBe(base);
    expect(applyDeltas(base, [])).toBe(base);
  });

  it("splices more than the stack holds", () => {
    const many = Array.from({ length: 300_000 }, (_, index) => index);
    const result = applyDelta(base, [["~", ["messages"], 1, 0, many]]);
    expect((result["messages"] as Json[]).length).toBe(300_002);
    expect((result["messages"] as Json[]).at(-1)).toEqual({ id: 2 });
    expect((applyDelta(result, [["~", ["messages"], 0, 2, many]])["messages"] as Json[]).length).toBe(600_000);
  });

  it.each([1_000, 1_001, 1_500])("replaces the middle by %i elements", (count) => {
    const many = Array.from({ length: count }, (_, index) => index);
    const list = tree({ list: ["a", "b", "c", "d"] });
    expect(applyDelta(list, [["~", ["list"], 1, 2, many]])).toEqual({ list: ["a", ...many, "d"] });
    expect(applyDelta(list, [["~", ["list"], 4, 0, many]])).toEqual({ list: ["a", "b", "c", "d", ...many] });
    expect(applyDelta(list, [["~", ["list"], 0, 4, many]])).toEqual({ list: many });
  });

  it("appends text to an element", () => {
    const texts = tree({ texts: ["a", "b"] });
    expect(applyDelta(texts, [["+", ["texts", 1], "c"]])).toEqual({ texts: ["a", "bc"] });
  });

  it.each<[string, unknown, string, number?]>([
    ["no array", {}, "array of operations"],
    ["no operation", [1], "operation is an array", 0],
    ["the second of two", [["=", ["title"], 1], 1], "operation is an array", 1],
    ["unknown code", [["?", ["title"], "a"]], "code is unknown", 0],
    ["no path", [["=", "title", 1]], "no array of keys", 0],
    ["a path with something else in it", [["=", ["nested", null], 1]], "no array of keys", 0],
    ["a path that begins with something else", [["=", [null, "a"], 1]], "no array of keys", 0],
    ["empty path", [["=", [], 1]], "leads nowhere", 0],
    ["no value", [["=", ["title"]]], "no value", 0],
    ["a missing parent", [["=", ["none", "a"], 1]], "leads nowhere", 0],
    ["a missing grandparent", [["=", ["none", "a", "b"], 1]], "leads nowhere", 0],
    ["a parent that is text", [["=", ["title", "a"], 1]], "leads nowhere", 0],
    ["a parent that is null", [["=", ["empty", "a"], 1]], "leads nowhere", 0],
    ["an inherited parent", [["=", ["__proto__", "polluted"], 1]], "leads nowhere", 0],
    ["an inherited key", [["-", ["toString"]]], "removes a key", 0],
    ["an index of an object", [["=", ["nested", 0], 1]], "index of an object", 0],
    ["an index that is a key of an object", [["-", ["digits", 0]]], "removes a key", 0],
    ["a key of an array", [["=", ["messages", "length"], 0]], "element that is not there", 0],
    ["a key that reads like an index", [["=", ["messages", "0"], 0]], "element that is not there", 0],
    ["an element beyond the end", [["=", ["messages", 2], 1]], "element that is not there", 0],
    ["removal of an element", [["-", ["messages", 0]]], "removes a key", 0],
    ["a splice beyond the end", [["~", ["messages"], 1, 2, []]], "beyond the end", 0],
    ["a splice of an object", [["~", ["nested"], 0, 0, [1]]], "splices what is no array", 0],
    ["a splice of no elements", [["~", ["messages"], 0, 0, 1]], "splices what is no array", 0],
    ["a negative splice", [["~", ["messages"], -1, 0, [1]]], "beyond the end", 0],
    ["a splice that removes less than nothing", [["~", ["messages"], 1, -1, [1]]], "beyond the end", 0],
    ["a splice between two elements", [["~", ["messages"], 0.5, 0, [1]]], "beyond the end", 0],
    ["a splice at no number", [["~", ["messages"], "0", 0, [1]]], "beyond the end", 0],
    ["text appended to an array", [["+", ["messages"], "a"]], "no text", 0],
    ["text appended to nothing", [["+", ["toString"], "a"]], "no text", 0],
    ["something else appended to text", [["+", ["title"], 1]], "no text", 0],
  ])("refuses %s, and says which operation and why", (_name, delta, why, op) => {
    const odd = tree({ ...base, empty: null, digits: { "0": 1 } });
    try {
      applyDeltas(odd, [[], delta as Json]);
      expect.unreachable();
    } catch (error) {
      expect(HeddleError.is(error, "CORRUPT_DATA") && error.message).toContain(why);
      expect((error as HeddleError).details).toEqual({ delta: 1, ...(op === undefined ? {} : { op }) });
    }
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("applyDeltas", () => {
  it("is one delta after the other", () => {
    const append = fc.record({ n: fc.integer() }).map((value): Delta => [["~", ["list"], 0, 0, [value]]]);
    const text = fc.string().map((value): Delta => [["+", ["text"], value]]);
    const edit = fc.jsonValue({ maxDepth: 2 }).map((value): Delta => [["=", ["map", "key"], value as Json]]);
    fc.assert(
      fc.property(fc.array(fc.oneof(append, text, edit), { maxLength: 20 }), (deltas) => {
        const start = tree({ list: [], text: "", map: { key: 1 } });
        expect(applyDeltas(start, deltas)).toEqual(deltas.reduce<JsonObject>(applyDelta, start));
        expect(start).toEqual({ list: [], text: "", map: { key: 1 } });
      }),
    );
  });
});
