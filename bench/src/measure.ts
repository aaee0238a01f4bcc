/** Row by row; the systems of a row take turns, so what disturbs the machine disturbs all of them. */

import type { Cell } from "./cell.js";
import { Crew } from "./crew.js";
import type { Order } from "./process.js";
import type { Cells, Row } from "./row.js";
import type { SystemSpec } from "./system.js";
import type { Effort, Method } from "./workload.js";

export type Progress = (done: number, total: number, what: string) => void;

export interface MeasuredRow {
  readonly row: Row;
  readonly cells: Cells;
}

export async function measure(rows: readonly Row[], method: Method, progress: Progress): Promise<MeasuredRow[]> {
  const rounds = (row: Row, system: SystemSpec) => effortFor(row, system, method).repetitions + 1;
  const total = rows.flatMap((row) => row.systems.map((system) => rounds(row, system))).reduce((sum, n) => sum + n, 0);
  let done = 0;
  const measured: MeasuredRow[] = [];
  for (const row of rows) {
    const cells = new Map<SystemSpec, Cell[]>(row.systems.map((system) => [system, []]));
    await using crew = new Crew();
    // The first round warms up the compilers and the disk's cache, and is thrown away.
    for (let repetition = 0; row.systems.some((system) => repetition < rounds(row, system)); repetition++) {
      for (const system of row.systems) {
        const { repetitions, leastMs } = effortFor(row, system, method);
        if (repetition > repetitions) continue;
        const when = repetition === 0 ? "warm-up" : `${repetition}/${repetitions}`;
        progress(done++, total, `${row.id}, ${system.name}, ${when}`);
        const order = { ...orderOf(row, method), leastMs: repetition === 0 ? leastMs / 5 : leastMs };
        const cell = await crew.measure(system, order);
        if (repetition > 0) cells.get(system)?.push(cell);
      }
    }
    measured.push({ row, cells });
  }
  progress(total, total, "done");
  return measured;
}

function effortFor({ bounds = [], repetitions, once = false }: Row, system: SystemSpec, method: Method): Effort {
  const isBounded = bounds.some(({ of, to = [] }) => of === system || to.includes(system));
  const effort = isBounded ? method.bounded : method.shown;
  return {
    repetitions: Math.min(repetitions ?? effort.repetitions, effort.repetitions),
    leastMs: once ? 0 : effort.leastMs,
  };
}

function orderOf({ kind, sizes }: Row, method: Method): Pick<Order, "kind" | "sizes"> {
  // A check that everything works takes no exceptions from being small.
  return { kind, sizes: method.bounded.leastMs === 0 ? method.sizes : { ...method.sizes, ...sizes } };
}
