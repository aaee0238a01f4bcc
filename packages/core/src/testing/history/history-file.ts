/**
 * What one real process saw, in a file of its own. Each entry is written before `note` returns, so it is there however
 * the process ends; there is no fsync, as it is processes that are killed here, not machines.
 */

import { closeSync, openSync, writeSync } from "node:fs";
import { HeddleError } from "../../errors.js";
import { shown } from "../../model/shown.js";
import { requireText } from "../check-arguments.js";
import type { HistoryEntry } from "./history.js";
import type { Recorder, Untimed } from "./recorder.js";

export class HistoryFile implements Recorder {
  readonly #file: number;
  #calls = 0;

  /**
   * @param path of a file that is not there yet
   * @throws HeddleError INVALID_ARGUMENT where it cannot be made
   */
  constructor(path: string) {
    requireText("path", path);
    this.#file = create(path);
  }

  note(entry: Untimed<HistoryEntry>): void {
    writeSync(this.#file, `${JSON.stringify({ time: machineTime(), ...entry })}\n`);
  }

  nextCall(): number {
    return ++this.#calls;
  }

  close(): void {
    closeSync(this.#file);
  }
}

function create(path: string): number {
  try {
    return openSync(path, "ax");
  } catch (cause) {
    throw new HeddleError("INVALID_ARGUMENT", `${path} cannot be made: ${shown(cause)}`, {
      details: { field: "path", path },
      cause,
    });
  }
}

/** The machine's monotonic clock, ms: all its processes read the same, and nobody sets it. */
function machineTime(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
