/**
 * How long a run in a container takes from its start to its first event, beside a bare `docker run` of the same image to
 * the first byte of the same program. One after the other, in turns, so that both meet the same machine.
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Agent } from "@heddle/core";
import { createEngine, defineAgent, isEvent, memoryStorage } from "@heddle/core";
import { dockerExecutor } from "@heddle/executor-docker";

const image = process.env["HEDDLE_EXAMPLE_IMAGE"] ?? "";
const rounds = process.argv.includes("--tiny") ? 2 : process.argv.includes("--quick") ? 10 : 30;

const code = `process.stdout.write('{"type":"event","event":"here"}\\n{"type":"result"}\\n'); process.stdin.resume();`;
const command = ["node", "-e", code];

const agentOf = (name: string, warm: number): Agent =>
  defineAgent({ name, executor: dockerExecutor({ image, command, warm }) }) as Agent;
const [cold, warm] = [agentOf("cold", 0), agentOf("warm", 1)];

await using engine = createEngine({ storage: memoryStorage(), agents: [cold, warm] });
await engine.start();

const times = { bare: [] as number[], cold: [] as number[], warm: [] as number[] };
for (let round = 0; round < rounds; round++) {
  times.bare.push(await timeBare());
  times.cold.push(await timeRun(cold));
  // Its pool has had the time of the others to fill.
  times.warm.push(await timeRun(warm));
}
const bare = median(times.bare);
console.log(`\nStart to first event, ${rounds} times each, median (and against a bare docker run)`);
for (const [name, values] of Object.entries(times)) {
  console.log(
    `  ${name.padEnd(6)} ${median(values).toFixed(0).padStart(5)} ms  ${(median(values) / bare).toFixed(2)} x`,
  );
}

async function timeBare(): Promise<number> {
  const began = performance.now();
  const child = spawn("docker", ["run", "--rm", "--interactive", image, ...command], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  const time = performance.now() - began;
  child.stdin.end();
  child.stdout.resume();
  await once(child, "exit");
  return time;
}

async function timeRun(agent: Agent): Promise<number> {
  const began = performance.now();
  const run = await engine.runs.start(agent, null);
  let time = 0;
  for await (const frame of run.events()) if (isEvent(frame, "here")) time = performance.now() - began;
  await run.result();
  return time;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}
