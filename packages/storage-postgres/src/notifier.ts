/**
 * Tells other processes that something was committed. Outside the engine's own transactions: a transaction that
 * notifies takes a lock that all others want at their commit. One statement for all commits of a few ms.
 */

import type { Clients } from "./clients.js";
import { type Bound, bound, type Statement, type Statements } from "./statement.js";
import { sqlState } from "./storage-errors.js";

/** ms */
const interval = 10;

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
  #isWanted = false;
  #isBusy = false;
  #isOff = false;

  constructor({ clients, statements, channel, sender }: NotifierOptions) {
    this.#clients = clients;
    this.#channel = channel;
    this.#sender = sender;
    this.#statement = statements.fixed("select pg_notify($1, $2)");
  }

  /** Soon; at once where nothing was told for a while. */
  tell(): void {
    this.#isWanted = true;
    if (!this.#isBusy && !this.#isOff) void this.#tellUntilQuiet();
  }

  /** For somebody else's transaction: everyone is told, with its commit. */
  forEveryone(): Bound {
    return this.#saying("*");
  }

  /** @throws what the database throws */
  async say(text: string): Promise<void> {
    await this.#clients.use((session) => session.run([this.#saying(text)]));
  }

  stop(): void {
    this.#isOff = true;
  }

  async #tellUntilQuiet(): Promise<void> {
    this.#isBusy = true;
    while (this.#isWanted && !this.#isOff) {
      this.#isWanted = false;
      // A hint that is lost is made good by polling.
      await this.say(this.#sender).catch((error: unknown) => this.#learn(error));
      await new Promise((resolve) => setTimeout(resolve, interval));
    }
    this.#isBusy = false;
  }

  /** Databases that only speak PostgreSQL's language may have no such function. */
  #learn(error: unknown): void {
    if (sqlState(error) === "0A000" || sqlState(error) === "42883") this.#isOff = true;
  }

  #saying(text: string): Bound {
    return bound(this.#statement, this.#channel, text);
  }
}
