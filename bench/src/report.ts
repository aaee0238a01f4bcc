/** From samples to figures, and from figures to a table. */

import type { Samples } from "./measure.js";
import { median, quantile, spread } from "./statistics.js";
import type { LongThread, System } from "./system.js";
import type { Sizes } from "./workload.js";
import { marks, markWidth } from "./workload.js";

export interface Figures {
  readonly system: string;
  readonly runsPerSecond: number;
  readonly runMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  readonly turnsPerSecond: number;
  readonly longThread: {
    readonly turnsPerSecond: number;
    /** The last hundred turns against the first. */
    readonly lastToFirst: number;
    readonly bytesPerTurn: Readonly<Record<string, number>>;
  };
  /** Of the repetitions of each kind of work, a part of the median. */
  readonly spread: { readonly runs: number; readonly run: number; readonly turns: number; readonly longThread: number };
  /** Medians of the ratios within each repetition. */
  readonly ratios: Readonly<Record<string, Ratio>>;
}

export interface Ratio {
  readonly ratio: number;
  readonly least: number;
  readonly most: number;
}

export function figuresOf(systems: readonly System[], samples: ReadonlyMap<string, Samples>, sizes: Sizes): Figures[] {
  return systems.map((system) => figuresOfOne(system, samples, sizes));
}

function figuresOfOne(system: System, all: ReadonlyMap<string, Samples>, sizes: Sizes): Figures {
  const samples = all.get(system.name);
  if (samples === undefined) throw new Error(`nothing was measured of ${system.name}`);
  const { stateless, threads, longThread } = samples;
  const single = samples.single.flat();
  const totals = longThread.map(totalOf);
  return {
    system: system.name,
    runsPerSecond: perSecond(sizes.runs, median(stateless)),
    runMs: { p50: quantile(single, 0.5), p95: quantile(single, 0.95), p99: quantile(single, 0.99) },
    turnsPerSecond: perSecond(sizes.threads * sizes.turnsEach, median(threads)),
    longThread: {
      turnsPerSecond: perSecond(sizes.longThread, median(totals)),
      lastToFirst: median(longThread.map(lastToFirst)),
      bytesPerTurn: bytesPerTurn(longThread, sizes),
    },
    spread: {
      runs: spread(stateless),
      run: spread(samples.single.map(median)),
      turns: spread(threads),
      longThread: spread(totals),
    },
    ratios: ratiosOf(system, samples, all),
  };
}

function perSecond(count: number, ms: number): number {
  return (count / ms) * 1_000;
}

function totalOf({ times }: LongThread): number {
  return times.reduce((sum, time) => sum + time, 0);
}

function lastToFirst({ times }: LongThread): number {
  return median(times.slice(-100)) / median(times.slice(0, 100));
}

function bytesPerTurn([thread]: readonly LongThread[], sizes: Sizes): Record<string, number> {
  const bytes: Record<string, number> = {};
  for (const mark of marks(sizes)) {
    const [after, before] = [thread?.sizes.get(mark), thread?.sizes.get(mark - markWidth(mark))];
    if (after !== undefined && before !== undefined) bytes[mark] = (after - before) / markWidth(mark);
  }
  return bytes;
}

/** Speeds as a part of raw's; times as a multiple of raw's. */
function ratiosOf(system: System, own: Samples, all: ReadonlyMap<string, Samples>): Record<string, Ratio> {
  const ratios: Record<string, Ratio> = {};
  const grouped = system.rawGrouped === undefined ? undefined : all.get(system.rawGrouped);
  const single = system.rawSingle === undefined ? undefined : all.get(system.rawSingle);
  if (grouped !== undefined) {
    ratios["runs/s to raw grouped"] = ratioOf(grouped.stateless, own.stateless);
    ratios["turns/s to raw grouped"] = ratioOf(grouped.threads, own.threads);
  }
  if (single !== undefined) {
    ratios["runs/s to raw one by one"] = ratioOf(single.stateless, own.stateless);
    ratios["turns/s to raw one by one"] = ratioOf(single.threads, own.threads);
    ratios["time of one run to raw"] = ratioOf(own.single.map(median), single.single.map(median));
    ratios["time of a turn, one long thread, to raw"] = ratioOf(
      own.longThread.map(totalOf),
      single.longThread.map(totalOf),
    );
  }
  return ratios;
}

function ratioOf(above: readonly number[], below: readonly number[]): Ratio {
  const each = above.map((value, index) => value / (below[index] ?? Number.NaN));
  return { ratio: median(each), least: Math.min(...each), most: Math.max(...each) };
}

export function printFigures(figures: readonly Figures[], sizes: Sizes): void {
  const bytes = marks(sizes).map((mark) => `B/turn at ${mark}`);
  const header = ["", "runs/s", "run p50", "p95", "p99 ms", "turns/s", "1 thread: turns/s", "last:first", ...bytes];
  const rows = figures.map(({ system, runsPerSecond, runMs, turnsPerSecond, longThread }) => [
    system,
    whole(runsPerSecond),
    ...[runMs.p50, runMs.p95, runMs.p99].map((ms) => ms.toFixed(2)),
    whole(turnsPerSecond),
    whole(longThread.turnsPerSecond),
    longThread.lastToFirst.toFixed(2),
    ...marks(sizes).map((mark) => whole(longThread.bytesPerTurn[mark])),
  ]);
  print([header, ...rows]);

  for (const { system, ratios } of figures) {
    const lines = Object.entries(ratios).map(([what, { ratio, least, most }]) => [
      `  ${what}`,
      ratio.toFixed(2),
      `(${least.toFixed(2)} to ${most.toFixed(2)})`,
    ]);
    if (lines.length === 0) continue;
    console.log(`\n${system}, medians of the ratios within each repetition`);
    print(lines);
  }
}

function whole(value: number | undefined): string {
  return value === undefined ? "" : Math.round(value).toLocaleString("en");
}

function print(rows: readonly (readonly string[])[]): void {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    console.log(cells.join("  ").trimEnd());
  }
}
