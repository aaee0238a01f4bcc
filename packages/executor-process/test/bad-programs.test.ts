/** Whatever a program does on its pipes, its run fails with a typed error, and the host and other runs go on. */

import type { Agent, RunError } from "@heddle/core";
import { createEngine, defineAgent, memoryStorage } from "@heddle/core";
import type { ProcessExecutorOptions } from "@heddle/executor-process";
import { processExecutor } from "@heddle/executor-process";
import { describe, expect, test } from "vitest";
import { isAlive, untilGone } from "./support/processes.js";

const say = (frame: object): string => `process.stdout.write(${JSON.stringify(`${JSON.stringify(frame)}\n`)});`;
const result = say({ type: "result", output: "done" });
const waitForEnd = `process.stdin.resume().on("end", () => process.exit(0));`;

interface BadProgram extends Partial<ProcessExecutorOptions> {
  readonly code: string;
  readonly error: string;
  readonly message?: RegExp;
}

const badPrograms: Readonly<Record<string, BadProgram>> = {
  "a line that is no JSON": {
    code: `console.log("hello"); ${waitForEnd}`,
    error: "AGENT_PROTOCOL",
    message: /no JSON/,
  },
  "JSON that is no frame": { code: `console.log("[1]"); ${waitForEnd}`, error: "AGENT_PROTOCOL" },
  "an unknown frame": { code: `${say({ type: "shout" })} ${waitForEnd}`, error: "AGENT_PROTOCOL" },
  "a frame with a wrong field": { code: say({ type: "delta", delta: 7 }), error: "AGENT_PROTOCOL", message: /delta/ },
  "another version": { code: say({ type: "hello", protocol: 99 }), error: "AGENT_PROTOCOL", message: /version 99/ },
  "binary rubbish": {
    code: `process.stdout.write(Buffer.from([0xff, 0xfe, 0, 1, 10])); ${waitForEnd}`,
    error: "AGENT_PROTOCOL",
    message: /UTF-8/,
  },
  "a frame that never ends": {
    code: `setInterval(() => process.stdout.write("x".repeat(65536)), 0)`,
    error: "AGENT_PROTOCOL",
    message: /more than 100000 bytes/,
    limits: { frame: 100_000 },
  },
  "an endless stream of good frames": {
    code: `setInterval(() => process.stdout.write('{"type":"heartbeat"}\\n'.repeat(1000)), 0)`,
    error: "TOO_LARGE",
    limits: { output: 1_000_000 },
  },
  "an endless log": {
    code: `setInterval(() => process.stderr.write("x".repeat(65536)), 0)`,
    error: "TOO_LARGE",
    limits: { output: 1_000_000 },
  },
  "a frame after the last word": {
    code: `${result} ${say({ type: "event", event: "late" })} ${waitForEnd}`,
    error: "AGENT_PROTOCOL",
    message: /after its last word/,
  },
  "rubbish after the last word": { code: `${result} process.stdout.write("bye")`, error: "AGENT_PROTOCOL" },
  "two last words": { code: `${result} ${result}`, error: "AGENT_PROTOCOL" },
  "an end without a word": { code: "process.exit(0)", error: "AGENT_EXITED", message: /exit code 0/ },
  "a crash": {
    code: `console.error("it", "hurts"); process.exit(7)`,
    error: "AGENT_EXITED",
    message: /exit code 7.*it hurts/,
  },
  "death by signal": { code: `process.kill(process.pid, "SIGKILL")`, error: "AGENT_EXITED", message: /SIGKILL/ },
  "half a frame, then death": { code: `process.stdout.write('{"type":"res'); process.exit(0)`, error: "AGENT_EXITED" },
  silence: { code: "setInterval(() => {}, 1000)", error: "ATTEMPT_TIMEOUT", limits: { silence: 300 } },
  "an event that is the engine's own": {
    code: `${say({ type: "event", event: "run_succeeded" })} ${waitForEnd}`,
    error: "INVALID_ARGUMENT",
  },
  "a patch of what is not there": {
    code: say({ type: "result", patch: [{ op: "append", path: ["nothing", "here"], values: [1] }] }),
    error: "AGENT_PROTOCOL",
    message: /operation 0/,
  },
  "values that are no object": { code: say({ type: "result", values: [1] }), error: "AGENT_PROTOCOL" },
  "a frame nested too deep": {
    code: `process.stdout.write('{"type":"event","event":"e","payload":' + "[".repeat(1e5) + "]".repeat(1e5) + "}\\n"); ${waitForEnd}`,
    error: "INVALID_JSON",
  },
  "a command that is not there": { code: "", error: "COMMAND_NOT_FOUND", command: "no-such-command-anywhere" },
  "a folder that is not there": { code: "", error: "COMMAND_NOT_FOUND", cwd: "/no/such/folder" },
};

