/** One thread, turn after turn: what a turn takes and what it adds to the database as the thread grows. */

import { metered } from "./meter.js";
import { median } from "./statistics.js";
import type { Round } from "./system.js";
import type { Sizes } from "./workload.js";
import { marks } from "./workload.js";

/** Turns that are looked at before a mark, and at both ends. */
const width = 100;

/** @param bytes of the database, its log moved into it; not counted as time. `undefined`: there are none. */
export async function longThread(
  sizes: Sizes,
  takeTurn: (turn: number) => Promise<unknown>,
  bytes?: () => Promise<number>,
): Promise<Round> {
  const total = { operations: 0, ms: 0, cpuMs: 0, serverCpuMs: 0 };
  const times: number[] = [];
  const figures: Record<string, number> = {};
  const empty = await bytes?.();
  let [from, before] = [0, empty];
  for (const mark of marks(sizes)) {
    const near = Math.max(from, mark - width);
    await take(from, near);
    if (near > from) before = await bytes?.();
    await take(near, mark);
    const after = await bytes?.();
    figures[`ms at turn ${mark}`] = median(times.slice(near));
    if (before !== undefined && after !== undefined)
      figures[`bytes at turn ${mark}`] = (after - before) / (mark - near);
    [from, before] = [mark, after];
  }
  if (empty !== undefined && before !== undefined) figures["bytes"] = before - empty;
  figures["last to first"] = median(times.slice(-width)) / median(times.slice(0, width));
  return { ...total, times, figures };

  async function take(first: number, end: number): Promise<void> {
    const round = await metered(end - first, async () => {
      for (let turn = first; turn < end; turn++) {
        const startedAt = performance.now();
        await takeTurn(turn);
        times.push(performance.now() - startedAt);
      }
    });
    total.operations += round.operations;
    total.ms += round.ms;
    total.cpuMs += round.cpuMs;
    total.serverCpuMs += round.serverCpuMs;
  }
}
