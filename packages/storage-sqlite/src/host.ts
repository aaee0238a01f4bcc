/** What the host's own statements run on inside a transaction. */

import { HeddleError } from "@heddle/core/storage";
import type BetterSqlite3 from "better-sqlite3";
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from "kysely";
import { Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely";
import type { Connection, Scope } from "./connection.js";

export interface SqliteHost {
  /** The connection itself. Synchronous; leave `begin`, `commit` and `close` to Heddle. */
  readonly database: BetterSqlite3.Database;
  /** A query builder over the same transaction, typed by the host's tables. It ends with the transaction. */
  kysely<Tables>(): Kysely<Tables>;
}

export function hostOf(connection: Connection, scope: Scope): SqliteHost {
  return {
    database: connection.database,
    kysely: <Tables>() =>
      new Kysely<Tables>({
        dialect: {
          createAdapter: () => new SqliteAdapter(),
          createDriver: () => new TransactionDriver(connection, scope),
          createIntrospector: (db) => new SqliteIntrospector(db),
          createQueryCompiler: () => new SqliteQueryCompiler(),
        },
      }),
  };
}

/** Runs each query on the open transaction; begins and ends none. */
class TransactionDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(connection: Connection, scope: Scope) {
    this.#connection = new TransactionConnection(connection, scope);
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

class TransactionConnection implements DatabaseConnection {
  readonly #connection: Connection;
  readonly #scope: Scope;

  constructor(connection: Connection, scope: Scope) {
    this.#connection = connection;
    this.#scope = scope;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    requireOpen(this.#scope);
    const statement = this.#connection.database.prepare<unknown[], Row>(sql);
    if (statement.reader) return { rows: statement.all([...parameters]) };
    const { changes, lastInsertRowid } = statement.run([...parameters]);
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  async *streamQuery<Row>({ sql, parameters }: CompiledQuery): AsyncIterableIterator<QueryResult<Row>> {
    requireOpen(this.#scope);
    for (const row of this.#connection.database.prepare<unknown[], Row>(sql).iterate([...parameters])) {
      yield { rows: [row] };
    }
  }
}

/** @throws HeddleError TRANSACTION_CLOSED */
export function requireOpen(scope: Scope): void {
  if (scope.isOpen) return;
  throw new HeddleError("TRANSACTION_CLOSED", "The transaction has ended: await everything inside its body.");
}
