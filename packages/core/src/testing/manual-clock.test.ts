import { expect, test } from "vitest";
import { manualClock } from "./manual-clock.js";

test("stands still until it is moved", async () => {
  const clock = manualClock({ now: 1_000 });
  const before = clock.now();
  await clock.settle();
  expect([before, clock.now()]).toEqual([1_000, 1_000]);
  await clock.advance(5);
  expect(clock.now()).toBe(1_005);
  await clock.advanceTo(new Date(2_000));
  expect(clock.now()).toBe(2_000);
  await clock.advanceTo(1_500);
  expect(clock.now()).toBe(2_000);
});

test("fires timers in the order of their times, each at its time", async () => {
  const clock = manualClock({ now: 0 });
  const fired: [string, number][] = [];
  const note = (name: string) => () => void fired.push([name, clock.now()]);
  clock.setTimer(20, note("c"), "work");
  clock.setTimer(10, note("a"), "upkeep");
  clock.setTimer(10, note("b"), "work");
  clock.setTimer(31, note("late"), "work");
  await clock.advance(30);
  expect(fired).toEqual([
    ["a", 10],
    ["b", 10],
    ["c", 20],
  ]);
});

test("what a timer sets in motion runs before the next timer fires", async () => {
  const clock = manualClock({ now: 0 });
  const order: string[] = [];
  clock.setTimer(
    1,
    () =>
      void clock
        .turn()
        .then(() => clock.turn())
        .then(() => order.push("work of the first")),
    "work",
  );
  clock.setTimer(2, () => order.push("second"), "work");
  await clock.advance(2);
  expect(order).toEqual(["work of the first", "second"]);
});

test("timers that are set on the way fire as well", async () => {
  const clock = manualClock({ now: 0 });
  const times: number[] = [];
  const again = (): void => {
    times.push(clock.now());
    clock.setTimer(10, again, "upkeep");
  };
  clock.setTimer(10, again, "upkeep");
  await clock.advance(35);
  expect(times).toEqual([10, 20, 30]);
});

test("a timer without delay fires by itself, but never inside the call", async () => {
  const clock = manualClock();
  let fired = 0;
  clock.setTimer(0, () => fired++, "work");
  clock.setTimer(-5, () => fired++, "work");
  const undo = clock.setTimer(0, () => fired++, "work");
  undo();
  expect(fired).toBe(0);
  await clock.settle();
  expect(fired).toBe(2);
});

test("an undone timer never fires", async () => {
  const clock = manualClock();
  let fired = 0;
  const undo = clock.setTimer(5, () => fired++, "work");
  undo();
  undo();
  await clock.advance(10);
  expect([fired, clock.nextTimer()]).toEqual([0, undefined]);
});

test("tells when the next timer is due, by purpose", () => {
  const clock = manualClock({ now: 100 });
  clock.setTimer(5, () => {}, "upkeep");
  clock.setTimer(9, () => {}, "work");
  expect([clock.nextTimer(), clock.nextTimer("work"), clock.nextTimer("upkeep")]).toEqual([105, 109, 105]);
});

test("a jump of the wall clock fires nothing and shifts no timer", async () => {
  const clock = manualClock({ now: 0 });
  let fired = 0;
  clock.setTimer(10, () => fired++, "work");
  clock.jump(1_000);
  await clock.settle();
  expect([clock.now(), fired, clock.nextTimer()]).toEqual([1_000, 0, 1_010]);
  clock.jump(-5_000);
  await clock.advance(10);
  expect([clock.now(), fired]).toEqual([-3_990, 1]);
});
