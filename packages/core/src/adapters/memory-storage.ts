/**
 * The reference storage: everything in Maps, gone with the process. For tests, for runs that need not outlive their
 * process, and as the shortest answer to "what must a storage do?".
 *
 * Commits are applied in one turn of the loop, so they need no lock against each other. A transaction is held open
 * while its body awaits: then commits and reads from outside wait at the gate, and an undo journal takes everything
 * back should the body fail.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { HeddleError } from "../errors.js";
import { applyIntents, splitBatch } from "../model/intents/apply-intents.js";
import type { Effect, Intent, IntentKind, IntentValues } from "../model/intents/intent.js";
import { shown } from "../model/shown.js";
import { type RecordReader, UnitOfWork } from "../model/unit-of-work.js";
import type { Clock } from "../ports/clock.js";
import type {
  CheckpointReader,
  EventReader,
  IntentResult,
  LineageReader,
  RunReader,
  Storage,
  StorageContext,
  StorageTransaction,
  ThreadReader,
  WorkReader,
} from "../ports/storage.js";
import { Gate } from "./gate.js";
import { runMatches, threadMatches } from "./memory-filter.js";
import {
  chain,
  count,
  due,
  history,
  listCheckpoints,
  listMemos,
  listOpenQuestions,
  listQuestions,
  listRuns,
  listThreads,
  purge,
  readEvents,
} from "./memory-readers.js";
import { MemoryTables } from "./memory-tables.js";
import { usageOf } from "./memory-usage.js";
import { Watchers } from "./watchers.js";

/** A storage in this process's memory. Engines of one process may share it. */
export function memoryStorage(): Storage<undefined> {
  return new MemoryStorage(new MemoryDatabase());
}

/** Marks the async context of a transaction's body. */
interface Scope {
  readonly database: MemoryDatabase;
  /** The context it was opened in: a transaction of another database may surround it. */
  readonly outer: Scope | undefined;
  isOpen: boolean;
}

/** Tells a call from inside a transaction's body from any other. One for all: Node pays for each that was ever used. */
const scopes = new AsyncLocalStorage<Scope>();

/** What connections share, as they would share a file or a server. */
export class MemoryDatabase {
  readonly tables = new MemoryTables();
  readonly gate = new Gate();
  readonly watchers = new Watchers();
  /** Workers that announced themselves on a connection that is closed: nothing can come of them any more. */
  readonly deadWorkers = new Set<string>();
}

/** What a unit of work reads from. Tests put a stricter reader before the tables. */
export type ReaderOver = (tables: RecordReader, intents: readonly Intent[]) => RecordReader;

export class MemoryStorage implements Storage<undefined> {
  readonly name = "memory";
  readonly deltas = "local";
  readonly #database: MemoryDatabase;
  readonly #readerOver: ReaderOver;
  readonly #workers = new Set<string>();
  #clock: Clock | undefined;
  /** Engines that share this storage each open and close it. */
  #opened = 0;

  constructor(database: MemoryDatabase, readerOver: ReaderOver = (tables) => tables) {
    this.#database = database;
    this.#readerOver = readerOver;
  }

  async open({ clock }: StorageContext): Promise<void> {
    this.#clock = clock;
    this.#opened++;
  }

