/** What the parts of one open storage share. */

import { createQueries, createQueryBuilder, ListQueries } from "@heddle/storage-sql";
import type { Queries, QueryBuilder } from "@heddle/storage-sql";
import type { Clients } from "./clients.js";
import { CommitMarkers } from "./commit-marker.js";
import { loadStatements, type LoadStatements } from "./load-statements.js";
import { postgresDialect } from "./postgres-dialect.js";
import { SchemaNames } from "./schema-names.js";
import { bound, Statements, type Bound, type Statement } from "./statement.js";
import { writeStatements, type WriteStatements } from "./write-statements.js";

export interface Database {
  readonly clients: Clients;
  readonly names: SchemaNames;
  readonly statements: Statements;
  readonly queries: Queries;
  readonly lists: ListQueries;
  readonly loads: LoadStatements;
  readonly writes: WriteStatements;
  readonly markers: CommitMarkers;
  /** Begin a transaction that does not wait long for others, nor keeps others waiting. */
  begin(limits: TransactionLimits): readonly Bound[];
  readonly commit: Bound;
  readonly lockWait: number;
  /** Epoch ms by the engine's clock, where that is a test's; `null`: the server's clock counts. */
  now(): number | null;
}

export interface TransactionLimits {
  /** ms to wait for a row that somebody else holds. */
  readonly lockTimeout: number;
}

/** An owner that stops inside a transaction must not keep its rows, ms. */
const idleTimeout = 5_000;

export interface DatabaseOptions {
  readonly clients: Clients;
  readonly schema: string;
  readonly prepare: boolean;
  readonly lockWait: number;
  now(): number | null;
}

export function queryBuilderOf(schema: string): QueryBuilder {
  return createQueryBuilder(postgresDialect).withSchema(schema);
}

export function createDatabase({ clients, schema, prepare, lockWait, now }: DatabaseOptions): Database {
  const names = new SchemaNames(schema);
  const statements = new Statements(prepare);
  const builder = queryBuilderOf(schema);
  return {
    clients,
    names,
    statements,
    queries: createQueries(builder, postgresDialect),
    lists: new ListQueries(builder, postgresDialect),
    loads: loadStatements(names, statements),
    writes: writeStatements(names, statements),
    markers: new CommitMarkers(clients, names, statements, lockWait),
    begin: beginning(statements),
    commit: bound(statements.fixed("commit")),
    lockWait,
    now,
  };
}

/**
 * Local to the transaction: behind a pooler the session is somebody else's next.
 *
 * Our statements find rows by keys, a few at a time, whatever their parameters are. So one plan for all parameters is
 * kept (planning takes longer than running), and since it may be made while the tables are empty, it must not be a scan
 * of the whole table, nor be thought expensive enough to be compiled.
 */
const settings = {
  lock_timeout: "$1",
  idle_in_transaction_session_timeout: "$2",
  plan_cache_mode: "'force_generic_plan'",
  enable_seqscan: "'off'",
  jit: "'off'",
};

function beginning(statements: Statements): Database["begin"] {
  const begin = bound(statements.fixed("begin isolation level read committed read write"));
  const calls = Object.entries(settings).map(([name, value]) => `set_config('${name}', ${value}, true)`);
  const set: Statement = statements.fixed(`select ${calls.join(", ")}`);
  return ({ lockTimeout }) => [begin, bound(set, lockTimeout, idleTimeout)];
}
