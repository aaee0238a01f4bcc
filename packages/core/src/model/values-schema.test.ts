import { describe, expect, it } from "vitest";
import { z } from "zod";
import { HeddleError } from "../errors.js";
import { copyJson, type Json, type JsonObject } from "./json.js";
import { parseWith, type SchemaNode, valuesSchema } from "./values-schema.js";

const tree = (value: unknown): JsonObject => copyJson(value, "values") as JsonObject;

function error(work: () => unknown): HeddleError {
  try {
    work();
  } catch (caught) {
    if (HeddleError.is(caught)) return caught;
    throw caught;
  }
  throw new Error("did not throw");
}

function child(schema: z.ZodType): SchemaNode {
  return valuesSchema(z.object({ key: schema })).root.object?.child("key") as SchemaNode;
}

describe("visible and fillDefaults", () => {
  const schema = valuesSchema(
    z.object({ messages: z.array(z.string()).default([]), title: z.string().optional(), n: z.number() }),
  );

  it("hides keys that the schema does not know", () => {
    const stored = tree({ messages: ["a"], theirs: { x: 1 } });
    expect(schema.visible(stored)).toEqual({ messages: ["a"] });
    expect(schema.visible(stored)["messages"]).toBe(stored["messages"]);
    expect(Object.isFrozen(schema.visible(stored))).toBe(true);
  });

  it("hands out the stored tree itself where it can", () => {
    const stored = tree({ messages: ["a"] });
    expect(schema.visible(stored)).toBe(stored);
    expect(schema.fillDefaults(stored)).toBe(stored);
  });

  it("fills absent top-level keys only", () => {
    const nested = valuesSchema(
      z.object({ a: z.object({ x: z.number().default(1) }).default({ x: 2 }), b: z.number().default(() => 3) }),
    );
    const stored = tree({ a: {} });
    const filled = nested.fillDefaults(stored);
    expect(filled).toEqual({ a: {}, b: 3 });
    expect(filled["a"]).toBe(stored["a"]);
    expect(Object.isFrozen(filled)).toBe(true);
    expect(schema.fillDefaults(tree({}))).toEqual({ messages: [] });
    expect(Object.isFrozen(schema.fillDefaults(tree({}))["messages"])).toBe(true);
  });

  it.each([
    ["no schema", undefined],
    ["loose", z.looseObject({ a: z.number() })],
    ["catchall", z.object({}).catchall(z.json())],
    ["record", z.record(z.string(), z.json())],
    ["union", z.union([z.object({ a: z.number() }), z.object({ b: z.number() })])],
  ])("everything is visible: %s", (_name, any) => {
    const stored = tree({ a: 1, theirs: 2 });
    expect(valuesSchema(any).visible(stored)).toBe(stored);
  });

  it("knows top-level keys behind a refinement", () => {
    const refined = valuesSchema(
      z.object({ a: z.number().default(1), b: z.number().default(2) }).refine((v) => v.a < v.b),
    );
    expect(refined.fillDefaults(refined.visible(tree({ c: 1, b: 5 })))).toEqual({ a: 1, b: 5 });
    expect(refined.root.object).toBeUndefined();
    expect(error(() => refined.validateWhole(tree({ a: 9, b: 1 }))).code).toBe("INVALID_VALUES");
  });

  it("refuses defaults that are not JSON", () => {
    const dated = valuesSchema(z.object({ at: z.date().default(() => new Date(0)) }));
    expect(error(() => dated.fillDefaults(tree({}))).message).toMatch(/^values\.at: .*instance of Date/);
    const union = valuesSchema(z.union([z.object({ at: z.date().default(() => new Date(0)) })]));
    expect(error(() => union.fillDefaults(tree({})))).toMatchObject({
      code: "INVALID_VALUES",
      details: { path: "values" },
    });
  });

  it("names the values as a whole where the schema cannot be run on them", () => {
    const asynchronous = valuesSchema(z.union([z.object({})]).refine(async () => true));
    expect(error(() => asynchronous.fillDefaults(tree({}))).details["path"]).toBe("values");
  });

  it("leaves required keys that are absent to validateWhole", () => {
    expect(valuesSchema(z.object({ a: z.string() })).fillDefaults(tree({}))).toEqual({});
    expect(valuesSchema(z.union([z.object({ a: z.string() })])).fillDefaults(tree({}))).toEqual({});
  });

  it("fills the defaults of a union from its output", () => {
    const union = valuesSchema(z.union([z.object({ kind: z.literal("a").default("a"), n: z.number().default(4) })]));
    expect(union.fillDefaults(tree({ n: 1 }))).toEqual({ n: 1, kind: "a" });
  });
});

