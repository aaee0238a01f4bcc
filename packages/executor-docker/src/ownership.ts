/**
 * Whose a container is, written on it. A host that was killed cannot clean up; the next engine that uses this executor
 * on the same container engine finds what is orphaned. It never touches a container that does not bear these labels.
 */

import { randomUUID } from "node:crypto";
import type { Attempt, ExecutorHost } from "@heddle/core";
import type Docker from "dockerode";
import type { Container, ContainerInfo } from "dockerode";
import { ask } from "./connection.js";
import { remove } from "./container-program.js";
import type { Labels } from "./options.js";
import { isDead, thisProcess } from "./this-process.js";

const label = {
  engine: "heddle.engine",
  run: "heddle.run",
  attempt: "heddle.attempt",
  /** Of this container alone: a mark that nobody else has put there. */
  token: "heddle.token",
  process: "heddle.process",
} as const;

type Holder = Pick<Attempt, "runId" | "attempt">;

/** @param attempt none for a container that waits for its run */
export function ownershipLabels(engine: string, attempt?: Holder): Labels {
  return {
    [label.engine]: engine,
    [label.token]: randomUUID(),
    ...(thisProcess === undefined ? {} : { [label.process]: thisProcess }),
    ...(attempt === undefined ? {} : { [label.run]: attempt.runId, [label.attempt]: String(attempt.attempt) }),
  };
}

/** Labels cannot change, names can: a container that waited bears its run in its name. */
export async function claim(container: Container, { runId, attempt }: Holder): Promise<void> {
  const name = `heddle.${runId}.${attempt}.${container.id.slice(0, 12)}`;
  await container.rename({ name }).catch(() => {});
}

/** How long a container may wait for its run, ms. The pool replaces it then; one that waits much longer lost its host. */
export const longestWait = 5 * 60_000;

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
async function isOrphan(container: ContainerInfo, hosts: readonly ExecutorHost[]): Promise<boolean> {
  const owner = container.Labels[label.process];
  // Its own process looks after it, also where it ends a moment later than its attempt.
  if (owner !== undefined && owner === thisProcess) return false;
  if (owner !== undefined && isDead(owner)) return true;
  const holder = holderOf(container);
  if (holder === undefined) return Date.now() - container.Created * 1_000 > 2 * longestWait;
  for (const host of hosts) {
    if ((await host.holds(holder.runId, holder.attempt)) === false) return true;
  }
  return false;
}

function holderOf({ Labels: labels, Names }: ContainerInfo): Holder | undefined {
  const { [label.run]: runId, [label.attempt]: attempt } = labels;
  if (runId !== undefined && attempt !== undefined) return { runId, attempt: Number(attempt) };
  const [, claimedBy, number] = /^\/heddle\.(.+)\.(\d+)\.[0-9a-f]{12}$/.exec(Names[0] ?? "") ?? [];
  return claimedBy === undefined ? undefined : { runId: claimedBy, attempt: Number(number) };
}
