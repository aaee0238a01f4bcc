/**
 * Who waits for which run. Commits of this engine settle the waiters directly; for commits of other processes the
 * engine asks the storage again when it gets a hint (`recheck`).
 */

import type { RunRecord } from "../model/run.js";
import { isSettled } from "../model/run.js";
import type { RunReader } from "../ports/storage.js";

type Waiter = (run: RunRecord | undefined) => void;
type Reject = (error: unknown) => void;

/** A run that is about to be accepted. Until `accepted` or `refused` is called, its absence means nothing. */
export interface ExpectedRun {
  readonly settled: Promise<RunRecord | undefined>;
  /** Answers whether a recheck has passed it over meanwhile: then it has to be looked for again. */
  accepted(): boolean;
  refused(): void;
}

export class RunTracker {
  readonly #runs: RunReader;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #rejects = new Map<Reject, () => void>();
  /** Those that are not there yet, and whether a recheck has passed them over. */
  readonly #expected = new Map<string, { passedOver: boolean }>();

  constructor(runs: RunReader) {
    this.#runs = runs;
  }

  /** Call `waiter` once when the run has settled, or with `undefined` when it is gone. Returns its undo. */
  watch(runId: string, waiter: Waiter): () => void {
    const waiters = this.#waiters.get(runId) ?? new Set();
    this.#waiters.set(runId, waiters.add(waiter));
    return () => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiters.get(runId) === waiters) this.#waiters.delete(runId);
    };
  }

  /** The settled run; `undefined` when it is gone. Rejects when the engine closes. */
  wait(runId: string): Promise<RunRecord | undefined> {
    return this.#wait(runId).settled;
  }

  /**
   * As `wait`, for a run that is not there yet: who begins to wait only when its acceptance is answered may miss that
   * the same commit settled it.
   */
  expect(runId: string): ExpectedRun {
    const { settled, undo } = this.#wait(runId);
    const expected = { passedOver: false };
    this.#expected.set(runId, expected);
    const accepted = (): boolean => {
      this.#expected.delete(runId);
      return expected.passedOver;
    };
    const refused = (): void => {
      accepted();
      undo();
    };
    settled.catch(() => {});
    return { settled, accepted, refused };
  }

  #wait(runId: string): { readonly settled: Promise<RunRecord | undefined>; undo(): void } {
    let undo = (): void => {};
    const settled = new Promise<RunRecord | undefined>((resolve, reject) => {
      const unwatch = this.watch(runId, (run) => {
        this.#rejects.delete(reject);
        resolve(run);
      });
      this.#rejects.set(reject, unwatch);
      undo = () => {
        this.#rejects.delete(reject);
        unwatch();
      };
    });
    return { settled, undo };
  }

  /** Nobody will hear of anything any more. */
  close(error: unknown): void {
    for (const [reject, undo] of this.#rejects) {
      undo();
      reject(error);
    }
    this.#rejects.clear();
  }

  settled(run: RunRecord): void {
    this.#notify(run.id, run);
  }

  gone(runId: string): void {
    this.#notify(runId, undefined);
  }

  /** Look up every run that somebody waits for: another process may have settled or deleted it. */
  async recheck(): Promise<void> {
    for (const expected of this.#expected.values()) expected.passedOver = true;
    const ids = [...this.#waiters.keys()].filter((id) => !this.#expected.has(id));
    for (let start = 0; start < ids.length; start += 100) await this.#recheck(ids.slice(start, start + 100));
  }

  async #recheck(ids: string[]): Promise<void> {
    const runs = await this.#runs.list({ ids, limit: ids.length, sortBy: "createdAt", order: "asc" });
    const found = new Map(runs.map((run) => [run.id, run]));
    for (const id of ids) {
      const run = found.get(id);
      if (run === undefined) this.gone(id);
      else if (isSettled(run.status)) this.settled(run);
    }
  }

  #notify(runId: string, run: RunRecord | undefined): void {
    const waiters = this.#waiters.get(runId);
    if (waiters === undefined) return;
    this.#waiters.delete(runId);
    for (const waiter of waiters) waiter(run);
  }
}
