/** What a host holds of a transaction, and what it may pass as `{ tx }`. */

/** Keys what only the engine that made the transaction looks into. */
export const transactionState: unique symbol = Symbol("heddle.transaction");

/** Pass it as `{ tx }` to `start`. Use only this, and `host`, inside the transaction. */
export interface Transaction<Host = unknown> {
  /** For the host's own statements, on the same connection and in the same transaction. */
  readonly host: Host;
  /** @internal */
  readonly [transactionState]: object;
}

/**
 * A transaction that the host began itself, where the storage can join it: on PostgreSQL a Kysely transaction, or a
 * client of `pg` with a transaction open. The engine does not see its commit; it hears of it from the storage.
 */
export type ForeignTransaction = { readonly isTransaction: true } | { query(text: string): unknown };

/** What `{ tx }` takes. */
export type AnyTransaction = Transaction | ForeignTransaction;
