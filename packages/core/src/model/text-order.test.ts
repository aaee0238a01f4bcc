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

test("what is beyond the first plane follows every character of it", () => {
  const texts = ["😀", "\u{10000}", "！", "\ue000", "\ud7ff", "z", "é", ""];
  expect(texts.sort(compareText)).toEqual(["", "z", "é", "\ud7ff", "\ue000", "！", "\u{10000}", "😀"]);
});
