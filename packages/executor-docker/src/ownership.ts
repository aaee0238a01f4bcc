/**
 * Whose a container is, written on it. A host that was killed cannot clean up; the next engine that uses this executor
 * on the same container engine finds what is orphaned. It never touches a container that does not bear these labels.
 */

import { randomUUID } from "node:crypto";
import type { Attempt, ExecutorHost } from "@heddle/core";
import type Docker from "dockerode";
import type { ContainerInfo } from "dockerode";
import { ask } from "./connection.js";
import type { Labels } from "./container-config.js";
import { remove } from "./container-program.js";
import { isDead, thisProcess } from "./this-process.js";

const label = {
  engine: "heddle.engine",
  run: "heddle.run",
  attempt: "heddle.attempt",
  /** Of this container alone: a mark that nobody else has put there. */
  token: "heddle.token",
  process: "heddle.process",
} as const;

/** @param attempt none for a container that waits for its run */
export function ownershipLabels(engine: string, attempt?: Pick<Attempt, "runId" | "attempt">): Labels {
  return {
    [label.engine]: engine,
    [label.token]: randomUUID(),
    ...(thisProcess === undefined ? {} : { [label.process]: thisProcess }),
    ...(attempt === undefined ? {} : { [label.run]: attempt.runId, [label.attempt]: String(attempt.attempt) }),
  };
}

/** Removes what is orphaned. Rejects where the engine does not answer; what is left is found the next time. */
export async function reap(docker: Docker, hosts: Iterable<ExecutorHost>): Promise<void> {
  const own = await ask(
    "list containers",
    docker.listContainers({ all: true, filters: { label: [label.token, label.engine] } }),
  );
  for (const container of own) {
    if (await isOrphan(container, [...hosts])) await remove(docker.getContainer(container.Id));
  }
}

/** Its process is dead; or, told by a storage, which outlives processes and machines, its attempt is over. */
async function isOrphan({ Labels: labels }: ContainerInfo, hosts: readonly ExecutorHost[]): Promise<boolean> {
  const owner = labels[label.process];
  // Its own process looks after it, also where it ends a moment later than its attempt.
  if (owner !== undefined && owner === thisProcess) return false;
  if (owner !== undefined && isDead(owner)) return true;
  const { [label.run]: runId, [label.attempt]: attempt } = labels;
  if (runId === undefined || attempt === undefined) return false;
  for (const host of hosts) {
    if ((await host.holds(runId, Number(attempt))) === false) return true;
  }
  return false;
}
