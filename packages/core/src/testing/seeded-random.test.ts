import { expect, test } from "vitest";
import { seededRandom } from "./seeded-random.js";

test("the same seed gives the same numbers and ids", () => {
  const [a, b, other] = [seededRandom(7), seededRandom(7), seededRandom(8)];
  const numbers = (random: typeof a) => Array.from({ length: 20 }, () => random.fraction());
  const first = numbers(a);
  expect(numbers(b)).toEqual(first);
  expect(numbers(other)).not.toEqual(first);
  expect(a.id("run")).toBe(b.id("run"));
  expect(a.id("run")).not.toBe(other.id("run"));
});

test("fractions are spread evenly in [0, 1)", () => {
  const random = seededRandom(1);
  const buckets = Array<number>(10).fill(0);
  for (let at = 0; at < 100_000; at++) {
    const fraction = random.fraction();
    expect(fraction >= 0 && fraction < 1).toBe(true);
    const bucket = Math.floor(fraction * 10);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500);
});

test("ids have a prefix and 26 characters, and sort by age", () => {
  const random = seededRandom(42);
  const ids = Array.from({ length: 1_200 }, () => random.id("run"));
  for (const id of ids) expect(id).toMatch(/^run_[0-9A-Z]{26}$/);
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
});