describe("each is contained", () => {
  test.each(Object.entries(badPrograms))("%s", async (_name, { code, error, message = /./, ...options }) => {
    const executor = processExecutor({ command: process.execPath, args: ["-e", code], ...options });
    const failed = await runBesideAGoodOne(defineAgent({ name: "bad", executor }));
    expect(failed.code).toBe(error);
    expect(failed.message).toMatch(message);
  });
});

test("a result of a program that will not go counts, and the program is ended", async () => {
  const code = `${result} process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)`;
  const executor = processExecutor({ command: process.execPath, args: ["-e", code] });
  await using engine = createEngine({ storage: memoryStorage(), agents: [defineAgent({ name: "stays", executor })] });
  await engine.start();
  const run = await engine.runs.start({ name: "stays" }, null);
  expect(await run.result()).toBe("done");
});

test("what a program starts ends with it", async () => {
  const grandchild = `setInterval(() => {}, 1000)`;
  const code = `
    const child = require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(grandchild)}], { stdio: "inherit" });
    process.stdout.write(JSON.stringify({ type: "result", output: child.pid }) + "\\n");
    ${waitForEnd}`;
  const executor = processExecutor({ command: process.execPath, args: ["-e", code] });
  await using engine = createEngine({ storage: memoryStorage(), agents: [defineAgent({ name: "parent", executor })] });
  await engine.start();
  const pid = (await (await engine.runs.start({ name: "parent" }, null)).result()) as number;
  await untilGone(pid);
  expect(isAlive(pid)).toBe(false);
});

test("a program that ignores everything is gone soon after the cancel's grace", async () => {
  const code = `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);
    process.stdout.write(JSON.stringify({ type: "event", event: "pid", payload: process.pid }) + "\\n");`;
  const executor = processExecutor({ command: process.execPath, args: ["-e", code] });
  await using engine = createEngine({ storage: memoryStorage(), agents: [defineAgent({ name: "deaf", executor })] });
  await engine.start();
  const run = await engine.runs.start({ name: "deaf" }, null);
  let pid = 0;
  for await (const frame of run.events()) {
    if (frame.kind === "event" && frame.type === "pid" && frame.payload !== null) {
      pid = frame.payload as number;
      break;
    }
  }
  expect(isAlive(pid)).toBe(true);
  await run.cancel({ grace: 200, wait: true });
  expect((await run.settled()).status).toBe("canceled");
  await untilGone(pid);
});

test("the host's environment is not handed on", async () => {
  process.env["HOST_PASSWORD"] = "hunter22";
  const code = `process.stdout.write(JSON.stringify({ type: "result", output: Object.keys(process.env) }) + "\\n")`;
  const executor = processExecutor({ command: process.execPath, args: ["-e", code], env: { MINE: "1" } });
  await using engine = createEngine({ storage: memoryStorage(), agents: [defineAgent({ name: "nosy", executor })] });
  await engine.start();
  const names = (await (await engine.runs.start({ name: "nosy" }, null)).result()) as string[];
  expect(names).toContain("PATH");
  expect(names).toContain("MINE");
  expect(names).not.toContain("HOST_PASSWORD");
});

/** The run of the bad agent fails; one of a good agent, which was under way meanwhile, succeeds. */
async function runBesideAGoodOne(bad: Agent): Promise<RunError> {
  let finish = (): void => {};
  const good = defineAgent({
    name: "good",
    run: () => new Promise<{ output: string }>((resolve) => (finish = () => resolve({ output: "fine" }))),
  });
  await using engine = createEngine({ storage: memoryStorage(), agents: [bad, good] });
  await engine.start();
  const other = await engine.runs.start(good, null);
  const outcome = await (await engine.runs.start(bad, null)).settled();
  finish();
  expect(await other.result()).toBe("fine");
  if (outcome.status !== "failed") throw new Error(`the run ${outcome.status}`);
  return outcome.error;
}
