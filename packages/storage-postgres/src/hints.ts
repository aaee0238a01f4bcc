/** Those in this process who want to know of commits. Many hints within a few ms are one: each makes an engine look. */

import { Pacing } from "./pacing.js";

export class Hints {
  readonly #watchers = new Set<() => void>();
  readonly #pacing = new Pacing();
  #timer: NodeJS.Timeout | undefined;

  get size(): number {
    return this.#watchers.size;
  }

  /** Returns its undo. */
  add(hint: () => void): () => void {
    const own = () => hint();
    this.#watchers.add(own);
    return () => void this.#watchers.delete(own);
  }

  hint(): void {
    if (this.#timer !== undefined || this.#watchers.size === 0) return;
    this.#timer = setTimeout(() => this.#fire(), this.#pacing.wait());
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watchers.clear();
  }

  #fire(): void {
    this.#timer = undefined;
    this.#pacing.note();
    for (const watcher of [...this.#watchers]) watcher();
  }
}
