/** Writes the history down as it happens. */

import type { AttemptEntry, HistoryEntry } from "./history.js";
import type { Scheduler } from "./scheduler.js";

/** An entry without its time. */
type Untimed<Entry> = Entry extends unknown ? Omit<Entry, "time"> : never;

export class Recorder {
  readonly entries: HistoryEntry[] = [];
  readonly #scheduler: Scheduler;
  #calls = 0;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  note(entry: Untimed<HistoryEntry> | AttemptEntry): void {
    this.entries.push({ time: this.#scheduler.time, ...entry } as HistoryEntry);
  }

  nextCall(): number {
    return ++this.#calls;
  }
}
