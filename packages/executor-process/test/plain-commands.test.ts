/** A command that reads JSON and prints JSON runs as it is. */

import { createEngine, defineAgent, memoryStorage } from "@heddle/core";
import { processExecutor } from "@heddle/executor-process";
import { expect, test } from "vitest";

async function runPlain(code: string, input: unknown, limits = {}) {
  const executor = processExecutor({ command: "python3", args: ["-c", code], protocol: "json", limits });
  await using engine = createEngine({ storage: memoryStorage(), agents: [defineAgent({ name: "plain", executor })] });
  await engine.start();
  return (await engine.runs.start({ name: "plain" }, input)).settled();
}

test("input in, output out", async () => {
  const code = "import json, sys; print(json.dumps({'sum': sum(json.load(sys.stdin))}, indent=2))";
  expect(await runPlain(code, [1, 2, 3])).toMatchObject({ status: "succeeded", output: { sum: 6 } });
});

test("nothing printed is no output", async () => {
  expect(await runPlain("pass", null)).toMatchObject({ status: "succeeded", output: null });
});

test("an exit code is a failure, and standard error says why", async () => {
  const outcome = await runPlain("import sys; print('{}'); sys.exit('no such customer')", null);
  expect(outcome).toMatchObject({
    status: "failed",
    error: { code: "AGENT_EXITED", details: { exitCode: 1, log: ["no such customer"] } },
  });
});

test("what is no JSON, or too much of it, is a failure", async () => {
  expect(await runPlain("print('hello')", null)).toMatchObject({ error: { code: "AGENT_PROTOCOL" } });
  expect(await runPlain("print('1' * 2000)", null, { frame: 1000 })).toMatchObject({
    error: { code: "AGENT_PROTOCOL" },
  });
});
