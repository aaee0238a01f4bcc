/** A cell of a table: one system's work, repeated until it took long enough to be measured. */

import { median, quantile } from "./statistics.js";
import type { Round } from "./system.js";

export interface Cell extends Round {
  readonly times: readonly number[];
  readonly figures: Readonly<Record<string, number>>;
}

/** At most so many times of single operations go from process to process. */
const keptTimes = 100_000;

export async function measureCell(work: () => Promise<Round>, leastMs: number): Promise<Cell> {
  const rounds: Round[] = [];
  do {
    rounds.push(await work());
  } while (total(rounds, (round) => round.ms) < leastMs);
  const names = new Set(rounds.flatMap(({ figures }) => Object.keys(figures ?? {})));
  return {
    operations: total(rounds, (round) => round.operations),
    ms: total(rounds, (round) => round.ms),
    cpuMs: total(rounds, (round) => round.cpuMs),
    serverCpuMs: total(rounds, (round) => round.serverCpuMs),
    times: rounds.flatMap(({ times }) => times ?? []).slice(0, keptTimes),
    figures: Object.fromEntries(
      [...names].map((name) => [name, median(rounds.flatMap(({ figures }) => figures?.[name] ?? []))]),
    ),
  };
}

export type Reading = (cell: Cell) => number;

export const perSecond: Reading = ({ operations, ms }) => (operations / ms) * 1_000;
export const medianMs: Reading = ({ times }) => median(times);
export const p99Ms: Reading = ({ times }) => quantile(times, 0.99);
export const cpuPerOperation: Reading = ({ cpuMs, operations }) => cpuMs / operations;
export const serverCpuPerOperation: Reading = ({ serverCpuMs, operations }) => serverCpuMs / operations;
export const figure =
  (name: string): Reading =>
  ({ figures }) =>
    figures[name] ?? Number.NaN;

function total(rounds: readonly Round[], part: (round: Round) => number): number {
  return rounds.reduce((sum, round) => sum + part(round), 0);
}
