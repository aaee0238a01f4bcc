/**
 * Group commit: what concurrent runs want to write at the same time shares one transaction.
 *
 * Intents queue up while a commit is under way or for one turn of the event loop; then all that wait go to the storage
 * in one call. Answers, and the effects that others are told of, follow only when that call has returned.
 *
 * An intent of several that is answered with STORAGE_BUSY met with a thread that somebody else holds: it is committed
 * again, alone and aside.
 */

import { HeddleError } from "../errors.js";
import type { Effect, Intent, IntentKind, IntentOf, IntentValues } from "../model/intents/intent.js";
import { shown } from "../model/shown.js";
import type { Clock } from "../ports/clock.js";
import type { IntentResult, Storage } from "../ports/storage.js";
import { Stragglers } from "./stragglers.js";

/** Intents of one commit: bounds how long one transaction holds the storage. */
const largestBatch = 512;

interface Waiting {
  readonly intent: Intent;
  resolve(value: IntentValues[IntentKind]): void;
  reject(error: unknown): void;
}

export class Committer {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #tell: (effects: readonly Effect[]) => void;
  readonly #lost: () => void;
  readonly #stragglers = new Stragglers();
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | undefined;

  /**
   * @param tell is called with the effects of each commit, before those who asked for it are answered
   * @param lost is called when a commit may have been done and its effects are not known
   */
  constructor(storage: Storage, clock: Clock, tell: (effects: readonly Effect[]) => void, lost: () => void) {
    this.#storage = storage;
    this.#clock = clock;
    this.#tell = tell;
    this.#lost = lost;
  }

  commit<Kind extends IntentKind>(intent: IntentOf<Kind>): Promise<IntentValues[Kind]> {
    const answer = new Promise<IntentValues[IntentKind]>((resolve, reject) => {
      this.#waiting.push({ intent, resolve, reject });
    });
    this.#flushing ??= this.#flush();
    return answer as Promise<IntentValues[Kind]>;
  }

  /** Is anything on its way to the storage? */
  get busy(): boolean {
    return this.#flushing !== undefined || this.#stragglers.busy;
  }

  /** Resolves when nothing is on its way any more. */
  async drain(): Promise<void> {
    while (this.busy) {
      await this.#flushing;
      await this.#stragglers.drain();
    }
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#clock.turn();
      const batch = this.#waiting.splice(0, largestBatch).filter((waiting) => !this.#joinsStragglers(waiting));
      if (batch.length > 0) await this.#commitBatch(batch);
    }
    this.#flushing = undefined;
  }

  async #commitBatch(batch: readonly Waiting[]): Promise<void> {
    let results: readonly IntentResult[];
    try {
      results = await this.#storage.commit(batch.map((waiting) => waiting.intent));
    } catch (error) {
      if (isUnknownOutcome(error)) this.#lost();
      for (const waiting of batch) waiting.reject(asStorageError(error));
      return;
    }
    for (const result of results) if (result.ok) this.#tell(result.effects);
    batch.forEach((waiting, index) => {
      const result = results[index];
      if (result?.ok) waiting.resolve(result.value);
      else if (batch.length > 1 && HeddleError.is(result?.error, "STORAGE_BUSY")) this.#commitAside(waiting);
      else waiting.reject(result?.error ?? asStorageError(new Error("no result")));
    });
  }

  #joinsStragglers(waiting: Waiting): boolean {
    if (!this.#stragglers.concern(waiting.intent)) return false;
    this.#commitAside(waiting);
    return true;
  }

  #commitAside(waiting: Waiting): void {
    this.#stragglers.add(waiting.intent, () => this.#commitBatch([waiting]));
  }
}

/** The storage failed, and whether it had carried out what it was asked is not known. */
export function isUnknownOutcome(error: unknown): boolean {
  return HeddleError.is(error) && error.details["outcome"] === "unknown";
}

/** Storages throw typed errors; anything else is a fault that is at least named as one. */
export function asStorageError(error: unknown): HeddleError {
  if (HeddleError.is(error)) return error;
  return new HeddleError("STORAGE_ERROR", `The storage failed: ${shown(error)}`, { cause: error });
}
