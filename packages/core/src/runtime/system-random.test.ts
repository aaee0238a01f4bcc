import { expect, test } from "vitest";
import { systemRandom } from "./system-random.js";

test("an id is its prefix and a ULID in lower case", () => {
  expect(systemRandom.id("run")).toMatch(/^run_[0-9a-hjkmnp-tv-z]{26}$/);
});

test("ids are unique and sort by creation, also thousands within one millisecond", () => {
  const ids = Array.from({ length: 5_000 }, () => systemRandom.id("run"));
  expect(new Set(ids).size).toBe(ids.length);
  expect([...ids].sort()).toEqual(ids);
});

test("an id tells the time of its creation", () => {
  const before = Date.now();
  const digits = "0123456789abcdefghjkmnpqrstvwxyz";
  const time = [...systemRandom.id("run").slice(4, 14)].reduce((sum, digit) => sum * 32 + digits.indexOf(digit), 0);
  expect(time).toBeGreaterThanOrEqual(before);
  expect(time).toBeLessThanOrEqual(Date.now());
});
