/** What the host's own statements run on inside a transaction. */

import { HeddleError } from "@heddle/core/storage";
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from "kysely";
import { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from "kysely";
import type { PgClient } from "./session.js";

export interface PostgresHost {
  /** The connection itself, for `client.query(…)`. Leave `begin`, `commit` and `release` to Heddle. */
  readonly client: Pick<PgClient, "query">;
  /** A query builder over the same transaction, typed by the host's tables. It ends with the transaction. */
  kysely<Tables>(): Kysely<Tables>;
}

/** Marks the async context of a transaction's body. */
export interface Scope {
  isOpen: boolean;
}

export function hostOf(client: PgClient, scope: Scope): PostgresHost {
  const query = (...given: Parameters<PgClient["query"]>) => {
    requireOpen(scope);
    return client.query(...given);
  };
  return {
    client: { query: query as PgClient["query"] },
    kysely: <Tables>() =>
      new Kysely<Tables>({
        dialect: {
          createAdapter: () => new PostgresAdapter(),
          createDriver: () => new TransactionDriver(client, scope),
          createIntrospector: (db) => new PostgresIntrospector(db),
          createQueryCompiler: () => new PostgresQueryCompiler(),
        },
      }),
  };
}

/** Runs each query in the open transaction; begins and ends none. */
class TransactionDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(client: PgClient, scope: Scope) {
    this.#connection = new TransactionConnection(client, scope);
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
  readonly #client: PgClient;
  readonly #scope: Scope;

  constructor(client: PgClient, scope: Scope) {
    this.#client = client;
    this.#scope = scope;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    requireOpen(this.#scope);
    const { rows, rowCount } = await this.#client.query(sql, [...parameters]);
    return { rows, ...(rowCount === null ? {} : { numAffectedRows: BigInt(rowCount) }) };
  }

  /** All at once: a cursor would need a package of its own. */
  async *streamQuery<Row>(query: CompiledQuery): AsyncIterableIterator<QueryResult<Row>> {
    yield await this.executeQuery<Row>(query);
  }
}

/** @throws HeddleError TRANSACTION_CLOSED */
export function requireOpen(scope: Scope): void {
  if (scope.isOpen) return;
  throw new HeddleError("TRANSACTION_CLOSED", "The transaction has ended: await everything inside its body.");
}
