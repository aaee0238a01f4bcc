/** Whatever happens in a container, its run fails with a typed error, nothing of it stays, and other runs go on. */

import type { Agent } from "@heddle/core";
import { defineAgent } from "@heddle/core";
import type { DockerExecutorOptions } from "@heddle/executor-docker";
import { expect, test } from "vitest";
import { containerAgent, containersOf, nodeAgent, startEngine, untilEvent, withEngine } from "./support/engine.js";

const MiB = 1024 * 1024;
const say = (frame: object): string => `process.stdout.write(${JSON.stringify(`${JSON.stringify(frame)}\n`)});`;
const waitForEnd = `process.stdin.resume().on("end", () => process.exit(0));`;
const node = (code: string): string[] => ["node", "-e", code];
const python = (code: string): string[] => ["python3", "-c", code];

const forkBomb = `
import os, time
end = time.monotonic() + 20
while time.monotonic() < end:
    try: os.fork()
    except OSError: time.sleep(0.01)`;

interface BadContainer extends Partial<DockerExecutorOptions> {
  readonly error: string;
  readonly message?: RegExp;
}

const badContainers: Readonly<Record<string, BadContainer>> = {
  "a malformed frame": { command: node(`console.log("hello"); ${waitForEnd}`), error: "AGENT_PROTOCOL" },
  "an oversized frame": {
    command: node(`setInterval(() => process.stdout.write("x".repeat(65536)), 0)`),
    limits: { frame: 100_000 },
    error: "AGENT_PROTOCOL",
    message: /more than 100000 bytes/,
  },
  "a frame after the result": {
    command: node(`${say({ type: "result" })} ${say({ type: "heartbeat" })} ${waitForEnd}`),
    error: "AGENT_PROTOCOL",
    message: /after its last word/,
  },
  "binary rubbish": {
    command: node(`process.stdout.write(Buffer.from([0xff, 0xfe, 0, 1, 10])); ${waitForEnd}`),
    error: "AGENT_PROTOCOL",
    message: /UTF-8/,
  },
  "an endless stdout": {
    command: node(`setInterval(() => process.stdout.write('{"type":"heartbeat"}\\n'.repeat(5000)), 0)`),
    limits: { output: 20 * MiB },
    error: "TOO_LARGE",
  },
  "a memory hog": {
    command: node("const hog = []; for (;;) hog.push(Buffer.alloc(10_000_000, 1))"),
    limits: { memory: 64 * MiB },
    error: "AGENT_OUT_OF_MEMORY",
  },
  "a fork bomb": { command: python(forkBomb), limits: { silence: 3_000 }, error: "ATTEMPT_TIMEOUT" },
  "a full disk": {
    command: python("open('/tmp/much', 'wb').write(b'x' * 100_000_000)"),
    error: "AGENT_EXITED",
    message: /No space left/,
  },
  "a crash": {
    command: node(`console.error("it hurts"); process.exit(7)`),
    error: "AGENT_EXITED",
    message: /exit code 7.*it hurts/,
  },
  "a command that is not in the image": { command: ["no-such-command"], error: "COMMAND_NOT_FOUND" },
  "a folder that is no command": { command: ["/tmp"], error: "COMMAND_NOT_FOUND" },
  "no command at all": { error: "COMMAND_NOT_FOUND" },
  "an image that is not there": { image: "heddle/no-such-image", pull: "never", error: "IMAGE_UNAVAILABLE" },
  "an image that cannot be pulled": { image: "localhost:1/no/such:image", error: "IMAGE_UNAVAILABLE" },
  "a folder to build that is not there": { build: { context: "/no/such/folder" }, error: "IMAGE_UNAVAILABLE" },
  "an engine that is not there": { engine: { socketPath: "/tmp/no-such.sock" }, error: "EXECUTOR_UNAVAILABLE" },
  "a mount of what is not there": {
    command: node("0"),
    mounts: [{ source: "/no/such/folder", target: "/mnt" }],
    error: "EXECUTOR_UNAVAILABLE",
    message: /\/no\/such\/folder/,
  },
};

withEngine("each is contained", () => {
  test.each(Object.entries(badContainers))("%s", async (_name, { error, message = /./, ...options }) => {
    const { failed, left } = await runBesideAGoodOne(containerAgent(options));
    expect(failed).toMatchObject({ code: error });
    expect(failed.message).toMatch(message);
    expect(left).toEqual([]);
  });
});

withEngine("a cancel", () => {
  const deaf = `process.on("SIGTERM", () => {}); await ctx.emit("ready"); await new Promise(() => setInterval(() => {}, 1000));`;
  const polite = `await ctx.emit("ready"); if (!ctx.signal.aborted) await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve)); await ctx.emit("bye", ctx.signal.reason.code);`;

  test("is told to the agent, which may say goodbye", async () => {
    const agent = nodeAgent(polite);
    await using engine = await startEngine(agent);
    const run = await engine.runs.start(agent, null);
    await untilEvent(run, "ready");
    await run.cancel({ wait: true });
    expect((await run.settled()).status).toBe("canceled");
    expect(await untilEvent(run, "bye")).toBe("RUN_CANCELED");
    expect(await containersOf(run)).toEqual([]);
  });

  test("ends an agent that ignores it, and SIGTERM", async () => {
    const agent = nodeAgent(deaf);
    await using engine = await startEngine(agent);
    const run = await engine.runs.start(agent, null);
    await untilEvent(run, "ready");
    expect(await containersOf(run)).toHaveLength(1);
    const askedAt = performance.now();
    await run.cancel({ grace: 200, wait: true });
    while ((await containersOf(run)).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    console.log(`gone ${((performance.now() - askedAt) / 1_000).toFixed(2)} s after a cancel with 0.2 s of grace`);
    expect((await run.settled()).status).toBe("canceled");
  });

  test("a timeout ends it likewise, and a close leaves nothing", async () => {
    const timed = { ...nodeAgent(deaf), attemptTimeout: 3_000, cancelGrace: 100 } as Agent;
    const engine = await startEngine(timed);
    const run = await engine.runs.start(timed, null);
    expect(await run.settled()).toMatchObject({ status: "failed", error: { code: "ATTEMPT_TIMEOUT" } });
    const second = await engine.runs.start(timed, null);
    await untilEvent(second, "ready");
    await engine.close({ grace: 0 });
    expect([await containersOf(run), await containersOf(second)]).toEqual([[], []]);
  });
});

/** The run of the bad agent fails; one of a good agent, which was under way meanwhile, succeeds. */
async function runBesideAGoodOne(bad: Agent) {
  let finish = (): void => {};
  const good = defineAgent({
    name: "good",
    run: () =>
      new Promise<{ output: string }>((resolve) => {
        finish = () => resolve({ output: "fine" });
      }),
  });
  await using engine = await startEngine(bad, good as Agent);
  engine.on("error", () => {});
  const other = await engine.runs.start(good, null);
  const run = await engine.runs.start(bad, null);
  const outcome = await run.settled();
  finish();
  expect(await other.result()).toBe("fine");
  if (outcome.status !== "failed") throw new Error(`the run ${outcome.status}`);
  return { failed: outcome.error, left: await containersOf(run) };
}
