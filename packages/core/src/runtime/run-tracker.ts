/**
 * Who waits for which run. Commits of this engine settle the waiters directly; for commits of other processes the
 * engine asks the storage again when it gets a hint (`recheck`).
 */

import type { RunRecord } from "../model/run.js";
import { isSettled } from "../model/run.js";
import type { RunReader } from "../ports/storage.js";

/** Somebody who waits for a run to settle. */
class Waiter {
  /** The settled run; `undefined` when it is gone. Rejects when the engine closes. */
  readonly settled: Promise<RunRecord | undefined>;
  resolve!: (run: RunRecord | undefined) => void;
  reject!: (error: unknown) => void;
  /** The run is not there yet: until `accepted` or `refused` is called, its absence means nothing. */
  isExpected = false;
  /** A recheck came by while it was expected: it has to be looked for again. */
  passedOver = false;

  constructor() {
    this.settled = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Who waits hears of it; where nobody does any more, it is no failure. */
  giveUp(error: unknown): void {
    this.settled.catch(() => {});
    this.reject(error);
  }
}

/** A run that is about to be accepted. `accepted` or `refused` must follow. */
export type ExpectedRun = Pick<Waiter, "settled">;

export class RunTracker {
  readonly #runs: RunReader;
  readonly #waiters = new Map<string, Waiter[]>();

  constructor(runs: RunReader) {
    this.#runs = runs;
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
    const waiter = this.#wait(runId);
    waiter.isExpected = true;
    return waiter;
  }

  /** The run is there. Answers whether a recheck has passed it over meanwhile: then it has to be looked for again. */
  accepted(expected: ExpectedRun): boolean {
    const waiter = expected as Waiter;
    waiter.isExpected = false;
    return waiter.passedOver;
  }

  /** There will be no such run. */
  refused(runId: string, expected: ExpectedRun): void {
    const others = this.#waiters.get(runId)?.filter((waiter) => waiter !== expected) ?? [];
    if (others.length === 0) this.#waiters.delete(runId);
    else this.#waiters.set(runId, others);
  }

  #wait(runId: string): Waiter {
    const waiter = new Waiter();
    const others = this.#waiters.get(runId);
    if (others === undefined) this.#waiters.set(runId, [waiter]);
    else others.push(waiter);
    return waiter;
  }

  /** Nobody will hear of anything any more. */
  close(error: unknown): void {
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.giveUp(error);
    this.#waiters.clear();
  }

  settled(run: RunRecord): void {
    this.#notify(run.id, run);
  }

  gone(runId: string): void {
    this.#notify(runId, undefined);
  }

  /** Look up every run that somebody waits for: another process may have settled or deleted it. */
  async recheck(): Promise<void> {
    const ids: string[] = [];
    for (const [id, waiters] of this.#waiters) {
      const expected = waiters.filter(({ isExpected }) => isExpected);
      for (const waiter of expected) waiter.passedOver = true;
      if (expected.length === 0) ids.push(id);
    }
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
    for (const waiter of waiters) waiter.resolve(run);
  }
}
