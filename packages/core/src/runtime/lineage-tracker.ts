/**
 * Who waits for the end of which lineage: a child's result follows it through interrupts. As with runs, commits of this
 * engine tell directly; after a hint that others committed the storage is asked again (`recheck`).
 */

import type { RunRecord } from "../model/run.js";
import { endsLineage, isSettled } from "../model/run.js";
import type { RunReader } from "../ports/storage.js";

/** The run that ended the lineage; `undefined`: all its runs are gone. */
export type LineageEnd = RunRecord | undefined;

export interface LineageWait {
  /** Rejects when the engine closes. */
  readonly ended: Promise<LineageEnd>;
  undo(): void;
}

interface Waiter {
  resolve(end: LineageEnd): void;
  reject(error: unknown): void;
}

/** Lineages that are looked up at once. */
const chunk = 100;

export class LineageTracker {
  readonly #runs: RunReader;
  readonly #waiters = new Map<string, Set<Waiter>>();

  constructor(runs: RunReader) {
    this.#runs = runs;
  }

  wait(lineageId: string): LineageWait {
    const waiters = this.#waiters.get(lineageId) ?? new Set();
    this.#waiters.set(lineageId, waiters);
    let waiter: Waiter | undefined;
    const ended = new Promise<LineageEnd>((resolve, reject) => {
      waiter = { resolve, reject };
      waiters.add(waiter);
    });
    ended.catch(() => {});
    const undo = (): void => {
      waiters.delete(waiter as Waiter);
      if (waiters.size === 0 && this.#waiters.get(lineageId) === waiters) this.#waiters.delete(lineageId);
    };
    return { ended, undo };
  }

  /** Does anybody here wait for it? */
  awaits(lineageId: string): boolean {
    return this.#waiters.has(lineageId);
  }

  settled(run: RunRecord): void {
    if (endsLineage(run)) this.#notify(run.lineageId, run);
  }

  /** Look up every lineage that somebody waits for; or of those only `ids`. */
  async recheck(ids: readonly string[] = [...this.#waiters.keys()]): Promise<void> {
    const awaited = ids.filter((id) => this.awaits(id));
    for (const [lineageId, end] of await endsOf(this.#runs, awaited)) this.#notify(lineageId, end);
  }

  close(error: unknown): void {
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.reject(error);
    this.#waiters.clear();
  }

  #notify(lineageId: string, end: LineageEnd): void {
    const waiters = this.#waiters.get(lineageId);
    if (waiters === undefined) return;
    this.#waiters.delete(lineageId);
    for (const waiter of waiters) waiter.resolve(end);
  }
}

/** Those of `ids` that have ended or are gone. Most lineages are one run, which bears their name. */
export async function endsOf(runs: RunReader, ids: readonly string[]): Promise<Map<string, LineageEnd>> {
  const ends = new Map<string, LineageEnd>();
  for (let start = 0; start < ids.length; start += chunk) {
    const some = ids.slice(start, start + chunk);
    const first = await runs.list({ ids: some, limit: some.length, sortBy: "createdAt", order: "asc" });
    const found = new Map(first.map((run) => [run.id, run]));
    for (const id of some) {
      const run = found.get(id);
      if (run !== undefined && endsLineage(run)) ends.set(id, run);
      else if (run === undefined || isSettled(run.status)) await addEnd(ends, runs, id);
    }
  }
  return ends;
}

/** Its first run was interrupted, or deleted since. */
async function addEnd(ends: Map<string, LineageEnd>, runs: RunReader, id: string): Promise<void> {
  const all = await runsOfLineage(runs, id);
  const end = all.find(endsLineage);
  if (end !== undefined || all.length === 0) ends.set(id, end);
}

/** Newest first: what is open or ended it is among the first. */
export function runsOfLineage(runs: RunReader, lineageId: string): Promise<readonly RunRecord[]> {
  return runs.list({ lineageId, limit: chunk, sortBy: "createdAt", order: "desc" });
}
