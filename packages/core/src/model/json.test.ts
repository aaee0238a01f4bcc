import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HeddleError } from "../errors.js";
import {
  byteLength,
  canonicalJson,
  copyJson,
  deepFreeze,
  formatPath,
  type Json,
  jsonBytes,
  jsonEqual,
  maxJsonDepth,
  parseJson,
  putKey,
} from "./json.js";

const json = () => fc.jsonValue({ maxDepth: 5 }) as fc.Arbitrary<Json>;

function isDeepFrozen(value: Json): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isDeepFrozen);
}

function refusal(value: unknown): { path: unknown; what: unknown; message: string } {
  try {
    copyJson(value, "values");
  } catch (error) {
    if (!HeddleError.is(error, "INVALID_JSON")) throw error;
    return { path: error.details["path"], what: error.details["what"], message: error.message };
  }
  throw new Error("was not refused");
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { value };
  return value;
}

describe("copyJson", () => {
  it("copies what JSON would and freezes only the copy", () => {
    fc.assert(
      fc.property(json(), (value) => {
        const source = JSON.parse(JSON.stringify(value)) as Json;
        const copy = copyJson(source, "values");
        expect(JSON.stringify(copy)).toBe(JSON.stringify(source));
        expect(isDeepFrozen(copy)).toBe(true);
        if (typeof source === "object" && source !== null) {
          expect(copy).not.toBe(source);
          expect(Object.isFrozen(source)).toBe(false);
        }
      }),
    );
  });

  it("drops undefined properties and turns -0 into 0", () => {
    const copy = copyJson({ a: undefined, b: -0, [Symbol("s")]: 1 }, "values") as { b: number };
    expect(Object.keys(copy)).toEqual(["b"]);
    expect(Object.is(copy.b, 0)).toBe(true);
  });

  it("makes of __proto__ a key that can be changed and removed in a copy", () => {
    const copy = { ...(copyJson(JSON.parse('{"a":1}'), "values") as object) } as Record<string, Json>;
    putKey(copy, "__proto__", 1);
    putKey(copy, "__proto__", 2);
    expect(JSON.stringify(copy)).toBe('{"a":1,"__proto__":2}');
    expect(Object.getOwnPropertyDescriptor(copy, "__proto__")).toMatchObject({ writable: true });
    expect(Reflect.deleteProperty(copy, "__proto__")).toBe(true);
    expect(JSON.stringify(copy)).toBe('{"a":1}');
  });

  it("keeps __proto__ as a plain key", () => {
    const copy = copyJson(JSON.parse('{"__proto__":{"polluted":true},"a":1}'), "values");
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"polluted":true},"a":1}');
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("takes objects without a prototype and of other realms", () => {
    const foreign: unknown = runInNewContext("({ list: [1, { a: 2 }] })");
    expect(copyJson(foreign, "values")).toEqual({ list: [1, { a: 2 }] });
    expect(copyJson(Object.assign(Object.create(null), { a: 1 }), "values")).toEqual({ a: 1 });
  });

  class Point {
    x = 1;
  }

  it.each([
    ["bigint", { a: [1n] }, "values.a[0]", "a bigint"],
    ["function", { a: { f: () => 1 } }, "values.a.f", "a function"],
    ["symbol", { a: Symbol("x") }, "values.a", "a symbol"],
    ["undefined in an array", { a: [1, undefined] }, "values.a[1]", "undefined"],
    // biome-ignore lint/suspicious/noSparseArray: the case
    ["hole", { a: [1, , 2] }, "values.a[1]", "undefined"],
    ["top-level undefined", undefined, "values", "undefined"],
    ["NaN", { "a b": Number.NaN }, 'values["a b"]', "NaN"],
    ["Infinity", [Number.POSITIVE_INFINITY], "values[0]", "Infinity"],
    ["Date", { at: new Date(0) }, "values.at", "an instance of Date (call its toJSON before handing it over)"],
    ["Map", { m: new Map() }, "values.m", "an instance of Map (make it a plain object before handing it over)"],
    ["Set", new Set(), "values", "an instance of Set (make it a plain object before handing it over)"],
    ["class", [new Point()], "values[0]", "an instance of Point (make it a plain object before handing it over)"],
    [
      "inherited data",
      Object.create({ a: 1 }),
      "values",
      "an instance of Object (make it a plain object before handing it over)",
    ],
    ["toJSON", { a: { toJSON: () => 1 } }, "values.a.toJSON", "a function"],
    [
      "getter that gives what is no JSON",
      { a: Object.defineProperty({}, "g", { get: () => 1n, enumerable: true }) },
      "values.a.g",
      "a bigint",
    ],
    [
      "getter that throws",
      {
        a: {
          b: 1,
          get g() {
            throw new Error("no");
          },
        },
      },
      "values.a.g",
      "a value that threw when it was read",
    ],
    [
      "proxy that throws",
      {
        a: new Proxy(
          {},
          {
            ownKeys: () => {
              throw new Error("no");
            },
          },
        ),
      },
      "values.a",
      "a value that threw when it was read",
    ],
  ])("refuses %s", (_name, value, path, what) => {
    expect(refusal(value)).toMatchObject({ path, what });
  });

  it("refuses cycles by name", () => {
    const loop: Record<string, unknown> = { list: [] };
    (loop["list"] as unknown[]).push({ back: loop });
    expect(refusal(loop).what).toBe("a reference to one of its own parents");
    expect(refusal(loop).message.length).toBeLessThan(400);
    const self: Record<string, unknown> = {};
    self["me"] = self;
    expect(refusal(self).what).toBe("a reference to one of its own parents");
    // What is refused inside a cycle is the first thing that cannot be.
    expect(refusal({ loop, at: 1n }).what).toBe("a reference to one of its own parents");
    expect(refusal({ at: 1n, self }).what).toBe("a bigint");
  });

  it("shows the whole path of what it refuses, up to 300 characters", () => {
    const key = "k".repeat(293);
    expect(refusal({ [key]: 1n }).message).toBe(`values.${key}: JSON cannot hold a bigint`);
    const { path, message } = refusal({ [`${key}k`]: 1n });
    expect(path).toBe(`values.${key}k`);
    expect(message).toBe(`values.${"k".repeat(193)}…${"k".repeat(80)}: JSON cannot hold a bigint`);
  });

  it("names what has no constructor's name", () => {
    const nameless = Object.create(Object.create({ constructor: undefined }) as object) as object;
    expect(refusal(nameless).what).toBe("an instance of unknown class (make it a plain object before handing it over)");
  });

  it("takes the same object twice", () => {
    const shared = { a: 1 };
    expect(copyJson([shared, shared], "values")).toEqual([shared, shared]);
  });

  it("refuses what is nested too deep, and nothing less deep", () => {
    expect(copyJson(nested(maxJsonDepth), "values")).toEqual(nested(maxJsonDepth));
    expect(refusal(nested(maxJsonDepth + 1)).what).toBe("nested deeper than 1000 levels");
    expect(refusal(nested(100_000)).what).toBe("nested deeper than 1000 levels");
  });

  it("counts the levels above the value", () => {
    const above = Array.from({ length: 10 }, () => "a");
    expect(() => copyJson(nested(maxJsonDepth - 9), "values", above)).toThrow("nested deeper");
    expect(() => copyJson(nested(maxJsonDepth - 10), "values", above)).not.toThrow();
  });
});

