import { expect, test } from "vitest";
import { cancelRun } from "../testing/intents.js";
import { manualClock } from "../testing/manual-clock.js";
import { Stragglers } from "./stragglers.js";

const intentFor = (threadId: string | null) => cancelRun({ id: "run", threadId });
const clock = manualClock();
const turn = () => clock.turn();

/** Work that the test ends by hand. */
function handDriven() {
  const stragglers = new Stragglers();
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const add = (name: string, threadId: string | null): void =>
    stragglers.add(intentFor(threadId), () => {
      begun.push(name);
      return new Promise<void>((resolve) => ends.set(name, resolve));
    });
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    for (let turns = 0; turns < 3; turns++) await turn();
  };
  return { stragglers, begun, add, end };
}

test("what waits for one thread comes one after the other, in its order; another thread does not wait", async () => {
  const { begun, add, end } = handDriven();
  add("a1", "a");
  add("a2", "a");
  add("b1", "b");
  add("a3", "a");
  await turn();
  expect(begun).toEqual(["a1", "b1"]);
  await end("a1");
  expect(begun).toEqual(["a1", "b1", "a2"]);
  await end("b1");
  expect(begun).toEqual(["a1", "b1", "a2"]);
  await end("a2");
  expect(begun).toEqual(["a1", "b1", "a2", "a3"]);
});

test("concerns what is of a thread that is waited for, until the last of it is over", async () => {
  const { stragglers, add, end } = handDriven();
  const concerns = () => ["a", "b", null].map((threadId) => stragglers.concern(intentFor(threadId)));
  expect([stragglers.busy, concerns()]).toEqual([false, [false, false, false]]);
  add("a1", "a");
  add("a2", "a");
  await turn();
  expect([stragglers.busy, concerns()]).toEqual([true, [true, false, false]]);
  await end("a1");
  expect([stragglers.busy, concerns()]).toEqual([true, [true, false, false]]);
  await end("a2");
  expect([stragglers.busy, concerns()]).toEqual([false, [false, false, false]]);
});

test("four threads at once: each may keep a connection", async () => {
  const { begun, add, end } = handDriven();
  for (const name of ["a", "b", "c", "d", "e"]) add(name, name);
  await turn();
  expect(begun).toEqual(["a", "b", "c", "d"]);
  await end("b");
  expect(begun).toEqual(["a", "b", "c", "d", "e"]);
});

test("drain waits for all, also for what comes meanwhile", async () => {
  const { stragglers, add, end } = handDriven();
  let drained = false;
  await stragglers.drain();
  add("a1", "a");
  await turn();
  const draining = stragglers.drain().then(() => {
    drained = true;
  });
  add("a2", "a");
  await end("a1");
  expect(drained).toBe(false);
  await end("a2");
  await draining;
  expect(stragglers.busy).toBe(false);
});
