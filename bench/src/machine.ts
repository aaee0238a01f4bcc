/** Where the figures come from, and whether it was quiet there. */

import { availableParallelism, cpus, loadavg } from "node:os";

/** Repetitions that lie further apart than this say more about the machine than about the code. */
const quietSpread = 0.1;
/** Of all cores, in use by others. */
const quietShare = 0.15;

export interface Machine {
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  /** Runnable processes on average in the minute before the start. */
  readonly load: number;
  /** Share of the cores' time that others used in the second before the start. */
  readonly busy: number;
}

export async function lookAtMachine(): Promise<Machine> {
  return {
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    load: loadavg()[0] ?? 0,
    busy: await busyShare(1_000),
  };
}

async function busyShare(ms: number): Promise<number> {
  const before = coreTimes();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const after = coreTimes();
  return 1 - (after.idle - before.idle) / Math.max(1, after.all - before.all);
}

function coreTimes(): { readonly idle: number; readonly all: number } {
  const times = cpus().map((core) => core.times);
  const all = times.flatMap((core) => Object.values(core)).reduce((sum, time) => sum + time, 0);
  return { idle: times.reduce((sum, { idle }) => sum + idle, 0), all };
}

/** Why the figures are not to be trusted; `undefined`: the machine was quiet. */
export function whyNotQuiet({ busy, cores, load }: Machine, widestSpread = 0): string | undefined {
  const percent = (part: number) => `${Math.round(part * 100)} %`;
  if (busy > quietShare)
    return `before the start others used ${percent(busy)} of the ${cores} cores (load ${load.toFixed(1)})`;
  if (widestSpread > quietSpread) return `the repetitions lie up to ${percent(widestSpread)} apart`;
  return undefined;
}