  async close(): Promise<void> {
    this.#opened = Math.max(this.#opened - 1, 0);
    if (this.#opened === 0) this.cut();
  }

  /** Close for all, as when the process dies: nothing is written from here on, and its workers are dead. */
  cut(): void {
    this.#opened = 0;
    this.#clock = undefined;
    for (const worker of this.#workers) this.#database.deadWorkers.add(worker);
    this.#workers.clear();
  }

  commit(intents: readonly Intent[]): Promise<readonly IntentResult[]> {
    return this.#alone(() => {
      const now = this.#openClock().now();
      const results = splitBatch(intents).flatMap((batch) => this.#applyBatch(batch, now));
      if (results.some((result) => result.ok && result.effects.length > 0)) this.#hintOthers();
      return results;
    });
  }

  async transaction<Result>(
    body: (tx: StorageTransaction<undefined>) => Promise<Result>,
  ): Promise<{ readonly result: Result; readonly effects: readonly Effect[] }> {
    this.#refuseInsideTransaction();
    const { gate } = this.#database;
    await gate.enter();
    try {
      return await this.#runTransaction(body);
    } finally {
      gate.leave();
    }
  }

  readonly runs: RunReader = {
    get: (id) => this.#read(({ runs }) => runs.get(id)),
    list: (query) => this.#read((tables) => listRuns(tables, query)),
    count: (filter) => this.#read(({ runs }) => count(runs.rows.values(), runMatches(filter))),
  };

  readonly threads: ThreadReader = {
    get: (id) => this.#read(({ threads }) => threads.get(id)),
    isDeleted: (id) => this.#read(({ tombstones }) => tombstones.get(id) !== undefined),
    list: (query) => this.#read((tables) => listThreads(tables, query)),
    count: (filter) => this.#read(({ threads }) => count(threads.rows.values(), threadMatches(filter))),
    usage: (id) => this.#read((tables) => usageOf(tables, id)),
  };

  readonly checkpoints: CheckpointReader = {
    get: (id) => this.#read((tables) => tables.checkpoint(id)),
    chain: (id, since) => this.#read((tables) => chain(tables, id, since)),
    history: (id, limit) => this.#read((tables) => history(tables, id, limit)),
    ofThread: (threadId, page) => this.#read((tables) => listCheckpoints(tables, threadId, page)),
  };

  readonly events: EventReader = {
    read: (query) => this.#read((tables) => readEvents(tables, query)),
  };

  readonly lineages: LineageReader = {
    memo: (ref) => this.#read((tables) => tables.memo(ref)),
    memos: (lineageId, limit) => this.#read((tables) => listMemos(tables, lineageId, limit)),
    questions: (lineageId) => this.#read((tables) => listQuestions(tables, lineageId)),
    openQuestions: (threadId, limit) => this.#read((tables) => listOpenQuestions(tables, threadId, limit)),
  };

  readonly work: WorkReader = {
    due: (query) =>
      this.#read((tables, now) => {
        if (query.purge === true) purge(tables, now);
        return due(tables, query, now);
      }),
    heldBy: (worker) => this.#read(({ runIndexes }) => runIndexes.heldBy.of(worker)),
    announce: (worker) => this.#announce(worker),
    findDead: (workers) => this.#read(() => workers.filter((worker) => this.#database.deadWorkers.has(worker))),
    watch: (hint) => this.#database.watchers.add(this, hint),
  };

  async #announce(worker: string): Promise<void> {
    this.#openClock();
    this.#workers.add(worker);
    this.#database.deadWorkers.delete(worker);
  }

  #read<Answer>(answer: (tables: MemoryTables, now: number) => Answer): Promise<Answer> {
    return this.#alone(() => answer(this.#database.tables, this.#openClock().now()));
  }

  #openClock(): Clock {
    if (this.#clock !== undefined) return this.#clock;
    throw new HeddleError("STORAGE_UNAVAILABLE", "The memory storage is not open.");
  }

  /** While no transaction is open: nobody sees or joins what one has written so far. */
  async #alone<Answer>(work: () => Answer): Promise<Answer> {
    this.#refuseInsideTransaction();
    const { gate } = this.#database;
    if (!gate.isTaken) return work();
    await gate.enter();
    try {
      return work();
    } finally {
      gate.leave();
    }
  }

  #refuseInsideTransaction(): void {
    let scope = scopes.getStore();
    while (scope !== undefined && !(scope.isOpen && scope.database === this.#database)) scope = scope.outer;
    if (scope === undefined) return;
    const message =
      "Inside a transaction only the transaction's own object may be used: anything else would wait for it.";
    throw new HeddleError("TRANSACTION_MISUSE", message);
  }

  /** Together; where that fails for another reason than a refusal, one by one, so that only the culprit fails. */
  #applyBatch(batch: readonly Intent[], now: number): readonly IntentResult[] {
    try {
      return this.#applyTogether(batch, now);
    } catch (error) {
      if (batch.length === 1) return [{ ok: false, error: cannotApply(error) }];
      return batch.flatMap((intent) => this.#applyBatch([intent], now));
    }
  }

  #applyTogether(batch: readonly Intent[], now: number): readonly IntentResult[] {
    const { tables } = this.#database;
    const work = new UnitOfWork(this.#readerOver(tables, batch), now);
    const results = applyIntents(work, batch);
    tables.write(work.changes());
    return results;
  }

  async #runTransaction<Result>(
    body: (tx: StorageTransaction<undefined>) => Promise<Result>,
  ): Promise<{ readonly result: Result; readonly effects: readonly Effect[] }> {
    const { journal } = this.#database.tables;
    const scope: Scope = { database: this.#database, outer: scopes.getStore(), isOpen: true };
    const effects: Effect[] = [];
    const tx = this.#transactionOf(scope, effects, this.#openClock().now());
    journal.begin();
    try {
      const result = await scopes.run(scope, () => body(tx));
      this.#openClock();
      journal.keep();
      if (effects.length > 0) this.#hintOthers();
      return { result, effects };
    } catch (error) {
      journal.rollback();
      throw error;
    } finally {
      scope.isOpen = false;
    }
  }

  #transactionOf(scope: Scope, effects: Effect[], now: number): StorageTransaction<undefined> {
    const apply = async (intent: Intent): Promise<IntentValues[IntentKind]> => {
      if (!scope.isOpen) throw new HeddleError("TRANSACTION_CLOSED", "This transaction has ended.");
      this.#openClock();
      const [result] = this.#applyBatch([intent], now);
      if (result === undefined) throw new Error("an intent was not answered");
      if (!result.ok) throw result.error;
      effects.push(...result.effects);
      return result.value;
    };
    return { host: undefined, apply };
  }

  #hintOthers(): void {
    this.#database.watchers.hint(this, this.#openClock());
  }
}

function cannotApply(cause: unknown): HeddleError {
  const reason = shown(cause);
  return new HeddleError("STORAGE_ERROR", `The storage could not apply this: ${reason}.`, { cause });
}
