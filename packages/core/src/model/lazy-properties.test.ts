import { expect, test } from "vitest";
import { lazyProperties } from "./lazy-properties.js";

const withArea = lazyProperties<{ side: number }, { area: number }>({ area: ({ side }) => side * side });

test("a property is computed whenever it is read", () => {
  const source = { side: 2 };
  const square = withArea({ name: "square" }, source);
  expect(square.area).toBe(4);
  source.side = 3;
  expect(square.area).toBe(9);
});

test("a copy has what it was then, and shows nothing else", () => {
  const source = { side: 2 };
  const copy = { ...withArea({ name: "square" }, source) };
  source.side = 3;
  expect(copy).toStrictEqual({ name: "square", area: 4 });
});

test("all objects share one getter: one for each would outlive its object", () => {
  const getterOf = (side: number) => Object.getOwnPropertyDescriptor(withArea({}, { side }), "area")?.get;
  expect(getterOf(1)).toBe(getterOf(2));
});
