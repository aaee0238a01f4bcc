/** `engine.on`: typed hooks, told after the commit; whatever a listener does, no run is harmed. */

import type { LifecycleType } from "@heddle/core";
import { expect, test } from "vitest";
import { handDriven } from "./hand-driven.js";
import type { World } from "./set-up.js";
import { setUp } from "./set-up.js";
import { onEveryStorage } from "./storages.js";

const runHooks = [
  "run_accepted",
  "run_started",
  "run_retrying",
  "run_cancel_requested",
  "run_succeeded",
  "run_failed",
  "run_canceled",
  "run_interrupted",
] as const satisfies readonly LifecycleType[];

/** What is told from now on, in order. */
function listen({ engine }: World): string[] {
  const heard: string[] = [];
  for (const type of runHooks) engine.on(type, ({ run }) => heard.push(`${type} ${run.input}`));
  engine.on("run_deleted", () => heard.push("run_deleted"));
  engine.on("thread_updated", ({ thread }) => heard.push(`thread_updated ${thread.title}`));
  engine.on("thread_deleted", () => heard.push("thread_deleted"));
  return heard;
}

onEveryStorage("lifecycle hooks", (kind) => {
  test("tell each step of a run once, with the run as it then was", async () => {
    const worker = handDriven({ retry: { maxFailures: 2, jitter: "none", delay: 10 } });
    const world = await setUp(kind, { agents: [worker.agent] });
    const { engine, advance } = world;
    const heard = listen(world);
    const seen: unknown[] = [];
    engine.on("run_started", ({ run }) => seen.push([run.status, run.attempt]));
    engine.on("run_retrying", ({ run }) => seen.push([run.status, run.failures]));
    engine.on("run_succeeded", ({ run }) => seen.push([run.status, run.status === "succeeded" && run.output]));
    const run = await engine.runs.start(worker.agent, "a");
    (await worker.next()).fail(new Error("once"));
    await advance(10);
    (await worker.next()).finish({ output: 1 });
    await run.result();
    expect(heard).toEqual(["run_accepted a", "run_started a", "run_retrying a", "run_started a", "run_succeeded a"]);
    expect(seen).toEqual([
      ["running", 1],
      ["pending", 1],
      ["running", 2],
      ["succeeded", 1],
    ]);
  });

  test("tell of cancels, failures, deletions and threads", async () => {
    const worker = handDriven();
    const world = await setUp(kind, { agents: [worker.agent] });
    const heard = listen(world);
    const { engine } = world;
    const run = await engine.runs.start(worker.agent, "a");
    const turn = await worker.next();
    await run.cancel();
    turn.finish();
    await run.settled();
    await run.delete();
    const failing = await engine.runs.start(worker.agent, "b");
    (await worker.next()).fail(new Error("boom"));
    await failing.settled();
    const thread = await engine.threads.create();
    await thread.update({ title: "t" });
    await thread.start(worker.agent, "c");
    await worker.next();
    await thread.delete();
    expect(heard).toEqual([
      "run_accepted a",
      "run_started a",
      "run_cancel_requested a",
      "run_canceled a",
      "run_deleted",
      "run_accepted b",
      "run_started b",
      "run_failed b",
      "thread_updated t",
      "run_accepted c",
      "run_started c",
      "run_canceled c",
      "thread_deleted",
    ]);
  });

  test("are told after the commit: what a listener reads is there", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const found: string[] = [];
    engine.on("run_succeeded", async ({ run }) => {
      found.push((await (await engine.runs.get(run.id)).info()).status);
    });
    const run = await engine.runs.start(worker.agent, "a");
    (await worker.next()).finish();
    await run.result();
    await quiet();
    expect(found).toEqual(["succeeded"]);
  });

  test("that throw or reject harm no run and no other listener, and are reported as error", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const errors: string[] = [];
    const heard: string[] = [];
    engine.on("error", ({ error, during }) => errors.push(`${during}: ${(error as Error).message}`));
    engine.on("error", () => {
      throw new Error("and this one throws as well");
    });
    for (const type of runHooks) {
      engine.on(type, () => {
        throw new Error(`thrown in ${type}`);
      });
      engine.on(type, async () => {
        throw new Error(`rejected in ${type}`);
      });
      engine.on(type, () => void heard.push(type));
    }
    const run = await engine.runs.start(worker.agent, "a");
    (await worker.next()).finish({ output: "fine" });
    expect(await run.result()).toBe("fine");
    await quiet();
    expect(heard).toEqual(["run_accepted", "run_started", "run_succeeded"]);
    for (const type of heard) {
      expect(errors).toContain(`a listener of ${type}: thrown in ${type}`);
      expect(errors).toContain(`a listener of ${type}: rejected in ${type}`);
    }
    expect((await (await engine.runs.start(worker.agent, "b")).info()).status).toBe("running");
  });

  test("that nobody takes up are not fatal: an error without a listener is a warning", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    const warnings: Error[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on("warning", hear);
    engine.on("run_started", () => {
      throw new Error("nobody listens");
    });
    for (let n = 0; n < 3; n++) await engine.runs.start(worker.agent, n);
    await quiet();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", hear);
    expect(warnings.map(({ name, message }) => `${name}: ${message}`)).toEqual([
      expect.stringMatching(/^HeddleWarning: .*nobody listens/),
    ]);
  });

  test("can be taken off, also while they are told", async () => {
    const worker = handDriven();
    const { engine } = await setUp(kind, { agents: [worker.agent] });
    const heard: string[] = [];
    const off = engine.on("run_accepted", () => {
      heard.push("first");
      off();
    });
    engine.on("run_accepted", () => heard.push("second"));
    await engine.runs.start(worker.agent, 1);
    await engine.runs.start(worker.agent, 2);
    off();
    expect(heard).toEqual(["first", "second", "second"]);
  });

  test("may start, cancel and delete runs themselves", async () => {
    const worker = handDriven();
    const { engine, quiet } = await setUp(kind, { agents: [worker.agent] });
    engine.on("run_succeeded", async ({ run }) => {
      if (run.input === "first") await engine.runs.start(worker.agent, "second");
      await engine.runs.delete(run.id);
    });
    await engine.runs.start(worker.agent, "first");
    (await worker.next()).finish();
    const second = await worker.next();
    expect(second.context.input).toBe("second");
    second.finish();
    await quiet();
    expect(await engine.runs.count()).toBe(0);
  });

  test("tell of the engine's own commits only", async () => {
    const worker = handDriven();
    const first = await setUp(kind, { agents: [worker.agent] });
    const other = await first.join({ agents: [worker.agent], work: false });
    const heard = listen(other);
    const run = await first.engine.runs.start(worker.agent, "a");
    (await worker.next()).finish();
    await run.result();
    await first.quiet();
    expect(heard).toEqual([]);
  });
});