describe("validateWhole", () => {
  const schema = valuesSchema(z.strictObject({ messages: z.array(z.object({ role: z.enum(["user", "assistant"]) })) }));

  it("takes what fits and does not look at other agents' keys", () => {
    expect(() => schema.validateWhole(tree({ messages: [{ role: "user" }], theirs: 1 }))).not.toThrow();
  });

  it("sees other agents' keys only where the schema is open to them", () => {
    const stored = tree({ a: 1, theirs: "x" });
    const closed = valuesSchema(z.strictObject({ a: z.number() }));
    expect(() => closed.validateWhole(stored)).not.toThrow();
    expect(closed.visible(stored)).toEqual({ a: 1 });
    const open = valuesSchema(z.object({ a: z.number() }).catchall(z.number()));
    expect(error(() => open.validateWhole(stored)).details["path"]).toBe("values.theirs");
  });

  it("names the path", () => {
    const wrong = error(() => schema.validateWhole(tree({ messages: [{ role: "user" }, { role: "robot" }] })));
    expect(wrong.code).toBe("INVALID_VALUES");
    expect(wrong.message).toMatch(/^values\.messages\[1\]\.role: Invalid option/);
    expect(wrong.details["path"]).toBe("values.messages[1].role");
    expect(error(() => schema.validateWhole(tree({}))).message).toMatch(/^values\.messages: Invalid input/);
  });
});

describe("how schemas come apart", () => {
  it.each<[string, z.ZodType, "object" | "array" | "both" | "whole"]>([
    ["object", z.object({}), "object"],
    ["array", z.array(z.string()), "array"],
    ["array with length checks", z.array(z.string()).min(1).max(3), "array"],
    ["optional nullable default", z.array(z.string()).optional().nullable().default([]), "array"],
    ["readonly", z.object({}).readonly(), "object"],
    ["record", z.record(z.string(), z.number()), "object"],
    ["unknown", z.unknown(), "both"],
    ["any", z.any(), "both"],
    ["object with no checks in its list", z.object({}).check(), "object"],
    ["refined object", z.object({}).refine(() => true), "whole"],
    ["refined array", z.array(z.string()).refine(() => true), "whole"],
    [
      "array with both kinds of checks",
      z
        .array(z.string())
        .min(1)
        .refine(() => true),
      "whole",
    ],
    [
      "refined wrapper",
      z
        .object({})
        .optional()
        .refine(() => true),
      "whole",
    ],
    ["union", z.union([z.object({}), z.array(z.string())]), "whole"],
    ["record of enum keys", z.record(z.enum(["a"]), z.number()), "whole"],
    ["record of coerced keys", z.record(z.coerce.string(), z.number()), "whole"],
    ["record of emails", z.record(z.email(), z.number()), "whole"],
    ["lazy", z.lazy(() => z.object({})), "whole"],
    ["pipe", z.object({}).pipe(z.object({})), "whole"],
    ["catch", z.object({}).catch({}), "whole"],
    ["intersection", z.intersection(z.object({}), z.object({})), "whole"],
    ["tuple", z.tuple([z.string()]), "whole"],
    ["json", z.json(), "whole"],
  ])("%s", (_name, schema, expected) => {
    const node = child(schema);
    expect(node.object !== undefined).toBe(expected === "object" || expected === "both");
    expect(node.array !== undefined).toBe(expected === "array" || expected === "both");
  });

  it("takes recursive schemas apart as far as asked", () => {
    const Category = z.object({
      name: z.string(),
      get children() {
        return z.array(Category);
      },
    });
    const node = valuesSchema(Category).root.object?.child("children") as SchemaNode;
    expect(node.array?.element.object?.child("children")).toHaveProperty("array");
  });

  it("knows nothing of a record's keys but what their values are", () => {
    const parts = child(z.record(z.string(), z.array(z.number()))).object;
    expect(parts?.keys).toEqual([]);
    expect(parts?.child("any")).toHaveProperty("array");
    expect(parts?.absent("any", ["key", "any"])).toBeUndefined();
  });

  it("knows unknown keys", () => {
    expect(child(z.object({})).object?.child("x")).toBe("strip");
    expect(child(z.strictObject({})).object?.child("x")).toBe("refuse");
    expect(child(z.object({})).object?.child("toString")).toBe("strip");
    expect(child(z.looseObject({})).object?.child("x")).toHaveProperty("object");
  });
});

