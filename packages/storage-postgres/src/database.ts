/** What the parts of one open storage share. */

import type { Queries, QueryBuilder } from "@heddle/storage-sql";
import { createQueries, createQueryBuilder, ListQueries } from "@heddle/storage-sql";
import type { Clients } from "./clients.js";
import { CommitMarkers } from "./commit-marker.js";
import { KnownState } from "./known-state.js";
import { type LoadStatements, loadStatements } from "./load-statements.js";
import { postgresDialect } from "./postgres-dialect.js";
import { SchemaNames } from "./schema-names.js";
import { type Bound, bound, Statements } from "./statement.js";
import { type WriteStatements, writeStatements } from "./write-statements.js";

export interface Database {
  readonly clients: Clients;
  readonly names: SchemaNames;
  readonly statements: Statements;
  readonly queries: Queries;
  readonly lists: ListQueries;
  readonly loads: LoadStatements;
  readonly writes: WriteStatements;
  readonly markers: CommitMarkers;
  readonly known: KnownState;
  /** Begin a transaction that does not wait long for others, nor keeps others waiting. */
  begin(limits: TransactionLimits): readonly Bound[];
  readonly commit: Bound;
  /** Goes before reads by keys, in their flight, whose statements are one transaction. */
  readonly planByKeys: Bound;
  readonly lockWait: number;
  /** ms that the server may take to answer. */
  readonly queryTimeout: number;
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
  readonly queryTimeout: number;
  now(): number | null;
}

export function queryBuilderOf(schema: string): QueryBuilder {
  return createQueryBuilder(postgresDialect).withSchema(schema);
}

export function createDatabase({ clients, schema, prepare, lockWait, queryTimeout, now }: DatabaseOptions): Database {
  const names = new SchemaNames(schema);
  const statements = new Statements(prepare);
  const builder = queryBuilderOf(schema);
  const queries = createQueries(builder, postgresDialect);
  const loads = loadStatements(names, statements);
  return {
    clients,
    names,
    statements,
    queries,
    lists: new ListQueries(builder, postgresDialect),
    loads,
    known: new KnownState(loads),
    writes: writeStatements(names, statements),
    markers: new CommitMarkers(clients, names, statements, lockWait),
    begin: beginning(statements),
    planByKeys: bound(statements.fixed(setting(planning))),
    commit: bound(statements.fixed("commit")),
    lockWait,
    queryTimeout,
    now,
  };
}

/**
 * How our statements are planned. They find rows by keys, a few at a time, whatever their parameters are. So one plan for
 * all parameters is kept (planning takes longer than running); and since it may be made while the tables are empty and
 * must do when they are large, rows are only ever looked up one by one in an index.
 */
const planning = {
  plan_cache_mode: "'force_generic_plan'",
  enable_seqscan: "'off'",
  enable_hashjoin: "'off'",
  enable_mergejoin: "'off'",
  jit: "'off'",
};

/** All settings are local to a transaction: behind a pooler the session is somebody else's next. */
function setting(values: Readonly<Record<string, string>>): string {
  return `select ${Object.entries(values)
    .map(([name, value]) => `set_config('${name}', ${value}, true)`)
    .join(", ")}`;
}

function beginning(statements: Statements): Database["begin"] {
  const begin = bound(statements.fixed("begin isolation level read committed read write"));
  const limits = { lock_timeout: "$1", idle_in_transaction_session_timeout: "$2" };
  const set = statements.fixed(setting({ ...limits, ...planning }));
  return ({ lockTimeout }) => [begin, bound(set, lockTimeout, idleTimeout)];
}
