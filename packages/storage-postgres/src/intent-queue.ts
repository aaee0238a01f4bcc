/**
 * Intents of one transaction that spans awaits. Its connection does one thing at a time: what is asked for at once is
 * applied together, in the order in which it was asked for; what is asked for meanwhile takes its turn.
 */

import type { Intent, IntentKind, IntentResult, IntentValues } from "@heddle/core/storage";
import { transactionClosed } from "@heddle/storage-sql";

type Value = IntentValues[IntentKind];

interface Waiting {
  readonly intent: Intent;
  resolve(value: Value): void;
  reject(error: unknown): void;
}

const mostAtOnce = 200;

export class IntentQueue {
  readonly #applyAll: (intents: readonly Intent[]) => Promise<readonly IntentResult[]>;
  #waiting: Waiting[] = [];
  #work: Promise<void> | undefined;

  constructor(applyAll: (intents: readonly Intent[]) => Promise<readonly IntentResult[]>) {
    this.#applyAll = applyAll;
  }

  /** @throws HeddleError when the intent is refused */
  apply(intent: Intent): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ intent, resolve, reject });
      this.#work ??= this.#applyWaiting();
    });
  }

  /** The transaction is over: what has begun is waited for, what has not is refused. */
  async end(): Promise<void> {
    for (const { reject } of this.#waiting.splice(0)) reject(transactionClosed());
    await this.#work;
  }

  async #applyWaiting(): Promise<void> {
    // All that is asked for in the same turn is there then.
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#applySome(this.#waiting.splice(0, mostAtOnce));
    this.#work = undefined;
  }

  async #applySome(group: readonly Waiting[]): Promise<void> {
    try {
      const results = await this.#applyAll(group.map(({ intent }) => intent));
      group.forEach(({ resolve, reject }, at) => {
        const result = results[at];
        if (result?.ok === true) resolve(result.value);
        else reject(result?.error ?? new Error("the intent was not answered"));
      });
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}
