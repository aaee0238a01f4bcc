import { describe, expect, test } from "vitest";
import { TurnQueue } from "../src/turn-queue.js";

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

async function entered(turns: TurnQueue, order: string[], name: string): Promise<void> {
  await turns.enter();
  order.push(name);
}

describe("turns on a connection", () => {
  test("are given in the order they were asked for; a newcomer overtakes nobody", async () => {
    const turns = new TurnQueue();
    const order: string[] = [];
    await turns.enter();
    for (const name of ["a", "b", "c"]) void entered(turns, order, name);
    turns.leave();
    void entered(turns, order, "late");
    for (let i = 0; i < 4; i++) {
      await tick();
      turns.leave();
    }
    expect(order).toEqual(["a", "b", "c", "late"]);
  });

  test("reads run at once where nobody has a turn, else in their place in the line", async () => {
    const turns = new TurnQueue();
    const order: string[] = [];
    const read = (name: string) => turns.read(() => order.push(name));
    await read("first");
    await turns.enter();
    void entered(turns, order, "writer");
    const second = read("second");
    await tick();
    expect(order).toEqual(["first"]);
    turns.leave();
    await tick();
    expect(order).toEqual(["first", "writer"]);
    turns.leave();
    await second;
    expect(order).toEqual(["first", "writer", "second"]);
  });

  test("reads pass while the holder waits for another process, writers do not", async () => {
    const turns = new TurnQueue();
    const order: string[] = [];
    await turns.enter();
    void entered(turns, order, "writer");
    const waiting = turns.read(() => order.push("read that waited"));
    turns.pause();
    await waiting;
    await turns.read(() => order.push("new read"));
    turns.resume();
    const last = turns.read(() => order.push("read after"));
    await tick();
    expect(order).toEqual(["read that waited", "new read"]);
    turns.leave();
    await tick();
    turns.leave();
    await last;
    expect(order).toEqual(["read that waited", "new read", "writer", "read after"]);
  });

  test("a read that throws harms nobody behind it", async () => {
    const turns = new TurnQueue();
    await turns.enter();
    const failing = turns.read(() => {
      throw new Error("no such table");
    });
    const fine = turns.read(() => 7);
    turns.leave();
    await expect(failing).rejects.toThrow("no such table");
    expect(await fine).toBe(7);
  });

  test("ten thousand that wait cost one wake-up each", async () => {
    const turns = new TurnQueue();
    await turns.enter();
    let woken = 0;
    const all = Array.from({ length: 10_000 }, async () => {
      await turns.enter();
      woken++;
      turns.leave();
    });
    turns.leave();
    await Promise.all(all);
    expect(woken).toBe(10_000);
  });
});
