/**
 * Tells other processes that something was committed, and what else there is to tell. Outside the engine's own
 * transactions: a transaction that notifies takes a lock that all others want at their commit. One round trip for all
 * that comes up within some ms.
 */

import type { Clients } from "./clients.js";
import { Pacing } from "./pacing.js";
import { pause } from "./pause.js";
import { type Bound, bound, type Statement, type Statements } from "./statement.js";
import { sqlState } from "./storage-errors.js";

/** Messages of somebody else's, told before the next commit is. */
export interface Outgoing {
  take(): readonly string[];
  /** Is anything left that did not fit? */
  readonly hasMore: boolean;
  /** What was taken last could not be told. */
  failed(): void;
}

export interface NotifierOptions {
  readonly clients: Clients;
  readonly statements: Statements;
  readonly channel: string;
  /** Who tells: a listener knows its own process by it. */
  readonly sender: string;
}

export class Notifier {
  readonly #clients: Clients;
  readonly #channel: string;
  readonly #sender: string;
  readonly #statement: Statement;
  #outgoing: Outgoing | undefined;
  #hasCommitted = false;
  #isWanted = false;
  #isBusy = false;
  #isOff = false;
  readonly #pacing = new Pacing();

  constructor({ clients, statements, channel, sender }: NotifierOptions) {
    this.#clients = clients;
    this.#channel = channel;
    this.#sender = sender;
    this.#statement = statements.fixed("select pg_notify($1, $2)");
  }

  attach(outgoing: Outgoing): void {
    this.#outgoing = outgoing;
  }

  /** Something was committed. */
  tell(): void {
    this.#hasCommitted = true;
    this.wake();
  }

  /** Soon; at once where nothing was told for a while. */
  wake(): void {
    this.#isWanted = true;
    if (!this.#isBusy && !this.#isOff) void this.#tellUntilQuiet();
  }

  /** For somebody else's transaction: everyone is told, with its commit. */
  forEveryone(): Bound {
    return this.#saying("*");
  }

  /** @throws what the database throws */
  async say(...texts: string[]): Promise<void> {
    await this.#clients.use((session) => session.run(texts.map((text) => this.#saying(text))));
  }

  /** The last commits are told of, then nothing any more. */
  async stop(): Promise<void> {
    const isLeft = this.#isWanted && !this.#isOff;
    this.#isOff = true;
    if (isLeft) await this.#tellNow();
  }

  async #tellUntilQuiet(): Promise<void> {
    this.#isBusy = true;
    while (this.#isWanted && !this.#isOff) {
      const wait = this.#pacing.wait();
      if (wait > 0) await pause(wait);
      if (this.#isOff) break;
      this.#isWanted = false;
      await this.#tellNow();
      this.#pacing.note();
    }
    this.#isBusy = false;
  }

  /** A delta that an attempt sent before a commit is told before it. */
  async #tellNow(): Promise<void> {
    const texts = [...(this.#outgoing?.take() ?? []), ...(this.#hasCommitted ? [this.#sender] : [])];
    this.#hasCommitted = false;
    if (texts.length === 0) return;
    try {
      await this.say(...texts);
    } catch (error) {
      // A hint that is lost is made good by polling.
      this.#outgoing?.failed();
      this.#learn(error);
    }
    if (this.#outgoing?.hasMore === true) this.#isWanted = true;
  }

  /** Databases that only speak PostgreSQL's language may have no such function. */
  #learn(error: unknown): void {
    if (sqlState(error) === "0A000" || sqlState(error) === "42883") this.#isOff = true;
  }

  #saying(text: string): Bound {
    return bound(this.#statement, this.#channel, text);
  }
}
