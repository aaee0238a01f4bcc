/** A container engine that goes away under a run fails that attempt with a typed error; once it is back, work goes on. */

import type { Agent } from "@heddle/core";
import Docker from "dockerode";
import { expect, test } from "vitest";
import { image, nodeAgent, startEngine, untilEvent, withEngine } from "./support/engine.js";
import { canHaveOwnDaemon, OwnDaemon } from "./support/own-daemon.js";
import { minutes, sized } from "./support/size.js";

const body = `
  await ctx.emit("ready", ctx.attempt);
  if (ctx.input === "wait" && ctx.attempt === 1) await new Promise(() => setInterval(() => {}, 1000));
  return { output: ctx.attempt };`;

/** The engine ends its containers before itself: what their runs see depends on who is faster. */
const whatItLooksLike = ["EXECUTOR_UNAVAILABLE", "AGENT_EXITED"];

const ways = [
  { what: "is stopped", end: (daemon: OwnDaemon) => daemon.stop() },
  { what: "is killed", end: (daemon: OwnDaemon) => daemon.crash() },
];
const options = { timeout: 2 * minutes, skip: !canHaveOwnDaemon };

withEngine("the container engine goes away while a run is under way, and comes back", () => {
  test.each(ways.slice(sized(1, 0)))("it $what: the run goes on as its retry policy says", options, async ({ end }) => {
    await using daemon = await OwnDaemon.start();
    daemon.load(image);
    const executor = { engine: { socketPath: daemon.socketPath }, reapEvery: 200, warm: 1 };
    const retry = { maxFailures: 100, delay: 300, factor: 1, jitter: "none" } as const;
    const patient = { ...nodeAgent(body, executor), name: "patient", retry } as Agent;
    const hasty = { ...nodeAgent(body, executor), name: "hasty" } as Agent;
    await using engine = await startEngine(patient, hasty);
    engine.on("error", () => {});

    const [first, second] = [await engine.runs.start(patient, "wait"), await engine.runs.start(hasty, "wait")];
    await Promise.all([untilEvent(first, "ready"), untilEvent(second, "ready")]);
    await end(daemon);
    const outcome = await second.settled();
    expect(whatItLooksLike).toContain(outcome.status === "failed" && outcome.error.code);
    const meanwhile = await engine.runs.start(hasty, "go");
    expect(await meanwhile.settled()).toMatchObject({ status: "failed", error: { code: "EXECUTOR_UNAVAILABLE" } });

    await daemon.start();
    expect(await first.result()).toBeGreaterThan(1);
    expect(await (await engine.runs.start(hasty, "go")).result()).toBe(1);
    await engine.close();
    expect(await new Docker({ socketPath: daemon.socketPath }).listContainers({ all: true })).toEqual([]);
  });
});
