/** What is under way, so that an engine's close leaves nothing behind. */

import type { Attempt } from "@heddle/core";

export class LiveAttempts {
  readonly #live = new Map<Promise<unknown>, Attempt>();

  async track<Result>(attempt: Attempt, execution: Promise<Result>): Promise<Result> {
    this.#live.set(execution, attempt);
    try {
      return await execution;
    } finally {
      this.#live.delete(execution);
    }
  }

  /** Resolves when nothing runs any more of the attempts that no engine waits for. Never rejects. */
  async fencedOff(): Promise<void> {
    const fenced = [...this.#live].filter(([, attempt]) => attempt.fence.aborted);
    await Promise.allSettled(fenced.map(([execution]) => execution));
  }
}
