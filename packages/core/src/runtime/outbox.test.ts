import { describe, expect, test } from "vitest";
import { HeddleError } from "../errors.js";
import type { DeltaFrame } from "../model/event.js";
import { manualClock } from "../testing/manual-clock.js";
import { Outbox } from "./outbox.js";

const event = (type: string) => ({ type, payload: "null" });
const delta = (type: string): DeltaFrame => {
  return { kind: "delta", runId: "run", attempt: 1, sequenceNumber: 1, type, payload: null };
};
const fence = new HeddleError("LEASE_LOST", "somebody else has the run");

/** An outbox whose commits the test ends one by one. `log` tells what readers see and what is on its way, in order. */
function handDriven() {
  const log: string[] = [];
  const underWay: { readonly end: (failure?: unknown) => void }[] = [];
  const commit = (events: readonly { readonly type: string }[]) =>
    new Promise<void>((resolve, reject) => {
      log.push(`commit ${events.map(({ type }) => type).join(" ")}`);
      underWay.push({ end: (failure) => (failure === undefined ? resolve() : reject(failure)) });
    });
  const outbox = new Outbox(commit, ({ type }) => void log.push(`delta ${type}`));
  const end = async (failure?: unknown): Promise<void> => {
    underWay.shift()?.end(failure);
    await turn();
  };
  /** Send events of these types, each in a turn of its own: the first is on its way before the others come. */
  const send = async (...types: readonly string[]) => {
    const fates: { now: string }[] = [];
    for (const type of types) {
      fates.push(fateOf(outbox.emit(event(type))));
      await turn();
    }
    return fates;
  };
  return { outbox, log, end, send };
}

const clock = manualClock();
const turn = () => clock.turn();

/** What became of a promise so far. */
function fateOf(promise: Promise<unknown>): { now: string } {
  const fate = { now: "open" };
  promise.then(
    () => Object.assign(fate, { now: "resolved" }),
    (error) => Object.assign(fate, { now: error === fence ? "fenced" : `rejected: ${error}` }),
  );
  return fate;
}

describe("frames keep their order", () => {
  test("a delta goes out at once while no event is on its way, and after its event otherwise", async () => {
    const { outbox, log, end } = handDriven();
    outbox.delta(delta("1"));
    const first = fateOf(outbox.emit(event("2")));
    outbox.delta(delta("3"));
    await turn();
    expect([log, first.now]).toEqual([["delta 1", "commit 2"], "open"]);
    await end();
    outbox.delta(delta("4"));
    expect([log, first.now]).toEqual([["delta 1", "commit 2", "delta 3", "delta 4"], "resolved"]);
  });

  test("events that wait for a commit share the next one; a delta between them parts them", async () => {
    const { outbox, log, end, send } = handDriven();
    const fates = await send("1", "2", "3");
    outbox.delta(delta("4"));
    fates.push(fateOf(outbox.emit(event("5"))));
    expect(log).toEqual(["commit 1"]);
    await end();
    expect(log).toEqual(["commit 1", "commit 2 3"]);
    expect(fates.map(({ now }) => now)).toEqual(["resolved", "open", "open", "open"]);
    await end();
    expect(log).toEqual(["commit 1", "commit 2 3", "delta 4", "commit 5"]);
    await end();
    expect(fates.map(({ now }) => now)).toEqual(Array(4).fill("resolved"));
  });

  test("events behind the last delta share a commit again", async () => {
    const { outbox, log, end, send } = handDriven();
    await send("1", "2");
    outbox.delta(delta("3"));
    await send("4", "5");
    for (let commits = 0; commits < 3; commits++) await end();
    expect(log).toEqual(["commit 1", "commit 2", "delta 3", "commit 4 5"]);
  });

  test("also an event that comes while the deltas before it go out", async () => {
    const { outbox, log, end } = handDriven();
    void outbox.emit(event("1"));
    outbox.delta(delta("2"));
    void outbox.emit(event("3"));
    outbox.delta(delta("4"));
    await turn();
    await end();
    await end();
    expect(log).toEqual(["commit 1", "delta 2", "commit 3", "delta 4"]);
  });
});

test("a commit that fails is its own events' failure: what comes behind them goes on", async () => {
  const { log, end, send } = handDriven();
  const [first, second] = await send("1", "2");
  await end(fence);
  expect([first?.now, second?.now, log]).toEqual(["fenced", "open", ["commit 1", "commit 2"]]);
  await end();
  expect(second?.now).toBe("resolved");
});

