/**
 * What became of a commit whose answer was lost: found out, never guessed.
 *
 * Each transaction writes a row of its own to `heddle_commits`, its marker. Who lost the connection during the commit
 * plants the same marker in a new transaction, as "not committed", unless it is there:
 *
 * - the marker is there, from the transaction itself: it was committed;
 * - it could be planted: it was not committed, and never will be, should the lost transaction still be under way
 *   somewhere: its own marker now meets with a row that is there already, and it fails;
 * - the lost transaction still holds the marker: planting waits for its end, then one of the above.
 *
 * Asking the server for the state of a transaction id (`pg_xact_status`) would be cheaper, but after a crash the server
 * gives out again those ids of which it had written nothing to disk, so "committed" may be said of another's
 * transaction. A row cannot be mistaken, survives a crash or a failover exactly when its transaction does, and needs
 * no more than the SQL that every PostgreSQL-like database knows.
 */

import { randomUUID } from "node:crypto";
import { HeddleError } from "@heddle/core/storage";
import type { Clients } from "./clients.js";
import { pause } from "./pause.js";
import { serverTime } from "./postgres-dialect.js";
import type { SchemaNames } from "./schema-names.js";
import { type Bound, bound, type Statement, type Statements } from "./statement.js";
import { isConnectionLoss, isLockTimeout, PoolExhausted, sqlState } from "./storage-errors.js";

/** How long somebody may take to ask, ms: markers stay that long. */
const keep = 600_000;
const firstPause = 20;
const longestPause = 500;

export class CommitMarkers {
  readonly #clients: Clients;
  readonly #patience: number;
  readonly #put: Statement;
  readonly #plant: Statement;
  readonly #ask: Statement;

  /** @param patience ms until the answer must be there */
  constructor(clients: Clients, { commits }: SchemaNames, statements: Statements, patience: number) {
    this.#clients = clients;
    this.#patience = patience;
    this.#put = statements.fixed(`insert into ${commits} (id, committed) values ($1, 1)`);
    this.#plant = statements.fixed(`insert into ${commits} (id, committed) values ($1, 0) on conflict do nothing`);
    this.#ask = statements.fixed(`select committed from ${commits} where id = $1`);
  }

  /** A new marker: sorted by time, so that old ones are found and new ones lie together. */
  create(now: number): string {
    return `${Math.max(0, Math.floor(now)).toString(16).padStart(12, "0")}_${randomUUID()}`;
  }

  put(marker: string): Bound {
    return bound(this.#put, marker);
  }

  /** @throws HeddleError STORAGE_UNAVAILABLE with `outcome: "unknown"`, where the server does not come back in time */
  async wasCommitted(marker: string): Promise<boolean> {
    const giveUpAt = performance.now() + this.#patience;
    for (let wait = firstPause; ; wait = Math.min(wait * 2, longestPause)) {
      try {
        return await this.#plantAndAsk(marker);
      } catch (error) {
        if (!isPassing(error) || performance.now() > giveUpAt) throw outcomeUnknown(error);
      }
      await pause(wait);
    }
  }

  #plantAndAsk(marker: string): Promise<boolean> {
    return this.#clients.use(async (session) => {
      await session.run([bound(this.#plant, marker)]);
      const [answer] = await session.run([bound(this.#ask, marker)]);
      return answer?.rows[0]?.["committed"] === 1;
    });
  }
}

/** $1 the time; `null`: the server's. */
export function purgeMarkers({ commits }: SchemaNames): string {
  return `delete from ${commits} where id < lpad(to_hex(coalesce($1::bigint, ${serverTime}) - ${keep}), 12, '0')`;
}

function isPassing(error: unknown): boolean {
  return (
    isConnectionLoss(error) ||
    isLockTimeout(error) ||
    error instanceof PoolExhausted ||
    sqlState(error).startsWith("53")
  );
}

function outcomeUnknown(cause: unknown): HeddleError {
  return new HeddleError(
    "STORAGE_UNAVAILABLE",
    "The connection broke while a commit was on its way, and the server did not come back in time to say what became of it.",
    { details: { outcome: "unknown" }, cause },
  );
}
