import { REMOVE } from "@heddle/core";
import { expect, test } from "vitest";
import { applyChange } from "./apply-change.js";
import type { PatchOperation } from "./frames.js";
import { ProtocolViolation } from "./frames.js";

const base = Object.freeze({
  list: Object.freeze([1, 2]),
  deep: Object.freeze({ a: Object.freeze([{ n: 1 }]), b: 2 }),
});

test("nothing said is nothing changed", () => {
  expect(applyChange(base as never, {})).toBeUndefined();
});

test("set, remove and append, at the top and below; the base stays as it is", () => {
  const patch: PatchOperation[] = [
    { op: "append", path: ["list"], values: [3] },
    { op: "set", path: ["deep", "a", 0, "n"], value: 5 },
    { op: "remove", path: ["deep", "b"] },
    { op: "set", path: ["added"], value: true },
    { op: "remove", path: ["gone"] },
  ];
  expect(applyChange(base as never, { patch })).toEqual({
    list: [1, 2, 3],
    deep: { a: [{ n: 5 }] },
    added: true,
    gone: REMOVE,
  });
  expect(base).toEqual({ list: [1, 2], deep: { a: [{ n: 1 }], b: 2 } });
});

test("a patch comes after the values of the same frame", () => {
  const patch: PatchOperation[] = [{ op: "append", path: ["list"], values: [8] }];
  expect(applyChange(base as never, { values: { list: [7] }, patch })).toEqual({ list: [7, 8] });
});

test("__proto__ is a key", () => {
  const patch: PatchOperation[] = [{ op: "set", path: ["deep", "__proto__"], value: { polluted: true } }];
  const { deep } = applyChange(base as never, { patch }) as { deep: object };
  expect(Object.getPrototypeOf(deep)).toBe(Object.prototype);
  expect(Object.keys(deep)).toContain("__proto__");
});

test.each<PatchOperation>([
  { op: "set", path: ["list", 2], value: 0 },
  { op: "set", path: ["list", "0"], value: 0 },
  { op: "set", path: ["nothing", "below"], value: 0 },
  { op: "remove", path: ["deep", "zzz"] },
  { op: "append", path: ["deep"], values: [] },
  { op: "append", path: ["nothing"], values: [] },
  { op: "set", path: [0], value: 0 },
])("refused: %j", (operation) => {
  expect(() => applyChange(base as never, { patch: [operation] })).toThrow(ProtocolViolation);
});
