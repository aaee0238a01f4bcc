/** What can be measured. Each call works on a database of its own. */

import type { Sizes } from "./workload.js";

export interface System {
  readonly name: string;
  /** Who does the least that the same durability allows, grouped; `undefined`: nobody. */
  readonly rawGrouped?: string;
  /** The same with a transaction for each change. */
  readonly rawSingle?: string;
  /** ms for all stateless runs. */
  stateless(sizes: Sizes): Promise<number>;
  /** ms of each run, one after the other, from its start to its result. */
  single(sizes: Sizes): Promise<readonly number[]>;
  /** ms for all turns of many threads. */
  threads(sizes: Sizes): Promise<number>;
  longThread(sizes: Sizes): Promise<LongThread>;
}

export interface LongThread {
  /** ms of each turn. */
  readonly times: readonly number[];
  /** Bytes of the database file after turn n, its log moved into it; empty in memory. */
  readonly sizes: ReadonlyMap<number, number>;
}
