/** A secret reaches the agent, and nothing that is stored, streamed or thrown. */

import type { Executor } from "@heddle/core";
import { createEngine, defineAgent, HeddleError, memoryStorage } from "@heddle/core";
import { readStorage } from "@heddle/core/testing";
import { processExecutor } from "@heddle/executor-process";
import { expect, test } from "vitest";

const secret = 'tok-"☃"-4f1d9';
const source = new URL("../../agent-node/dist/index.js", import.meta.url).href;
const leaky = `
  import { serve } from ${JSON.stringify(source)};
  serve(async ({ secrets, emit, delta, checkpoint, log, input }) => {
    const { token } = secrets;
    console.log("on standard error:", token);
    await emit("used", { [token]: ["with " + token] });
    delta("token", token);
    log("info", "logged " + token);
    await checkpoint({ kept: token });
    if (input === "throw") throw new Error("bad token " + token);
    return { output: { same: token === ${JSON.stringify(secret)}, quoted: token }, values: { again: [token] } };
  });`;

function leakyExecutor(secrets: Record<string, string>): Executor {
  return processExecutor({ command: process.execPath, args: ["--input-type=module", "-e", leaky], secrets });
}

test.each(["return", "throw"])("an agent that tells it by mistake (%s)", async (how) => {
  const storage = memoryStorage();
  const agent = defineAgent({ name: "leaky", executor: leakyExecutor({ token: secret }) });
  await using engine = createEngine({ storage, agents: [agent] });
  await engine.start();
  const run = await engine.runs.start(agent, how);
  const frames: unknown[] = [];
  for await (const frame of run.events()) frames.push(frame);
  const outcome = await run.settled();
  const all = JSON.stringify([frames, outcome, await readStorage(storage)]);
  expect(all).toContain("[secret token]");
  expect(all).not.toContain("4f1d9");
  if (how === "return") expect(outcome).toMatchObject({ output: { same: true, quoted: "[secret token]" } });
});

test("a secret that is too short to be found again is refused, without telling it", async () => {
  const agent = defineAgent({ name: "short", executor: leakyExecutor({ token: "abc" }) });
  await using engine = createEngine({ storage: memoryStorage(), agents: [agent] });
  await engine.start();
  const outcome = await (await engine.runs.start(agent, null)).settled();
  expect(outcome).toMatchObject({ error: { code: "INVALID_ARGUMENT", details: { field: "secrets.token" } } });
  expect(JSON.stringify(outcome)).not.toContain("abc");
});

test("bad options are refused", () => {
  const bad: [object, string][] = [
    [{}, "command"],
    [{ command: "x", args: [1] }, "args"],
    [{ command: "x", protocol: "yaml" }, "protocol"],
    [{ command: "x", protocol: "json", secrets: {} }, "secrets"],
    [{ command: "x", limits: { frame: 0 } }, "limits.frame"],
  ];
  for (const [options, field] of bad) {
    let thrown: unknown;
    try {
      processExecutor(options as never);
    } catch (error) {
      thrown = error;
    }
    expect(HeddleError.is(thrown, "INVALID_ARGUMENT") && thrown.details["field"]).toBe(field);
  }
});
