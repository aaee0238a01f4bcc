/** What a host gets inside a transaction of ours: a query builder that ends with the transaction, and clear refusals. */

import { HeddleError } from "@heddle/core/storage";
import type { CompiledQuery, DatabaseConnection, Dialect, Driver, QueryResult } from "kysely";
import { Kysely } from "kysely";

/** Marks the async context of a transaction's body. */
export interface Scope {
  isOpen: boolean;
}

/** @throws HeddleError TRANSACTION_CLOSED */
export function requireOpen(scope: Scope): void {
  if (!scope.isOpen) throw transactionClosed();
}

/** For what was asked for, and not awaited, inside a body that has ended. */
export function transactionClosed(): HeddleError {
  return new HeddleError("TRANSACTION_CLOSED", "The transaction has ended: await everything inside its body.");
}

/** For a body that ended the transaction on its own. */
export function transactionEnded(): HeddleError {
  return new HeddleError(
    "TRANSACTION_MISUSE",
    "Something ended the transaction inside its body, so nobody can say what was kept. Leave begin, commit and " +
      "rollback to Heddle; throw to roll back.",
  );
}

/** How queries are written for the database, and how they are run in the open transaction. */
export interface HostConnection extends Omit<Dialect, "createDriver">, DatabaseConnection {}

/** A query builder over the open transaction. It begins and ends none, and refuses once `scope` is closed. */
export function hostQueryBuilder<Tables>(connection: HostConnection, scope: Scope): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => connection.createAdapter(),
      createDriver: () => new TransactionDriver(new ScopedConnection(connection, scope)),
      createIntrospector: (db) => connection.createIntrospector(db),
      createQueryCompiler: () => connection.createQueryCompiler(),
    },
  });
}

class TransactionDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(connection: DatabaseConnection) {
    this.#connection = connection;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }

  async beginTransaction(): Promise<void> {
    throw new HeddleError(
      "TRANSACTION_MISUSE",
      "This query builder runs inside a transaction already: use it as it is, without transaction().",
    );
  }

  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async releaseConnection(): Promise<void> {}
  async destroy(): Promise<void> {}
}

class ScopedConnection implements DatabaseConnection {
  readonly #connection: DatabaseConnection;
  readonly #scope: Scope;

  constructor(connection: DatabaseConnection, scope: Scope) {
    this.#connection = connection;
    this.#scope = scope;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    requireOpen(this.#scope);
    return this.#connection.executeQuery<Row>(query);
  }

  async *streamQuery<Row>(query: CompiledQuery, chunkSize: number): AsyncIterableIterator<QueryResult<Row>> {
    requireOpen(this.#scope);
    yield* this.#connection.streamQuery<Row>(query, chunkSize);
  }
}
