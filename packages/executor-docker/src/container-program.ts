/** A container as a program to talk with: created, attached to and started; at the end removed by force. */

import type { Duplex } from "node:stream";
import { HeddleError } from "@heddle/core";
import type { AgentProgram, ProgramExit } from "@heddle/executor-process/protocol";
import type Docker from "dockerode";
import type { Container, ContainerCreateOptions } from "dockerode";
import { ask, hasStatus, messageOf, unavailable } from "./connection.js";
import { demultiplex } from "./demultiplex.js";

export interface ContainerProgram extends AgentProgram {
  readonly container: Container;
  /** Once it has ended by itself, or was killed. */
  readonly isOver: boolean;
}

/** How long the outputs may stay open after the container's end, in ms. */
const outputDelay = 500;

/**
 * @param onLeft gets a container that could not be removed, since the engine was away
 * @throws HeddleError COMMAND_NOT_FOUND, IMAGE_UNAVAILABLE, EXECUTOR_UNAVAILABLE
 */
export async function startContainer(
  docker: Docker,
  config: ContainerCreateOptions,
  onLeft: (container: Container) => void,
): Promise<ContainerProgram> {
  const container = await create(docker, config);
  const removed = (): Promise<void> => remove(container).catch(() => onLeft(container));
  try {
    return await attachAndStart(docker, container, removed);
  } catch (error) {
    await removed();
    throw isCommandMissing(error) ? commandNotFound(config, error) : unavailable("start a container", error);
  }
}

async function create(docker: Docker, config: ContainerCreateOptions): Promise<Container> {
  try {
    return await docker.createContainer(config);
  } catch (error) {
    if (hasStatus(error, 404)) throw imageGone(config, error);
    if (isCommandMissing(error)) throw commandNotFound(config, error);
    throw unavailable("create a container", error);
  }
}

/** As `container.attach`, without a body: Podman takes what the request holds for the program's input. */
function attach({ modem }: Docker, { id }: Container): Promise<Duplex> {
  const request = {
    path: `/containers/${id}/attach?`,
    method: "POST",
    isStream: true,
    hijack: true,
    file: Buffer.alloc(0),
    statusCodes: { 200: true, 404: "no such container", 500: "server error" },
    options: { stream: true, stdin: true, stdout: true, stderr: true },
  };
  return new Promise((resolve, reject) => {
    modem.dial(request, (error: unknown, stream: unknown) => {
      if (error) reject(error);
      else resolve(stream as Duplex);
    });
  });
}

async function attachAndStart(
  docker: Docker,
  container: Container,
  removeIt: () => Promise<void>,
): Promise<ContainerProgram> {
  const stream = await attach(docker, container);
  const { output, log } = demultiplex(stream);
  let isStopped = false;
  const exit = untilExit(docker, container, () => isStopped);
  // Asked for before the start: a container may be over before anybody waits for it.
  exit.catch(() => {});
  try {
    await container.start();
  } catch (error) {
    stream.destroy();
    throw error;
  }
  let isOver = false;
  const exited = exit.finally(() => {
    isOver = true;
    setTimeout(() => stream.destroy(), outputDelay).unref();
  });
  exited.catch(() => {});
  let removed: Promise<void> | undefined;
  return {
    container,
    input: stream,
    output,
    log,
    exited,
    get isOver() {
      return isOver;
    },
    terminate() {
      isStopped = true;
      container.kill({ signal: "SIGTERM" }).catch(() => {});
    },
    kill() {
      isStopped = true;
      removed ??= removeIt().finally(() => stream.destroy());
      return removed;
    },
  };
}

async function untilExit(docker: Docker, container: Container, isStopped: () => boolean): Promise<ProgramExit> {
  const { StatusCode: code } = await ask("wait for a container", container.wait({ condition: "next-exit" }));
  const outOfMemory = await wasOutOfMemory(container);
  if (signaled.includes(code) && !outOfMemory && !isStopped()) await ask("go on", docker.ping());
  return { code, signal: null, outOfMemory };
}

/** Exit codes of SIGKILL and SIGTERM. Where nobody here sent one, it may be the engine, which ends. */
const signaled = [137, 143];

/** A container that is gone already was removed by us. */
async function wasOutOfMemory(container: Container): Promise<boolean> {
  try {
    return (await container.inspect()).State.OOMKilled;
  } catch (error) {
    if (hasStatus(error, 404)) return false;
    throw unavailable("tell how a container ended", error);
  }
}

/** By force, with its volumes. One that is gone, or going, is as good. */
export async function remove(container: Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true });
  } catch (error) {
    if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error;
  }
}

function isCommandMissing(error: unknown): boolean {
  if (!(error instanceof Error) || (!hasStatus(error, 400) && !hasStatus(error, 404) && !hasStatus(error, 500)))
    return false;
  return /executable file not found|exec: .*(no such file or directory|permission denied)|no command specified/i.test(
    messageOf(error),
  );
}

function commandNotFound({ Cmd, Image }: ContainerCreateOptions, cause: unknown): HeddleError {
  const command = Cmd?.[0] ?? "the image's command";
  return new HeddleError("COMMAND_NOT_FOUND", `${command} cannot be run in ${Image}: ${messageOf(cause)}`, {
    details: { command, image: Image },
    cause,
  });
}

function imageGone({ Image }: ContainerCreateOptions, cause: unknown): HeddleError {
  return new HeddleError("IMAGE_UNAVAILABLE", `There is no image ${Image}: ${messageOf(cause)}`, {
    details: { image: Image },
    cause,
  });
}
