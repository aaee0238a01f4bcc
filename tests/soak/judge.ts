/** Is it flat, does it grow as predicted, is everything given back? */

import type { Sample } from "./sample.js";

export interface Finding {
  readonly what: string;
  readonly figure: string;
  readonly ok: boolean;
}

/** The heap may drift by so much over all that is looked at: what the collector leaves is no exact number. */
const heapDrift = 0.05;
const heapNoise = 2 * 1_024 * 1_024;
/** What rows take depends on how pages fill. */
const growthTolerance = 0.1;
/** At rest a pool may have any number of its connections open, each with a timer. A leak is in the thousands. */
const poolSlack = 25;
const largestLog = 64 * 1_024 * 1_024;

/** @param samples caches are full and code is compiled after the first quarter of them */
export function judge(samples: readonly Sample[], after: After): Finding[] {
  const steady = samples.slice(Math.floor(samples.length / 4));
  return [heapFinding(steady), ...growthFindings(samples), ...restFindings(steady), ...afterFindings(after)];
}

function heapFinding(samples: readonly Sample[]): Finding {
  const perWork = slope(samples.map(({ work, heap }) => [work, heap]));
  const [first, last] = ends(samples);
  const drift = perWork * (last.work - first.work);
  const middle = median(samples.map(({ heap }) => heap));
  return {
    what: "heap after gc is flat",
    figure: `${MB(middle)} at the median, drift of ${MB(drift)} over ${last.work - first.work} pieces of work (${perWork.toFixed(1)} B each)`,
    ok: drift <= Math.max(heapNoise, middle * heapDrift),
  };
}

/** From what the second quarter added per piece of work to what the second half adds. */
function growthFindings(samples: readonly Sample[]): Finding[] {
  const stored = samples.filter((sample): sample is Sample & { database: number } => sample.database !== undefined);
  if (stored.length < 4) return [];
  const [quarter, half, end] = [stored.length / 4, stored.length / 2, stored.length - 1].map(
    (index) => stored[Math.floor(index)],
  );
  if (quarter === undefined || half === undefined || end === undefined) return [];
  const perWork = (half.database - quarter.database) / (half.work - quarter.work);
  const predicted = perWork * (end.work - half.work);
  const grown = end.database - half.database;
  const off = grown / predicted - 1;
  const log = Math.max(...samples.map((sample) => sample.log));
  return [
    {
      what: "the database grows as predicted",
      figure: `by ${MB(grown)} in the second half; ${MB(predicted)} predicted from the second quarter, ${perWork.toFixed(0)} B per piece of work (${(off * 100).toFixed(1)} % off)`,
      ok: Math.abs(off) <= growthTolerance,
    },
    { what: "its log stays small", figure: `${MB(log)} at most`, ok: log <= largestLog },
  ];
}

/** At rest there are as many timers, sockets, files and listeners at the end as at the beginning. */
function restFindings(samples: readonly Sample[]): Finding[] {
  const [first, last] = ends(samples);
  const kinds = new Set(samples.flatMap(({ resources }) => Object.keys(resources)));
  const most = (kind: string, of: readonly Sample[]) => Math.max(...of.map(({ resources }) => resources[kind] ?? 0));
  const early = samples.slice(0, Math.ceil(samples.length / 2));
  const late = samples.slice(Math.ceil(samples.length / 2));
  const grown = [...kinds].filter((kind) => late.length > 0 && most(kind, late) > most(kind, early) + poolSlack);
  const shown = Object.entries(last.resources).map(([kind, count]) => `${count} ${kind}`);
  return [
    {
      what: "no timers or sockets are left over at rest",
      figure: `${shown.join(", ") || "none"}${grown.length === 0 ? "" : `; more and more: ${grown.join(", ")}`}`,
      ok: grown.length === 0,
    },
    {
      what: "no open files are left over",
      figure: `${first.files} → ${last.files}`,
      ok: last.files <= first.files + poolSlack,
    },
    {
      what: "no listeners of the process are left over",
      figure: `${first.listeners} → ${last.listeners}`,
      ok: last.listeners <= first.listeners,
    },
  ];
}

export interface After {
  /** Before the engine was made, and after it was closed. */
  readonly before: Readonly<Record<string, number>>;
  readonly closed: Readonly<Record<string, number>>;
  readonly errors: ReadonlyMap<string, number>;
}

function afterFindings({ before, closed, errors }: After): Finding[] {
  const left = Object.entries(closed).filter(([kind, count]) => count > (before[kind] ?? 0));
  const count = [...errors.values()].reduce((sum, each) => sum + each, 0);
  return [
    {
      what: "a closed engine holds nothing",
      figure: left.map(([kind, more]) => `${more} ${kind}`).join(", ") || "nothing",
      ok: left.length === 0,
    },
    {
      what: "nothing went wrong",
      figure: count === 0 ? "no error" : [...errors].map(([what, times]) => `${times} x ${what}`).join("; "),
      ok: count === 0,
    },
  ];
}

/** Least squares. */
function slope(points: readonly (readonly [number, number])[]): number {
  const [meanX, meanY] = [0, 1].map((axis) => mean(points.map((point) => point[axis as 0 | 1]))) as [number, number];
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return under === 0 ? 0 : over / under;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function ends(samples: readonly Sample[]): [Sample, Sample] {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) throw new Error("there are no samples");
  return [first, last];
}

export function MB(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
