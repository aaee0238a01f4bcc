/** What the host's own statements run on inside a transaction. */

import { hostQueryBuilder, requireOpen, type Scope } from "@heddle/storage-sql";
import type { CompiledQuery, Kysely, QueryResult } from "kysely";
import { PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from "kysely";
import type { PgClient } from "./session.js";

export interface PostgresHost {
  /** The connection itself, for `client.query(…)`. Leave `begin`, `commit` and `release` to Heddle. */
  readonly client: Pick<PgClient, "query">;
  /** A query builder over the same transaction, typed by the host's tables. It ends with the transaction. */
  kysely<Tables>(): Kysely<Tables>;
}

export function hostOf(client: PgClient, scope: Scope): PostgresHost {
  const query = (...given: Parameters<PgClient["query"]>) => {
    requireOpen(scope);
    return client.query(...given);
  };
  const executeQuery = async <Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> => {
    const { rows, rowCount } = await client.query(sql, [...parameters]);
    return { rows, ...(rowCount === null ? {} : { numAffectedRows: BigInt(rowCount) }) };
  };
  const connection = {
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db: Kysely<unknown>) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    executeQuery,
    /** All at once: a cursor would need a package of its own. */
    async *streamQuery<Row>(compiled: CompiledQuery) {
      yield await executeQuery<Row>(compiled);
    },
  };
  return {
    client: { query: query as PgClient["query"] },
    kysely: <Tables>() => hostQueryBuilder<Tables>(connection, scope),
  };
}
