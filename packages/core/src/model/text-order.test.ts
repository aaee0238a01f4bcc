import fc from "fast-check";
import { expect, test } from "vitest";
import { compareText } from "./text-order.js";

test("orders as the UTF-8 bytes do", () => {
  const anyText = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(anyText, anyText, (a, b) => {
      expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test("an emoji follows every character of the first plane", () => {
  expect(["😀", "！", "z", "é", ""].sort(compareText)).toEqual(["", "z", "é", "！", "😀"]);
});
