/**
 * Which run is claimed next. Runs whose time has come lie ready, per agent, by urgency; the others wait, by time. The
 * horizon, the latest reading of the clock, divides the two: ready are exactly those available at or before it.
 */

import { never, type RunRecord } from "../model/run.js";
import { compareText } from "../model/text-order.js";
import { byUrgency, type ClaimQuery } from "../model/unit-of-work.js";
import { SortedList } from "./sorted-list.js";

const byAvailability = (a: RunRecord, b: RunRecord): number => a.availableAt - b.availableAt || compareText(a.id, b.id);

export class ClaimIndex {
  readonly #ready = new Map<string, SortedList<RunRecord>>();
  readonly #waiting = new SortedList<RunRecord>(byAvailability);
  #horizon = Number.NEGATIVE_INFINITY;

  /** @param run pending and active */
  insert(run: RunRecord): void {
    this.#listOf(run).insert(run);
  }

  /** @param run as it was inserted */
  remove(run: RunRecord): void {
    const list = this.#listOf(run);
    list.remove(run);
    if (list.isEmpty && list !== this.#waiting) this.#ready.delete(run.agent);
  }

  /** The most urgent runs that are due, at most `limit`. */
  first({ agents, now, limit }: ClaimQuery): RunRecord[] {
    this.#moveHorizon(now);
    const found: RunRecord[] = [];
    for (const agent of new Set(agents)) {
      let taken = 0;
      for (const run of this.#ready.get(agent) ?? []) {
        if (taken++ === limit) break;
        found.push(run);
      }
    }
    return found.sort(byUrgency).slice(0, limit);
  }

  /** When the next run of `agents` that waits now becomes available. */
  nextAt(agents: readonly string[], now: number): number | null {
    this.#moveHorizon(now);
    for (const run of this.#waiting) {
      if (run.availableAt >= never) return null;
      if (agents.includes(run.agent)) return run.availableAt;
    }
    return null;
  }

  #listOf(run: RunRecord): SortedList<RunRecord> {
    if (run.availableAt > this.#horizon) return this.#waiting;
    const known = this.#ready.get(run.agent);
    if (known !== undefined) return known;
    const list = new SortedList<RunRecord>(byUrgency);
    this.#ready.set(run.agent, list);
    return list;
  }

  #moveHorizon(now: number): void {
    if (now < this.#horizon) this.#moveBack(now);
    const due: RunRecord[] = [];
    for (const run of this.#waiting) {
      if (run.availableAt > now) break;
      due.push(run);
    }
    for (const run of due) this.#waiting.remove(run);
    this.#horizon = now;
    for (const run of due) this.insert(run);
  }

  /** The clock was set back: what is not due any more waits again. */
  #moveBack(now: number): void {
    const early = [...this.#ready.values()].flatMap((list) => [...list]).filter((run) => run.availableAt > now);
    for (const run of early) this.remove(run);
    this.#horizon = now;
    for (const run of early) this.insert(run);
  }
}
