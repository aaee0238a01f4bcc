/**
 * One connection to a database, and whose turn it is to use it. All storages of a process that name the same file share
 * one, so a connection outlives none of its users and belongs to none of them.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { HeddleError } from "@heddle/core/storage";
import type BetterSqlite3 from "better-sqlite3";
import { RecordCache } from "./record-cache.js";
import { retryWhileBusy } from "./retry-while-busy.js";
import { Statements } from "./statements.js";
import { HostTransactionOpen, isBusy, sqliteCode, UnknownOutcome } from "./storage-errors.js";
import { TurnQueue } from "./turn-queue.js";

/** A busy wait inside SQLite blocks the event loop: it is kept short, the long wait is ours. */
export const busyTimeout = 5;

/** Marks the async context of a transaction's body. */
export interface Scope {
  readonly connection: Connection;
  /** The context it was opened in: a transaction on another connection may surround it. */
  readonly outer: Scope | undefined;
  isOpen: boolean;
}

/** Tells a call from inside a transaction's body from any other. One for all: Node pays for each that was ever used. */
const scopes = new AsyncLocalStorage<Scope>();

/** Is told that something was committed on this connection, and by whom. */
export type CommitListener = (committer: object) => void;

/** Run synchronous `work`, again and again while another process holds the lock. */
export type Retry = <Result>(work: () => Result) => Promise<Result>;

export class Connection {
  readonly database: BetterSqlite3.Database;
  /** The file's real path; `undefined`: in memory. */
  readonly path: string | undefined;
  /** We opened it and close it. */
  readonly isOurs: boolean;
  readonly statements: Statements;
  readonly cache: RecordCache;
  readonly turns = new TurnQueue();
  readonly listeners = new Set<CommitListener>();
  readonly #hostTimeout: number;

  constructor(database: BetterSqlite3.Database, { path, isOurs }: { path: string | undefined; isOurs: boolean }) {
    this.database = database;
    this.path = path;
    this.isOurs = isOurs;
    this.statements = new Statements(database);
    this.cache = new RecordCache(this.statements);
    this.#hostTimeout = isOurs ? busyTimeout : Number(database.pragma("busy_timeout", { simple: true }));
  }

  /** Between transactions, in one go. */
  async read<Result>(work: () => Result): Promise<Result> {
    this.refuseInTransaction();
    try {
      return await this.turns.read(work);
    } catch (error) {
      if (!isBusy(error)) throw error;
      return this.alone((retry) => retry(work));
    }
  }

  /** Use the connection alone until `work` is done. */
  async alone<Result>(work: (retry: Retry) => Promise<Result>): Promise<Result> {
    this.refuseInTransaction();
    await this.turns.enter();
    try {
      return await work((step) => retryWhileBusy(step, this.turns));
    } finally {
      this.turns.leave();
    }
  }

  /** One transaction in one go: no other process can be kept waiting by our event loop. */
  transact<Result>(work: () => Result): Result {
    this.begin();
    return this.#orRollback(() => {
      const result = work();
      this.commit();
      return result;
    });
  }

  /** Takes the writer's lock at once: what is read from here on is still true when it is written. */
  begin(): void {
    if (this.database.inTransaction) throw new HostTransactionOpen("the host has a transaction open");
    if (this.#hostTimeout <= busyTimeout) this.#run("begin immediate");
    else this.#beginWithoutWaiting();
    this.#orRollback(() => this.cache.check());
  }

  commit(): void {
    try {
      this.#run("commit");
    } catch (error) {
      // What reached the disk then counts after a restart, whatever this process believes.
      throw sqliteCode(error).startsWith("SQLITE_IOERR") ? new UnknownOutcome(error) : error;
    }
  }

  /** SQLite itself rolls back after some errors. */
  rollback(): void {
    this.cache.clear();
    if (this.database.inTransaction) this.#run("rollback");
  }

  /** Run `work` as a part of the open transaction that can be undone alone. */
  nested<Result>(work: () => Result): Result {
    this.#run("savepoint heddle");
    this.cache.check();
    try {
      return work();
    } catch (error) {
      this.cache.clear();
      if (this.database.inTransaction) this.#run("rollback to heddle");
      throw error;
    } finally {
      if (this.database.inTransaction) this.#run("release heddle");
    }
  }

  newScope(): Scope {
    return { connection: this, outer: scopes.getStore(), isOpen: true };
  }

  /** Run the body of a transaction, so that calls from inside it are known as such. */
  inScope<Result>(scope: Scope, body: () => Result): Result {
    return scopes.run(scope, body);
  }

  /** Waiting for a turn inside one's own turn would never end. */
  refuseInTransaction(): void {
    let scope = scopes.getStore();
    while (scope !== undefined && !(scope.isOpen && scope.connection === this)) scope = scope.outer;
    if (scope === undefined) return;
    throw new HeddleError(
      "TRANSACTION_MISUSE",
      "Inside a transaction only the transaction's own object may be used: anything else would wait for the " +
        'transaction to end, for ever. Pass "tx" on, or do this after the transaction.',
    );
  }

  #orRollback<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      this.rollback();
      throw error;
    }
  }

  #beginWithoutWaiting(): void {
    this.database.pragma(`busy_timeout = ${busyTimeout}`);
    try {
      this.#run("begin immediate");
    } finally {
      this.database.pragma(`busy_timeout = ${this.#hostTimeout}`);
    }
  }

  #run(sql: string): void {
    this.statements.text(sql).run();
  }
}
