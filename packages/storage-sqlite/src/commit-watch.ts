/**
 * Noticing what others commit. Other processes: `PRAGMA data_version` changes when another connection has written.
 * Storages of this process share our connection, where it does not: those tell each other. The hints of one turn of the
 * loop are one hint.
 */

import type { Clock } from "@heddle/core/storage";
import type { CommitListener, Connection } from "./connection.js";

/** ms; DESIGN section 9, "SQLite watch". */
const pollInterval = 50;
/** A test's time passes by the hour, and hardly for another process: a look each 50 ms would take most of the test. */
const virtualPollInterval = 1_000;

export class CommitWatch {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #storage: object;
  readonly #hints = new Set<() => void>();
  #hinting = false;
  #seen: unknown;
  #stopPoll: (() => void) | undefined;

  constructor(connection: Connection, { clock, storage }: { readonly clock: Clock; readonly storage: object }) {
    this.#connection = connection;
    this.#clock = clock;
    this.#storage = storage;
  }

  add(hint: () => void): () => void {
    const own = () => hint();
    if (this.#hints.size === 0) this.#start();
    this.#hints.add(own);
    return () => {
      if (this.#hints.delete(own) && this.#hints.size === 0) this.stop();
    };
  }

  stop(): void {
    this.#hints.clear();
    this.#stopPoll?.();
    this.#connection.listeners.delete(this.#onCommit);
  }

  #start(): void {
    this.#connection.listeners.add(this.#onCommit);
    this.#seen = this.#version();
    this.#schedule();
  }

  /** Who shares a storage cannot tell its own commits from the others': all of them are hinted. */
  readonly #onCommit: CommitListener = (committer) => {
    if (committer !== this.#storage || this.#hints.size > 1) this.#hint();
  };

  #schedule(): void {
    // In memory there is nobody else.
    if (this.#connection.path === undefined) return;
    const interval = this.#clock.isSystemClock === true ? pollInterval : virtualPollInterval;
    this.#stopPoll = this.#clock.setTimer(interval, () => this.#poll(), "upkeep");
  }

  #poll(): void {
    if (this.#hints.size === 0) return;
    this.#schedule();
    const version = this.#version();
    if (version === this.#seen) return;
    this.#seen = version;
    this.#hint();
  }

  /** Not while a transaction is open: what it sees is not what was committed. The next poll looks again. */
  #version(): unknown {
    const { turns, database, statements } = this.#connection;
    if (!turns.isOpen || database.inTransaction) return this.#seen;
    try {
      return statements.text("pragma data_version").pluck().get();
    } catch {
      return this.#seen; // busy, closed, broken: whoever works with it is told, and polling goes on
    }
  }

  #hint(): void {
    if (this.#hinting) return;
    this.#hinting = true;
    void this.#clock.turn().then(() => {
      this.#hinting = false;
      for (const hint of [...this.#hints]) hint();
    });
  }
}