test("a failure that nobody waits for harms nobody", async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  const { outbox, end } = handDriven();
  void outbox.emit(event("1"));
  await turn();
  void outbox.emit(event("2"));
  await end(fence);
  outbox.abandon(fence);
  await end(fence);
  void outbox.emit(event("3"));
  await turn();
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

test("drain waits for all that was sent, also meanwhile", async () => {
  const { outbox, end } = handDriven();
  expect(fateOf(outbox.drain())).toEqual({ now: "open" });
  await turn();
  void outbox.emit(event("1"));
  await turn();
  const drained = fateOf(outbox.drain());
  void outbox.emit(event("2"));
  await end();
  expect(drained.now).toBe("open");
  await end();
  expect(drained.now).toBe("resolved");
  const idle = fateOf(outbox.drain());
  await turn();
  expect(idle.now).toBe("resolved");
});

describe("close", () => {
  test("hands over the events that are not on their way, to be written with the settle", async () => {
    const { outbox, log, end, send } = handDriven();
    const fates = await send("1", "2", "3");
    const closing = outbox.close(() => fence);
    await end();
    const { events, settled } = await closing;
    expect([events.map(({ type }) => type), log]).toEqual([["2", "3"], ["commit 1"]]);
    expect(fates.map(({ now }) => now)).toEqual(["resolved", "open", "open"]);
    settled();
    await turn();
    expect(fates.map(({ now }) => now)).toEqual(Array(3).fill("resolved"));
  });

  test("but not those with deltas behind them, which come before the end", async () => {
    const { outbox, log, end, send } = handDriven();
    await send("1", "2");
    outbox.delta(delta("3"));
    await send("4");
    const closing = outbox.close(() => fence);
    await end();
    await end();
    expect([(await closing).events, log]).toEqual([[event("4")], ["commit 1", "commit 2", "delta 3"]]);
  });

  test("when the settle fails, so do they", async () => {
    const { outbox, end, send } = handDriven();
    const fates = await send("1", "2");
    const closing = outbox.close(() => fence);
    await end();
    (await closing).settled(fence);
    await turn();
    expect(fates.map(({ now }) => now)).toEqual(["resolved", "fenced"]);
  });

  test("waits for what is on its way, and for events with deltas behind them: those come before the end", async () => {
    const { outbox, log, end, send } = handDriven();
    await send("1", "2");
    outbox.delta(delta("3"));
    const closing = outbox.close(() => fence);
    await end();
    expect(log).toEqual(["commit 1", "commit 2"]);
    await end();
    const { events, settled } = await closing;
    settled();
    expect([events, log]).toEqual([[], ["commit 1", "commit 2", "delta 3"]]);
  });

  test("with one commit under way, or none, there is nothing to hand over", async () => {
    const { outbox, end, send } = handDriven();
    const [one] = await send("1");
    const closing = outbox.close(() => fence);
    await end();
    expect([(await closing).events, one?.now]).toEqual([[], "resolved"]);
    expect((await handDriven().outbox.close(() => fence)).events).toEqual([]);
  });

  test("nothing is taken afterwards: events are refused with the given error, deltas left out", async () => {
    const { outbox, log } = handDriven();
    await outbox.close(() => fence);
    outbox.delta(delta("1"));
    await expect(outbox.emit(event("2"))).rejects.toBe(fence);
    expect(log).toEqual([]);
  });
});

test("when the attempt is fenced off, what is not on its way is refused, and nothing more is taken", async () => {
  const { outbox, log, end, send } = handDriven();
  const fates = await send("1", "2");
  outbox.delta(delta("3"));
  fates.push(...(await send("4")));
  outbox.abandon(fence);
  await turn();
  expect(fates.map(({ now }) => now)).toEqual(["open", "fenced", "fenced"]);
  await expect(outbox.emit(event("5"))).rejects.toBe(fence);
  outbox.delta(delta("6"));
  await end();
  expect([fates[0]?.now, log]).toEqual(["resolved", ["commit 1"]]);
});

describe("what is sent in one go", () => {
  test("is one commit", async () => {
    const { outbox, log, end } = handDriven();
    const fates = ["1", "2", "3"].map((type) => fateOf(outbox.emit(event(type))));
    await turn();
    expect(log).toEqual(["commit 1 2 3"]);
    await end();
    expect(fates.map(({ now }) => now)).toEqual(Array(3).fill("resolved"));
  });

  test("right before the end, is written with it", async () => {
    const { outbox, log } = handDriven();
    const fate = fateOf(outbox.emit(event("1")));
    const { events, settled } = await outbox.close(() => fence);
    expect([events, log, fate.now]).toEqual([[event("1")], [], "open"]);
    settled();
    await turn();
    expect([log, fate.now]).toEqual([[], "resolved"]);
  });

  test("right before the fence, is refused", async () => {
    const { outbox, log } = handDriven();
    const fate = fateOf(outbox.emit(event("1")));
    outbox.abandon(fence);
    await turn();
    expect([log, fate.now]).toEqual([[], "fenced"]);
  });
});
