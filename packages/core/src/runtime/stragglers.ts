/**
 * Intents whose thread somebody else holds, as a host's open transaction does. They wait here, so that the others do not
 * wait with them: those of one thread one after the other, and a few threads at once, for each may keep a connection.
 */

import PQueue from "p-queue";
import type { Intent } from "../model/intents/intent.js";
import { needsOf } from "../model/intents/needs.js";

const atOnce = 4;

export class Stragglers {
  readonly #slots = new PQueue({ concurrency: atOnce });
  /** The last intent that waits for each thread. */
  readonly #last = new Map<string, Promise<void>>();

  get busy(): boolean {
    return this.#last.size > 0;
  }

  /** Does an intent of the same thread wait already? Then this one comes behind it. */
  concern(intent: Intent): boolean {
    return this.busy && needsOf(intent).threads.some((id) => this.#last.has(id));
  }

  /** @param work must not reject */
  add(intent: Intent, work: () => Promise<void>): void {
    const { threads } = needsOf(intent);
    const before = Promise.all(threads.map((id) => this.#last.get(id)));
    const done: Promise<void> = before.then(() => this.#slots.add(work)).then(() => this.#forget(threads, done));
    for (const id of threads) this.#last.set(id, done);
  }

  async drain(): Promise<void> {
    while (this.busy) await Promise.all(this.#last.values());
  }

  #forget(threads: readonly string[], done: Promise<void>): void {
    for (const id of threads) if (this.#last.get(id) === done) this.#last.delete(id);
  }
}
