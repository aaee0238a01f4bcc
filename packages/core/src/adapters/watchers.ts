/**
 * Hints for engines that share a memory database: one of the others may have committed. The hints of one turn of the
 * loop are one hint, so that a busy engine does not keep the others busy too.
 */

import type { Clock } from "../ports/clock.js";

interface Watcher {
  readonly connection: object;
  readonly hint: () => void;
}

export class Watchers {
  readonly #watchers = new Set<Watcher>();
  readonly #hinting = new Set<Watcher>();

  /** Returns its undo. */
  add(connection: object, hint: () => void): () => void {
    const watcher = { connection, hint };
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** Tell all others. Who shares the committer's connection may be the committer itself: alone there, it is not told. */
  hint(committer: object, clock: Clock): void {
    const isShared = [...this.#watchers].filter(({ connection }) => connection === committer).length > 1;
    for (const watcher of this.#watchers) {
      if (watcher.connection === committer && !isShared) continue;
      this.#hintSoon(watcher, clock);
    }
  }

  #hintSoon(watcher: Watcher, clock: Clock): void {
    if (this.#hinting.has(watcher)) return;
    this.#hinting.add(watcher);
    void clock.turn().then(() => {
      this.#hinting.delete(watcher);
      if (this.#watchers.has(watcher)) watcher.hint();
    });
  }
}
