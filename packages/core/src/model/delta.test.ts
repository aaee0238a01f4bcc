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

  it.each<[string, unknown]>([
    ["no array", {}],
    ["no operation", [1]],
    ["unknown code", [["?", ["title"], 1]]],
    ["no path", [["=", "title", 1]]],
    ["empty path", [["=", [], 1]]],
    ["no value", [["=", ["title"]]]],
    ["a missing parent", [["=", ["none", "a"], 1]]],
    ["a parent that is text", [["=", ["title", "a"], 1]]],
    ["an inherited parent", [["=", ["__proto__", "polluted"], 1]]],
    ["an inherited key", [["-", ["toString"]]]],
    ["an index of an object", [["=", ["nested", 0], 1]]],
    ["a key of an array", [["=", ["messages", "length"], 0]]],
    ["an element beyond the end", [["=", ["messages", 2], 1]]],
    ["removal of an element", [["-", ["messages", 0]]]],
    ["a splice beyond the end", [["~", ["messages"], 1, 2, []]]],
    ["a splice of an object", [["~", ["nested"], 0, 0, [1]]]],
    ["a negative splice", [["~", ["messages"], -1, 0, [1]]]],
    ["text appended to an array", [["+", ["messages"], "a"]]],
    ["text appended to nothing", [["+", ["toString"], "a"]]],
  ])("refuses %s", (_name, delta) => {
    try {
      applyDeltas(base, [[], delta as Json]);
      expect.unreachable();
    } catch (error) {
      expect(HeddleError.is(error, "CORRUPT_DATA")).toBe(true);
      expect((error as HeddleError).details["delta"]).toBe(1);
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
