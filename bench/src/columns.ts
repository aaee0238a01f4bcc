import { figure, medianMs, p99Ms, perSecond } from "./cell.js";
import type { Column } from "./row.js";
import type { Sizes } from "./workload.js";
import { marks } from "./workload.js";

export const rate = (what: string): Column => ({ name: `${what}/s`, read: perSecond, digits: 0 });
export const middle: Column = { name: "median ms", read: medianMs, digits: 3 };
export const slowest: Column = { name: "p99 ms", read: p99Ms, digits: 3 };
export const figureColumn = (name: string, digits: number): Column => ({ name, read: figure(name), digits });

/** Of one long thread. */
export function longThreadColumns(sizes: Sizes): Column[] {
  return [
    rate("turns"),
    figureColumn("last to first", 2),
    figureColumn("bytes", 0),
    ...marks(sizes).flatMap((mark) => [
      figureColumn(`ms at turn ${mark}`, 3),
      figureColumn(`bytes at turn ${mark}`, 0),
    ]),
  ];
}
