/** Row by row; the systems of a row take turns, so what disturbs the machine disturbs all of them. */

import type { Cell } from "./cell.js";
import { Crew } from "./crew.js";
import type { Order } from "./process.js";
import type { Cells, Row } from "./row.js";
import type { SystemSpec } from "./system.js";
import type { Method } from "./workload.js";

export type Progress = (done: number, total: number, what: string) => void;

export interface MeasuredRow {
  readonly row: Row;
  readonly cells: Cells;
}

export async function measure(rows: readonly Row[], method: Method, progress: Progress): Promise<MeasuredRow[]> {
  const total = rows.reduce((sum, row) => sum + (repetitionsOf(row, method) + 1) * row.systems.length, 0);
  let done = 0;
  const measured: MeasuredRow[] = [];
  for (const row of rows) {
    const repetitions = repetitionsOf(row, method);
    const cells = new Map<SystemSpec, Cell[]>(row.systems.map((system) => [system, []]));
    await using crew = new Crew();
    // The first round warms up the compilers and the disk's cache, and is thrown away.
    for (let repetition = 0; repetition <= repetitions; repetition++) {
      for (const system of row.systems) {
        const when = repetition === 0 ? "warm-up" : `${repetition}/${repetitions}`;
        progress(done++, total, `${row.id}, ${system.name}, ${when}`);
        const cell = await crew.measure(system, orderOf(row, method, repetition));
        if (repetition > 0) cells.get(system)?.push(cell);
      }
    }
    measured.push({ row, cells });
  }
  progress(total, total, "done");
  return measured;
}

function repetitionsOf({ repetitions }: Row, method: Method): number {
  return Math.min(repetitions ?? method.repetitions, method.repetitions);
}

function orderOf({ kind, sizes, once = false }: Row, method: Method, repetition: number): Order {
  const leastMs = once ? 0 : repetition === 0 ? method.leastMs / 5 : method.leastMs;
  // A check that everything works takes no exceptions from being small.
  return { kind, sizes: method.leastMs === 0 ? method.sizes : { ...method.sizes, ...sizes }, leastMs };
}
