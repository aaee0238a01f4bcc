import fc from "fast-check";
import { expect, test } from "vitest";
import { SortedList } from "./sorted-list.js";

const byNumber = (a: number, b: number): number => a - b;

test("holds the rows that were inserted and not removed, in order", () => {
  const step = fc.record({ insert: fc.boolean(), value: fc.nat(200) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const list = new SortedList<number>(byNumber);
      const model = new Set<number>();
      for (const { insert, value } of steps) {
        if (!insert) list.remove(value);
        else if (!model.has(value)) list.insert(value);
        if (insert) model.add(value);
        else model.delete(value);
      }
      const sorted = [...model].sort(byNumber);
      expect([...list]).toEqual(sorted);
      expect([...list.descending()]).toEqual(sorted.reverse());
      expect(list.isEmpty).toBe(model.size === 0);
    }),
  );
});

test("stays right and fast with many rows", () => {
  const list = new SortedList<number>(byNumber);
  const count = 50_000;
  for (let at = 0; at < count; at++) list.insert((at * 7_919) % count);
  expect([...list]).toEqual(Array.from({ length: count }, (_, at) => at));
  for (let at = 0; at < count; at += 2) list.remove(at);
  expect([...list].length).toBe(count / 2);
  expect(list.first()).toBe(1);
});

test("forgives the removal of what is not there", () => {
  const list = new SortedList<number>(byNumber);
  list.remove(1);
  list.insert(2);
  list.remove(1);
  list.remove(3);
  expect([...list]).toEqual([2]);
});
