/** What the host's own statements run on inside a transaction. */

import { hostQueryBuilder, type Scope } from "@heddle/storage-sql";
import type BetterSqlite3 from "better-sqlite3";
import type { CompiledQuery, Kysely } from "kysely";
import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely";

export interface SqliteHost {
  /** The connection itself. Synchronous; leave `begin`, `commit` and `close` to Heddle. */
  readonly database: BetterSqlite3.Database;
  /** A query builder over the same transaction, typed by the host's tables. It ends with the transaction. */
  kysely<Tables>(): Kysely<Tables>;
}

export function hostOf(database: BetterSqlite3.Database, scope: Scope): SqliteHost {
  const connection = {
    createAdapter: () => new SqliteAdapter(),
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    async executeQuery<Row>({ sql, parameters }: CompiledQuery) {
      const statement = database.prepare<unknown[], Row>(sql);
      if (statement.reader) return { rows: statement.all([...parameters]) };
      const { changes, lastInsertRowid } = statement.run([...parameters]);
      return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
    },
    async *streamQuery<Row>({ sql, parameters }: CompiledQuery) {
      for (const row of database.prepare<unknown[], Row>(sql).iterate([...parameters])) yield { rows: [row] };
    },
  };
  return { database, kysely: <Tables>() => hostQueryBuilder<Tables>(connection, scope) };
}
