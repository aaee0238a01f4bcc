import { expect, test } from "vitest";
import { shown } from "./shown.js";

const hostile = Object.defineProperty(new Error("x"), "message", {
  get: () => {
    throw new Error("no");
  },
});

test.each<[string, unknown, string]>([
  ["a text", "abc", "abc"],
  ["a long text, cut", "x".repeat(101), "x".repeat(100)],
  ["a number", 1.5, "1.5"],
  ["a long number, cut", 10n ** 200n, `1${"0".repeat(99)}`],
  ["null", null, "null"],
  ["undefined", undefined, "undefined"],
  ["a symbol", Symbol("s"), "Symbol(s)"],
  ["a function, not its code", () => "secret", "a function"],
  ["a list, not what is in it", ["secret"], "a list"],
  ["an object, not what is in it", { secret: 1 }, "an object"],
  ["an object that String refuses", Object.create(null), "an object"],
  ["an error", new RangeError("too far"), "RangeError: too far"],
  ["a long error, cut", new Error("x".repeat(2_000)), `Error: ${"x".repeat(993)}`],
  ["an error that throws when it is read", hostile, "an error that cannot be told"],
])("%s", (_what, value, expected) => {
  expect(shown(value)).toBe(expected);
});