describe("jsonEqual and canonicalJson", () => {
  it("agree, whatever the order of keys", () => {
    fc.assert(
      fc.property(json(), json(), (a, b) => {
        expect(jsonEqual(a, b)).toBe(canonicalJson(a) === canonicalJson(b));
        expect(jsonEqual(a, parseJson(canonicalJson(a), "text"))).toBe(true);
      }),
    );
  });

  it("ignores the order of keys and nothing else", () => {
    expect(jsonEqual({ a: 1, b: [2] }, { b: [2], a: 1 })).toBe(true);
    expect(jsonEqual({ a: 1 }, { b: 1 })).toBe(false);
    expect(jsonEqual([], {})).toBe(false);
    expect(jsonEqual(null, {})).toBe(false);
    expect(jsonEqual({ a: 1 }, JSON.parse('{"__proto__":1}') as Json)).toBe(false);
    expect(canonicalJson({ b: 1, a: { d: 1, c: "ü" } })).toBe('{"a":{"c":"ü","d":1},"b":1}');
  });
});

describe("parseJson", () => {
  it("freezes", () => {
    fc.assert(fc.property(json(), (value) => isDeepFrozen(parseJson(JSON.stringify(value), "text"))));
  });

  it.each(["", "{", "[".repeat(200_000) + "]".repeat(200_000)])("says what it could not read (%#)", (text) => {
    try {
      parseJson(text, "checkpoint c1");
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "CORRUPT_DATA", details: { where: "checkpoint c1" } });
      expect((error as HeddleError).message).toContain("checkpoint c1");
      expect((error as HeddleError).cause).toBeInstanceOf(Error);
    }
  });
});

describe("small things", () => {
  it("measures UTF-8", () => {
    expect(byteLength("aü€😀")).toBe(10);
    expect(jsonBytes({ a: "ü" })).toBe(10);
  });

  it("freezes in place and stops at frozen trees", () => {
    const inner = Object.freeze({ a: 1 });
    const tree = deepFreeze({ inner, list: [{ b: 1 }] });
    expect(isDeepFrozen(tree)).toBe(true);
    expect(tree.inner).toBe(inner);
  });

  it("formats paths", () => {
    expect(formatPath("values", ["messages", 3, "a b", "größe", ""])).toBe('values.messages[3]["a b"].größe[""]');
  });
});
