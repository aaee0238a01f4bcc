/** A row of the report: one piece of work, done by several systems in turn, and what must come of it. */

import type { Cell, Reading } from "./cell.js";
import type { Kind, SystemSpec } from "./system.js";
import type { Sizes } from "./workload.js";

export interface Row {
  readonly id: string;
  readonly title: string;
  readonly kind: Kind;
  readonly systems: readonly SystemSpec[];
  readonly columns: readonly Column[];
  readonly bounds?: readonly Bound[];
  /** Where they differ from everybody else's. */
  readonly sizes?: Partial<Sizes>;
  /** Work that takes long by itself is not repeated as often, and not until a cell took long enough. */
  readonly repetitions?: number;
  readonly once?: boolean;
  /** Why it cannot be measured here. */
  readonly skipped?: string | undefined;
}

export interface Column {
  readonly name: string;
  readonly read: Reading;
  readonly digits: number;
}

/** A figure of the first system as a multiple of another's in the same repetition, or by itself. */
export interface Bound {
  readonly text: string;
  readonly of: SystemSpec;
  readonly read: Reading;
  /** The best of these; none: the figure itself is compared. */
  readonly to?: readonly SystemSpec[];
  readonly least?: number;
  readonly most?: number;
}

/** One system's cells in the order of the repetitions. */
export type Cells = ReadonlyMap<SystemSpec, readonly Cell[]>;

export interface Verdict {
  readonly bound: string;
  readonly value: number;
  readonly lowest: number;
  readonly highest: number;
  readonly met: boolean;
}

/** The median over the repetitions of the ratios within each. */
export function judge(bound: Bound, cells: Cells): Verdict {
  const own = (cells.get(bound.of) ?? []).map(bound.read);
  const ratios = own.map((value, repetition) => {
    const others = bound.to?.map((system) => bound.read(cellAt(cells, system, repetition)));
    return others === undefined ? value : value / bestOf(others, bound);
  });
  const sorted = [...ratios].sort((a, b) => a - b);
  const value = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return {
    bound: bound.text,
    value,
    lowest: sorted[0] ?? Number.NaN,
    highest: sorted.at(-1) ?? Number.NaN,
    met: value >= (bound.least ?? Number.NEGATIVE_INFINITY) && value <= (bound.most ?? Number.POSITIVE_INFINITY),
  };
}

/** Where more is better the best is the highest. */
function bestOf(values: readonly number[], { least }: Bound): number {
  return least === undefined ? Math.min(...values) : Math.max(...values);
}

function cellAt(cells: Cells, system: SystemSpec, repetition: number): Cell {
  const cell = cells.get(system)?.[repetition];
  if (cell === undefined) throw new Error(`${system.name} was not measured`);
  return cell;
}
