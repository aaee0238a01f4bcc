/** Wall-clock and processor time of a piece of work. */

import { serverCpuMs } from "./server-cpu.js";
import type { Round } from "./system.js";

/** Time `work`, which does `operations` of what is counted. */
export async function metered(operations: number, work: () => Promise<unknown>): Promise<Round> {
  const serverBefore = serverCpuMs();
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const ms = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { operations, ms, cpuMs: (user + system) / 1_000, serverCpuMs: serverCpuMs() - serverBefore };
}

/** Time each of `count` calls of `work`, one after the other. */
export async function meteredEach(count: number, work: (index: number) => Promise<unknown>): Promise<Round> {
  const times: number[] = [];
  const round = await metered(count, async () => {
    for (let index = 0; index < count; index++) {
      const startedAt = performance.now();
      await work(index);
      times.push(performance.now() - startedAt);
    }
  });
  return { ...round, times };
}

/** Milliseconds that mean the same in every process of this machine. */
export function machineTime(): number {
  return performance.timeOrigin + performance.now();
}
