import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pacing } from "./pacing.js";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** When it is seen to what comes up at each of `times`, ms. */
function seenAt(times: readonly number[]): number[] {
  const pacing = new Pacing();
  return times.map((time) => {
    vi.advanceTimersByTime(Math.max(0, time - performance.now()));
    vi.advanceTimersByTime(pacing.wait());
    pacing.note();
    return performance.now();
  });
}

test("what is rare is seen to at once", () => {
  expect(seenAt([0, 100, 200, 1_000])).toEqual([0, 100, 200, 1_000]);
});

test("what goes on is gathered, longer and longer, up to 20 ms", () => {
  expect(seenAt(Array.from({ length: 9 }, () => 0))).toEqual([0, 2, 6, 14, 30, 50, 70, 90, 110]);
});

test("after a while of quiet it begins anew", () => {
  const busy = Array.from({ length: 9 }, () => 0);
  expect(seenAt([...busy, 200, 200, 200]).slice(-3)).toEqual([200, 202, 206]);
});
