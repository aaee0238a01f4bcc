/** Heddle's storage contract on SQLite. */

import type { Clock, Intent, IntentResult, Storage, StorageContext, WorkReader } from "@heddle/core/storage";
import { HeddleError } from "@heddle/core/storage";
import { toRun } from "@heddle/storage-sql";
import { commitIntents } from "./commit-intents.js";
import { CommitWatch } from "./commit-watch.js";
import type { Connection } from "./connection.js";
import { findDue } from "./find-due.js";
import type { SqliteHost } from "./host.js";
import { openConnection } from "./open-connection.js";
import type { SqliteSource, Target } from "./options.js";
import { targetOf } from "./options.js";
import { queries } from "./queries.js";
import type { Read } from "./readers.js";
import { checkpointReader, eventReader, lineageReader, runReader, threadReader } from "./readers.js";
import type { Body, Outcome } from "./run-transaction.js";
import { runTransaction } from "./run-transaction.js";
import { toStorageError } from "./storage-errors.js";
import { WorkerLocks } from "./worker-locks.js";

/**
 * Runs and threads in one SQLite file. Any number of engines, in this process and in others on the same machine, may
 * use the file at once. Heddle's tables are named `heddle_…`, so the file may hold the host's own tables as well.
 *
 * @example
 * ```ts
 * const engine = createEngine({ storage: sqliteStorage("agents.db"), agents: [support] });
 * ```
 */
export function sqliteStorage(source: SqliteSource): Storage<SqliteHost> {
  return new SqliteStorage(targetOf(source));
}

/** What an open storage works with. */
interface Session {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly watch: CommitWatch;
  /** `undefined` in memory, where nobody could ask. */
  readonly locks: WorkerLocks | undefined;
  readonly release: () => Promise<void>;
}

class SqliteStorage implements Storage<SqliteHost> {
  readonly name = "sqlite";
  readonly deltas = "local";
  readonly #target: Target;
  #session: Session | undefined;
  /** Opening and closing take turns. */
  #change: Promise<void> = Promise.resolve();
  /** Engines that share this storage each open and close it. */
  #users = 0;

  constructor(target: Target) {
    this.#target = target;
  }

  open(context: StorageContext): Promise<void> {
    return this.#inTurn(async () => {
      this.#session ??= await this.#connect(context);
      this.#users++;
    });
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#users > 0) this.#users--;
      const session = this.#session;
      if (this.#users > 0 || session === undefined) return;
      this.#session = undefined;
      await disconnect(session);
    });
  }

  async commit(intents: readonly Intent[]): Promise<readonly IntentResult[]> {
    const { connection, clock } = this.#open();
    const results = await explained(connection, () => commitIntents(connection, intents, () => clock.now()));
    if (results.some((result) => result.ok && result.effects.length > 0)) this.#tellOthers(connection);
    return results;
  }

  async transaction<Result>(body: Body<Result>): Promise<Outcome<Result>> {
    const { connection, clock } = this.#open();
    const outcome = await runTransaction(connection, body, () => clock.now());
    if (outcome.effects.length > 0) this.#tellOthers(connection);
    return outcome;
  }

  readonly #read: Read = async (work) => {
    const { connection } = this.#open();
    return explained(connection, () => connection.read(() => work(connection.statements)));
  };

  readonly runs = runReader(this.#read);
  readonly threads = threadReader(this.#read);
  readonly checkpoints = checkpointReader(this.#read);
  readonly events = eventReader(this.#read);
  readonly lineages = lineageReader(this.#read);

  readonly work: WorkReader = {
    due: async (query) => {
      const { clock } = this.#open();
      if (query.purge === true) await this.#purge();
      return this.#read((statements) => findDue(statements, query, clock.now()));
    },
    heldBy: (worker) => this.#read((statements) => statements.all(queries.heldBy, { worker }).map(toRun)),
    announce: async (worker) => {
      const { connection, locks } = this.#open();
      await explained(connection, async () => locks?.announce(worker));
      await this.#sweepLocks();
    },
    findDead: async (workers) => {
      const { locks } = this.#open();
      return locks === undefined ? [] : workers.filter((worker) => locks.isDead(worker));
    },
    watch: (hint) => this.#open().watch.add(hint),
  };

  async #connect({ clock }: StorageContext): Promise<Session> {
    const { connection, release } = await openConnection(this.#target, () => clock.now());
    const locks = connection.path === undefined ? undefined : new WorkerLocks(connection.path);
    return { connection, clock, release, locks, watch: new CommitWatch(connection, { clock, storage: this }) };
  }

  /** @throws HeddleError STORAGE_UNAVAILABLE */
  #open(): Session {
    if (this.#session !== undefined) return this.#session;
    throw new HeddleError("STORAGE_UNAVAILABLE", "The SQLite storage is not open: start the engine first.");
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#change.then(change);
    this.#change = done.catch(() => {});
    return done;
  }

  #tellOthers({ listeners }: Connection): void {
    for (const listener of listeners) listener(this);
  }

  async #purge(): Promise<void> {
    const { connection, clock } = this.#open();
    const purge = () => {
      for (const statement of [queries.purgeKeys, queries.purgeTombstones]) {
        connection.statements.run(statement, { now: clock.now() });
      }
    };
    await explained(connection, () => connection.alone((retry) => retry(() => connection.transact(purge))));
    await this.#sweepLocks();
  }

  async #sweepLocks(): Promise<void> {
    const { locks } = this.#open();
    await this.#read((statements) => locks?.sweep(holdersOf(statements)));
  }
}

/** In the storage's last turn: what was begun before is done. */
async function disconnect({ connection, locks, watch, release }: Session): Promise<void> {
  watch.stop();
  const { database, statements } = connection;
  // Where the host closed its connection already, nobody can say which workers hold runs: all files stay.
  await connection.read(() => locks?.release(database.open ? holdersOf(statements) : undefined));
  await release();
}

function holdersOf(statements: Connection["statements"]): string[] {
  return statements.all(queries.leaseHolders, {}).map(({ worker }) => worker);
}

async function explained<Result>(connection: Connection, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw toStorageError(error, connection.path);
  }
}
