/** The real container engine, as the tests use it. */

import { fileURLToPath } from "node:url";
import type { Agent, Engine, RunError, RunHandle } from "@heddle/core";
import { createEngine, defineAgent, memoryStorage } from "@heddle/core";
import type { DockerExecutorOptions } from "@heddle/executor-docker";
import { dockerExecutor } from "@heddle/executor-docker";
import Docker from "dockerode";
import { describe } from "vitest";

/** Set by global-setup.ts where an engine answers: Node, Python and a shell. */
export const imageVariable = "HEDDLE_TEST_IMAGE";
const builtImage = process.env[imageVariable];
/** Tests that are left out are looked at all the same: they need some name. */
export const image = builtImage ?? "left-out";

/** Left out where no engine answers; global-setup.ts says so, or fails. */
export const hasEngine = builtImage !== undefined;
export const withEngine = describe.skipIf(!hasEngine);

export const docker = new Docker();

const repository = fileURLToPath(new URL("../../../..", import.meta.url));

/** The repository itself, read-only: the programs of the tests and the helpers that they import. */
export const repositoryMount = { source: repository, target: repository };

export const helperUrl = new URL("../../../agent-node/dist/index.js", import.meta.url).href;

/** A Node program with the helper, given as the body of an agent's function. */
export function nodeAgent(body: string, options: Partial<DockerExecutorOptions> = {}): Agent {
  const code = `import { serve } from ${JSON.stringify(helperUrl)}; serve(async (ctx) => { ${body} });`;
  const command = ["node", "--input-type=module", "-e", code];
  return containerAgent({ command, ...options, mounts: [repositoryMount, ...(options.mounts ?? [])] });
}

export function containerAgent(options: Partial<DockerExecutorOptions>): Agent {
  const whole = options.build === undefined ? { image, ...options } : options;
  return defineAgent({ name: "contained", executor: dockerExecutor(whole) }) as Agent;
}

export async function startEngine(...agents: Agent[]): Promise<Engine> {
  const engine = createEngine({ storage: memoryStorage(), agents });
  await engine.start();
  return engine;
}

/** What an agent, run once, answers. */
export async function outputOf(agent: Agent, input: unknown = null): Promise<unknown> {
  await using engine = await startEngine(agent);
  return (await engine.runs.start(agent, input)).result();
}

export async function errorOf(agent: Agent, input: unknown = null): Promise<RunError> {
  await using engine = await startEngine(agent);
  const outcome = await (await engine.runs.start(agent, input)).settled();
  if (outcome.status !== "failed") throw new Error(`the run ${outcome.status}: ${JSON.stringify(outcome)}`);
  return outcome.error;
}

export async function containersOf(run: Pick<RunHandle, "id">): Promise<Docker.ContainerInfo[]> {
  return docker.listContainers({ all: true, filters: { label: [`heddle.run=${run.id}`] } });
}

/** The payload of the run's first event of that type. */
export async function untilEvent(run: RunHandle, type: string): Promise<unknown> {
  for await (const frame of run.events()) if (frame.kind === "event" && frame.type === type) return frame.payload;
  throw new Error(`the run ended without an event "${type}": ${JSON.stringify(await run.settled())}`);
}
