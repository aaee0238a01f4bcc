/** Those in this process who want to know of commits. Many hints within a few ms are one: each makes an engine look. */

const quiet = 20;

export class Hints {
  readonly #watchers = new Set<() => void>();
  #lastAt = Number.NEGATIVE_INFINITY;
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
    const wait = Math.max(0, this.#lastAt + quiet - performance.now());
    this.#timer = setTimeout(() => this.#fire(), wait);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watchers.clear();
  }

  #fire(): void {
    this.#timer = undefined;
    this.#lastAt = performance.now();
    for (const watcher of [...this.#watchers]) watcher();
  }
}
