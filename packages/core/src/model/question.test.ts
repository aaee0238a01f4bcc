import { expect, test } from "vitest";
import { questionId, questionRefOf, questionStatus } from "./question.js";

test("an id names a lineage and a key, which may hold slashes", () => {
  for (const ref of [
    { lineageId: "run", key: "pay" },
    { lineageId: "r", key: "/a/b" },
    { lineageId: "run", key: "" },
  ])
    expect(questionRefOf(questionId(ref))).toEqual(ref);
});

test.each(["", "run", "/", "/pay"])("%j can name no question", (id) => {
  expect(questionRefOf(id)).toBeUndefined();
});

test.each([
  ["open", null, "open"],
  ["open", 101, "open"],
  ["open", 100, "expired"],
  ["open", 0, "expired"],
  ["answered", 100, "answered"],
  ["withdrawn", 100, "withdrawn"],
] as const)("%s until %s is %s at 100", (status, expiresAt, expected) => {
  expect(questionStatus({ status, expiresAt }, 100)).toBe(expected);
});
