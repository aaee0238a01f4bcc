/** Where those who take part write down what they see: in memory, or in a file of their own. */

import type { HistoryEntry } from "./history.js";

/** An entry without its time. */
export type Untimed<Entry> = Entry extends unknown ? Omit<Entry, "time"> : never;

export interface Recorder {
  note(entry: Untimed<HistoryEntry>): void;
  /** A number that no other call of this recorder has. */
  nextCall(): number;
}