describe("what a node makes of a tree", () => {
  it("returns the tree itself where the schema adds nothing", () => {
    const value = tree({ a: 1 });
    expect(child(z.object({ a: z.number() })).parse(value, ["key"])).toBe(value);
  });

  it("allows nested defaults, key stripping and normal forms", () => {
    const node = child(z.object({ a: z.number().default(1), s: z.string().trim().toLowerCase() }));
    expect(node.parse(tree({ s: " X ", other: 1 }), ["key"])).toEqual({ a: 1, s: "x" });
  });

  it.each<[string, z.ZodType, Json, RegExp]>([
    ["to a Date", z.coerce.date(), "2020-01-01", /values\.key: .*cannot transform.*Date/],
    ["to another type", z.string().transform((s) => s.length), "abc", /cannot transform|Invalid input/],
    ["without end", z.number().transform((n) => n + 1), 1, /does not parse to itself/],
    ["to undefined", z.any().transform(() => undefined), 1, /cannot transform/],
    [
      "to a Map",
      z.preprocess(
        (v) => v,
        z.any().transform(() => new Map()),
      ),
      1,
      /cannot transform/,
    ],
  ])("refuses to transform %s", (_name, schema, value, message) => {
    const wrong = error(() => child(schema).parse(value, ["key"]));
    expect(wrong).toMatchObject({ code: "INVALID_VALUES", details: { path: "values.key" } });
    expect(wrong.message).toMatch(message);
  });

  it("says that schemas are synchronous", () => {
    const wrong = error(() => child(z.string().refine(async () => true)).parse("a", ["key"]));
    expect(wrong.code).toBe("INVALID_VALUES");
    expect(wrong.message).toContain("synchronous");
  });

  it("turns a refinement that throws into a typed error", () => {
    const boom = new Error("boom");
    const schema = z.string().refine(() => {
      throw boom;
    });
    expect(error(() => child(schema).parse("a", ["key"]))).toMatchObject({
      code: "INVALID_VALUES",
      details: { path: "values.key" },
      cause: boom,
    });
  });

  it("knows what stands in for an absent key", () => {
    const parts = child(
      z.object({ d: z.number().default(1), o: z.string().optional(), e: z.string().exactOptional(), r: z.string() }),
    ).object;
    expect(parts?.absent("d", ["key", "d"])).toBe(1);
    expect(parts?.absent("o", ["key", "o"])).toBeUndefined();
    expect(parts?.absent("e", ["key", "e"])).toBeUndefined();
    expect(error(() => parts?.absent("r", ["key", "r"])).message).toMatch(/^values\.key\.r: /);
  });
});

describe("parseWith", () => {
  const schema = z.object({ message: z.string(), n: z.coerce.number().default(2) });

  it("returns the schema's output", () => {
    const output: { message: string; n: number } = parseWith(
      schema,
      { message: "hi", n: "3" },
      "INVALID_INPUT",
      "input",
    );
    expect(output).toEqual({ message: "hi", n: 3 });
  });

  it("names each path, as text and as data", () => {
    const wrong = error(() => parseWith(z.array(z.number()), ["a", 1, "b"], "INVALID_INPUT", "input"));
    expect(wrong.code).toBe("INVALID_INPUT");
    expect(wrong.message).toMatch(/^input\[0\]: Invalid input.*; input\[2\]: Invalid input/);
    expect(wrong.details["issues"]).toMatchObject([{ path: "input[0]", code: "invalid_type" }, { path: "input[2]" }]);
  });

  it("shows each of five issues, and nothing else", () => {
    const list = z.array(z.number({ error: "no number" }));
    const wrong = error(() => parseWith(list, [..."abcde"], "INVALID_CONFIG", "config"));
    expect(wrong.message).toBe([0, 1, 2, 3, 4].map((index) => `config[${index}]: no number`).join("; "));
  });

  it("shows five issues at most", () => {
    const wrong = error(() => parseWith(z.array(z.number()), [..."abcdefg"], "INVALID_CONFIG", "config"));
    expect(wrong.message.match(/config\[/g)).toHaveLength(5);
    expect(wrong.message).toMatch(/; and 2 more$/);
    expect(wrong.details["issues"]).toHaveLength(7);
  });
});

it("checks values that do not come apart as a whole", () => {
  const either = valuesSchema(z.union([z.object({ a: z.number() }), z.object({ b: z.string() })]));
  expect(() => either.validateWhole({ a: 1 })).not.toThrow();
  expect(error(() => either.validateWhole({ a: "one" })).details["path"]).toBe("values");
});

it.each([
  ["at least two", z.array(z.number()).min(2), [false, true, true]],
  ["at most two", z.array(z.number()).max(2), [true, true, false]],
  ["two or more, and two or less", z.array(z.number()).min(2).max(2), [false, true, false]],
  ["exactly two", z.array(z.number()).length(2), [false, true, false]],
] as const)("asks for the whole array where its length is wrong: %s", (_bound, list, expected) => {
  const node = valuesSchema(z.object({ list })).root.object?.child("list");
  const fits = typeof node === "object" ? node.array?.fits : undefined;
  expect([1, 2, 3].map((length) => fits?.(length))).toEqual(expected);
});
