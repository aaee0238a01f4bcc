/** Steering: a run that is handed to the live run as a message. It is consumed once, by whoever settles with it. */

import type { Json, RunHandle, SteeredMessage } from "@heddle/core";
import { defineAgent } from "@heddle/core";
import { expect, test } from "vitest";
import { z } from "zod";
import { handDriven } from "./hand-driven.js";
import { isPending, setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const inputs = (messages: readonly SteeredMessage[]) => messages.map(({ input }) => input);

onEveryStorage("steering", (kind) => {
  const start = async (options: Parameters<typeof handDriven>[0] = {}) => {
    const worker = handDriven({ whenBusy: "steer", ...options });
    const world = await setUp(kind, { agents: [worker.agent], concurrency: 8 });
    const thread = await world.engine.threads.create();
    return { worker, thread, ...world };
  };

  test("the live run takes the message, and the message's run settles with it", async () => {
    const { worker, thread } = await start();
    const live = await thread.start(worker.agent, "first");
    const turn = await worker.next();
    const message = await thread.start(worker.agent, "second", { metadata: { from: "ä" } });
    expect(await message.info()).toMatchObject({ status: "pending", waiting: "steering", takenBy: undefined });
    expect((await thread.queue()).map(({ id }) => id)).toEqual([message.id]);
    const taken = await turn.context.takeSteered();
    expect(taken).toEqual([{ runId: message.id, input: "second", inputJson: "second", metadata: { from: "ä" } }]);
    expect(await turn.context.takeSteered()).toEqual([]);
    turn.finish({ output: "both" });
    expect(await message.result()).toBe("both");
    expect(await live.result()).toBe("both");
    expect(await message.info()).toMatchObject({ status: "succeeded", takenBy: live.id, attempt: 0 });
    expect(worker.turns).toHaveLength(1);
  });

  test("messages come as they are sent, in order", async () => {
    const seen: Json[] = [];
    const agent = defineAgent({
      name: "listener",
      whenBusy: "steer",
      async run({ steered }) {
        for await (const { input } of steered()) {
          seen.push(input);
          if (input === "stop") break;
        }
        return { output: seen.length };
      },
    });
    const { engine, quiet } = await setUp(kind, { agents: [agent] });
    const thread = await engine.threads.create();
    const live = await thread.start(agent, "go");
    const messages: RunHandle[] = [];
    for (const input of ["a", "b", "c", "stop"]) {
      messages.push(await thread.start(agent, input));
      await quiet();
    }
    expect(await live.result()).toBe(4);
    for (const message of messages) expect(await message.result()).toBe(4);
    expect(seen).toEqual(["a", "b", "c", "stop"]);
  });

  test("many at once: each is taken once", async () => {
    const { worker, thread } = await start();
    await thread.start(worker.agent, "live");
    const turn = await worker.next();
    const messages = await Promise.all(Array.from({ length: 30 }, (_, n) => thread.start(worker.agent, n)));
    const taken = await turn.context.takeSteered();
    expect(inputs(taken).sort()).toEqual(messages.map((_, n) => n).sort());
    turn.finish({ output: "all" });
    for (const message of messages) expect(await message.result()).toBe("all");
    expect(worker.turns).toHaveLength(1);
  });

  test("what the run did not take runs next, ahead of the queue, in order", async () => {
    const { worker, thread } = await start();
    await thread.start(worker.agent, "live");
    const turn = await worker.next();
    await thread.start(worker.agent, "queued", { whenBusy: "enqueue" });
    for (const input of ["a", "b"]) await thread.start(worker.agent, input);
    turn.finish();
    for (const expected of ["a", "b", "queued"]) {
      const next = await worker.next();
      expect(next.context.input).toBe(expected);
      next.finish();
    }
  });

  test("a message that was taken fails with its run, and is canceled with it", async () => {
    const { worker, thread } = await start();
    for (const how of ["fail", "cancel"]) {
      const live = await thread.start(worker.agent, "live");
      const turn = await worker.next();
      const message = await thread.start(worker.agent, "message");
      await turn.context.takeSteered();
      if (how === "cancel") await live.cancel({ note: "enough" });
      turn.fail(new Error("boom"));
      const expected =
        how === "fail"
          ? { status: "failed", error: { message: "boom" } }
          : { status: "canceled", reason: { kind: "user", note: "enough" } };
      expect(await message.settled()).toMatchObject(expected);
    }
  });

  test("a retry gets everything again: nothing was consumed", async () => {
    const { worker, thread, advance } = await start({ retry: { maxFailures: 2, delay: 100, jitter: "none" } });
    await thread.start(worker.agent, "live");
    const first = await worker.next();
    const message = await thread.start(worker.agent, "a");
    expect(inputs(await first.context.takeSteered())).toEqual(["a"]);
    first.fail(new Error("once"));
    await advance(50);
    const late = await thread.start(worker.agent, "b");
    await advance(51);
    const second = await worker.next();
    expect(inputs(await second.context.takeSteered())).toEqual(["a", "b"]);
    second.finish({ output: "at last" });
    expect([await message.result(), await late.result()]).toEqual(["at last", "at last"]);
  });

  test("a run that is over in another process's hands after a restart takes what was handed to it before", async () => {
    const { worker, thread, close, join } = await start();
    await thread.start(worker.agent, "live");
    await worker.next();
    const { id } = await thread.start(worker.agent, "message");
    await close();
    const { engine } = await join({ agents: [worker.agent] });
    const turn = await worker.next();
    expect(inputs(await turn.context.takeSteered())).toEqual(["message"]);
    turn.finish({ output: "after" });
    expect(await (await engine.runs.get(id)).result()).toBe("after");
  });

  test("a message sent through another engine reaches the live run", async () => {
    const { worker, thread, join } = await start();
    const other = await join({ agents: [worker.agent], work: false });
    await thread.start(worker.agent, "live");
    const turn = await worker.next();
    const waiting = turn.context.steered().next();
    const message = await (await other.engine.threads.get(thread.id)).start(worker.agent, "from afar");
    // On a storage without hints it is the heartbeat that tells.
    for (let beats = 0; beats < 4 && (await isPending(waiting)); beats++) await other.advance(5_000);
    expect((await waiting).value).toMatchObject({ input: "from afar" });
    turn.finish({ output: "heard" });
    expect(await message.result()).toBe("heard");
  });

  test("the loop of an agent that is canceled ends", async () => {
    const { worker, thread } = await start();
    const live = await thread.start(worker.agent, "live");
    const { context, fail } = await worker.next();
    const waiting = context.steered().next();
    await live.cancel();
    expect(await waiting).toEqual({ done: true, value: undefined });
    fail(context.signal.reason);
    await live.settled();
  });

  test("for another agent than the live run's, or for one that is told to stop, it waits for its turn", async () => {
    const { worker, thread } = await start();
    const live = await thread.start(worker.agent, "live");
    const turn = await worker.next();
    await live.cancel();
    const late = await thread.start(worker.agent, "late");
    expect(await late.info()).toMatchObject({ waiting: "queued" });
    turn.fail(turn.context.signal.reason);
    (await worker.next()).finish({ output: "own" });
    expect(await late.result()).toBe("own");
  });

  test("on an idle thread it is a plain start", async () => {
    const { worker, thread } = await start();
    const run = await thread.start(worker.agent, "alone");
    (await worker.next()).finish({ output: "alone" });
    expect(await run.result()).toBe("alone");
  });

  test("rolled back: what was taken goes with the run, what was not is superseded", async () => {
    const { worker, thread } = await start();
    const live = await thread.start(worker.agent, "live");
    const turn = await worker.next();
    const taken = await thread.start(worker.agent, "taken");
    await turn.context.takeSteered();
    const untaken = await thread.start(worker.agent, "untaken");
    await live.cancel({ rollback: true });
    turn.fail(turn.context.signal.reason);
    expect(await taken.settled()).toEqual({ status: "canceled", reason: { kind: "rolled_back" } });
    expect(await untaken.settled()).toEqual({ status: "canceled", reason: { kind: "superseded" } });
    expect(await thread.info()).toMatchObject({ status: "idle", queueLength: 0 });
  });

  test("a message can be canceled while it waits", async () => {
    const { worker, thread } = await start();
    await thread.start(worker.agent, "live");
    const turn = await worker.next();
    const message = await thread.start(worker.agent, "message");
    expect(await message.cancel()).toEqual({ outcome: "canceled" });
    turn.finish();
    expect(await message.settled()).toMatchObject({ status: "canceled" });
  });

  test("inputs are those that the agent's schema makes of them", async () => {
    const agent = defineAgent({
      name: "typed",
      whenBusy: "steer",
      input: z.object({ text: z.string(), n: z.number().default(7) }),
      async run({ steered }) {
        for await (const { input } of steered()) return { output: input.n + input.text.length };
        return {};
      },
    });
    const { engine } = await setUp(kind, { agents: [agent] });
    const thread = await engine.threads.create();
    const live = await thread.start(agent, { text: "" });
    await thread.start(agent, { text: "four" });
    expect(await live.result()).toBe(11);
  });
});
