/** Writes the history down as it happens. */

import type { HistoryEntry } from "../history/history.js";
import type { Recorder, Untimed } from "../history/recorder.js";
import type { Scheduler } from "./scheduler.js";

export class MemoryRecorder implements Recorder {
  readonly entries: HistoryEntry[] = [];
  readonly #scheduler: Scheduler;
  #calls = 0;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  note(entry: Untimed<HistoryEntry>): void {
    this.entries.push({ time: this.#scheduler.time, ...entry } as HistoryEntry);
  }

  nextCall(): number {
    return ++this.#calls;
  }
}
