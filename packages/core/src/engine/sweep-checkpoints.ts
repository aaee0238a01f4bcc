/**
 * Keeps threads within the engine's retention of checkpoints, in the background. Threads are walked in the order in which
 * they changed, so a sweep looks only at those that did since the last one. What gets old without changing is found in
 * rounds of its own, four in every `maxAge`.
 */

import { HeddleError } from "../errors.js";
import type { ThreadRecord } from "../model/thread.js";
import type { Core } from "./core.js";
import { pruneCheckpoints } from "./prune-checkpoints.js";

const pageSize = 100;

export class CheckpointSweeper {
  readonly #core: Core;
  /** Threads that changed later, epoch ms, were not looked at yet. */
  #seen = Number.MIN_SAFE_INTEGER;
  #lastRound = Number.NEGATIVE_INFINITY;

  constructor(core: Core) {
    this.#core = core;
  }

  async sweep(): Promise<void> {
    const { keep, maxAge } = this.#core.settings.retention.checkpoints;
    if (maxAge !== undefined && this.#roundIsDue(maxAge)) return this.#sweepRound(maxAge);
    if (keep !== "all") await this.#walk(this.#seen, (thread) => this.#sweepCrowded(thread, keep));
  }

  #roundIsDue(maxAge: number): boolean {
    return this.#core.storageNow() - this.#lastRound >= maxAge / 4;
  }

  /** What did not change since `maxAge` before the last round was left with its head then. */
  async #sweepRound(maxAge: number): Promise<void> {
    const { keep } = this.#core.settings.retention.checkpoints;
    const since = this.#lastRound - maxAge;
    this.#lastRound = this.#core.storageNow();
    const keeping = { keep: keep === "all" ? Number.POSITIVE_INFINITY : keep, maxAge };
    await this.#walk(Math.max(since, Number.MIN_SAFE_INTEGER), ({ id }) => this.#prune(id, keeping));
  }

  /** Each time costs a snapshot, so it waits until there is more to remove than a single one. */
  async #sweepCrowded({ id }: ThreadRecord, keep: number): Promise<void> {
    const most = keep + Math.floor(keep / 4);
    const checkpoints = await this.#core.storage.checkpoints.ofThread(id, { limit: most + 1 });
    if (checkpoints.length > most) await this.#prune(id, { keep, maxAge: undefined });
  }

  async #prune(threadId: string, keeping: Parameters<typeof pruneCheckpoints>[2]): Promise<void> {
    try {
      await pruneCheckpoints(this.#core, threadId, keeping);
    } catch (error) {
      if (!HeddleError.is(error, "THREAD_NOT_FOUND")) throw error;
    }
  }

  async #walk(since: number, visit: (thread: ThreadRecord) => Promise<void>): Promise<void> {
    let after = { value: since, id: "" };
    for (;;) {
      const page = { limit: pageSize, sortBy: "updatedAt", order: "asc", after } as const;
      const threads = await this.#core.storage.threads.list(page);
      for (const thread of threads) {
        // One that cannot be pruned must not keep the others from it.
        await visit(thread).catch((error: unknown) => this.#core.report(error, `pruning thread ${thread.id}`));
        after = { value: thread.updatedAt, id: thread.id };
      }
      // Commits may come to light a little later than their time says.
      this.#seen = Math.max(this.#seen, after.value - this.#core.settings.retention.sweep);
      if (threads.length < pageSize) return;
    }
  }
}
