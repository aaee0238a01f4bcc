/** A process that measures one system: it does what it is told, one piece of work at a time. */

import type { Cell } from "./cell.js";
import { measureCell } from "./cell.js";
import type { Kind, System } from "./system.js";
import type { Sizes } from "./workload.js";

export interface Order {
  readonly kind: Kind;
  readonly sizes: Sizes;
  readonly leastMs: number;
}

export type Answer = { readonly cell: Cell } | { readonly failure: string };

const [module = "", options = "{}"] = process.argv.slice(2);
const { createSystem } = (await import(module)) as { createSystem(options: unknown): System };
const system = createSystem(JSON.parse(options));

process.on("message", (order: Order) => {
  void carryOut(order).then((answer) => process.send?.(answer));
});
// Alone it is of no use to anybody.
process.on("disconnect", () => process.exit());
process.send?.("ready");

async function carryOut({ kind, sizes, leastMs }: Order): Promise<Answer> {
  try {
    const work = system[kind];
    if (work === undefined) throw new Error(`this system has no "${kind}"`);
    return { cell: await measureCell(() => work(sizes), leastMs) };
  } catch (error) {
    return { failure: error instanceof Error ? `${error.stack}` : String(error) };
  }
}
