/**
 * Clients of a pool: borrowed for one piece of work, given back clean, never held while an agent runs.
 * The pool may be the host's: it is used as it is, and only ended where we made it.
 */

import type pg from "pg";
import { ClientSession } from "./session.js";
import { driverError, PoolExhausted } from "./storage-errors.js";

/** What we use of a pool. */
export type PgPool = Pick<pg.Pool, "connect" | "on" | "removeListener">;

const ignore = (): void => {};

export class Clients {
  readonly #pool: PgPool;
  readonly #acquireTimeout: number;
  readonly #queryTimeout: number;

  /** Both in ms. */
  constructor(pool: PgPool, limits: { readonly acquireTimeout: number; readonly queryTimeout: number }) {
    this.#pool = pool;
    this.#acquireTimeout = limits.acquireTimeout;
    this.#queryTimeout = limits.queryTimeout;
  }

  /** An idle client that loses its connection tells its pool; where nobody listens, that ends the process. */
  guard(): () => void {
    this.#pool.on("error", ignore);
    return () => void this.#pool.removeListener("error", ignore);
  }

  /** Work with a client alone. One that the work left in an unknown state is thrown away. */
  async use<Result>(work: (session: ClientSession) => Promise<Result>): Promise<Result> {
    const client = await this.#acquire();
    const session = new ClientSession(client, this.#queryTimeout);
    let isClean = false;
    try {
      const result = await work(session);
      isClean = !session.isInTransaction;
      return result;
    } catch (error) {
      isClean = await session.recover(error);
      throw error;
    } finally {
      client.removeListener("error", ignore);
      client.release(!isClean);
    }
  }

  /**
   * While a client is borrowed the pool does not listen to it, so from the very moment in which it is handed over this
   * does: the server's goodbye may be in the same packet as the end of the login.
   */
  #acquire(): Promise<pg.PoolClient> {
    return new Promise((resolve, reject) => {
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        reject(
          new PoolExhausted(
            `No connection of the pool became free within ${this.#acquireTimeout} ms. Use a larger pool.`,
          ),
        );
      }, this.#acquireTimeout);
      // Not its promise, whose answer comes a turn later.
      this.#pool.connect((error, client) => {
        clearTimeout(timer);
        if (client === undefined) return reject(failureOf(error));
        if (isLate) return client.release();
        client.on("error", ignore);
        resolve(client);
      });
    });
  }
}

function failureOf(error: unknown): unknown {
  return isPoolTimeout(error) ? new PoolExhausted("No client of the pool became free in time.") : driverError(error);
}

/** pg-pool's way to say that nobody gave a client back in time; it has no code. */
function isPoolTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "timeout exceeded when trying to connect";
}
