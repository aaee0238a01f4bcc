/** Heddle's storage contract on PostgreSQL. */

import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import type {
  Clock,
  DeltaRelay,
  Intent,
  IntentResult,
  Storage,
  StorageContext,
  StorageTransaction,
  WorkReader,
} from "@heddle/core/storage";
import { HeddleError } from "@heddle/core/storage";
import { type Scope, toRun } from "@heddle/storage-sql";
import { adopt } from "./adopt.js";
import { checkServer } from "./check-server.js";
import { Clients } from "./clients.js";
import { commitIntents } from "./commit-intents.js";
import { connect } from "./connect.js";
import { createDatabase, type Database } from "./database.js";
import { PostgresRelay } from "./delta-relay.js";
import { despiteLosses } from "./despite-losses.js";
import { findDue } from "./find-due.js";
import { Hints } from "./hints.js";
import type { PostgresHost } from "./host.js";
import { Listener } from "./listener.js";
import { migrate } from "./migrate.js";
import { Notifier } from "./notifier.js";
import { type PostgresSource, type Settings, settingsOf } from "./options.js";
import { checkpointReader, eventReader, lineageReader, type Read, Reader, runReader, threadReader } from "./readers.js";
import { isRelayMessage } from "./relay-message.js";
import { type Body, type Outcome, runTransaction } from "./run-transaction.js";
import { SchemaNames } from "./schema-names.js";
import { isStaleStatement, toStorageError } from "./storage-errors.js";

export interface PostgresStorage extends Storage<PostgresHost> {
  /** Are other processes' commits heard of at once? Otherwise polling finds them. */
  readonly listening: boolean;
}

/**
 * Runs and threads in a PostgreSQL database, for any number of engines on any number of hosts. Heddle's tables are in a
 * schema of their own.
 *
 * @example
 * ```ts
 * const storage = postgresStorage("postgres://app:secret@db.example.com/app");
 * const engine = createEngine({ storage, agents: [support] });
 * ```
 */
export function postgresStorage(source: PostgresSource): PostgresStorage {
  return new Postgres(settingsOf(source));
}

/** What an open storage works with. */
interface Session {
  readonly database: Database;
  readonly listener: Listener | undefined;
  readonly notifier: Notifier | undefined;
  release(): Promise<void>;
}

/** How often an engine that hears of commits looks nevertheless, ms: a hint may be lost. */
const patience = 6_000;
/** One that hears nothing polls as often as its engine says. */
const impatience = 0;

class Postgres implements PostgresStorage {
  readonly name = "postgres";
  readonly #settings: Settings;
  /** Tells this storage from those of other processes. */
  readonly #name = randomUUID();
  readonly #hints = new Hints();
  readonly #relay = new PostgresRelay({
    sender: this.#name,
    isListening: () => this.listening,
    wake: () => this.#session?.notifier?.wake(),
  });
  /** Tells a call from inside a transaction's body from any other. */
  readonly #scopes = new AsyncLocalStorage<Scope>();
  #session: Session | undefined;
  /** Opening and closing take turns. */
  #change: Promise<void> = Promise.resolve();
  /** Engines that share this storage each open and close it. */
  #users = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  get listening(): boolean {
    return this.#session?.listener?.isListening ?? false;
  }

  get deltas(): "all" | "local" {
    return this.listening ? "all" : "local";
  }

  get relay(): DeltaRelay {
    return this.#relay;
  }

  get lookAgainAfter(): number {
    return this.listening ? patience : impatience;
  }

  open(context: StorageContext): Promise<void> {
    return this.#inTurn(async () => {
      this.#session ??= await this.#connect(context);
      this.#users++;
      // What the relay had to say while the session was being made.
      this.#session.notifier?.wake();
    });
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#users > 0) this.#users--;
      const session = this.#session;
      if (this.#users > 0 || session === undefined) return;
      this.#session = undefined;
      this.#hints.stop();
      this.#relay.stop();
      await session.release();
    });
  }

  async commit(intents: readonly Intent[]): Promise<readonly IntentResult[]> {
    this.#refuseInTransaction();
    const results = await commitIntents(this.#open().database, intents);
    if (results.some((result) => result.ok && result.effects.length > 0)) this.#tellOthers();
    return results;
  }

  async transaction<Result>(body: Body<Result>): Promise<Outcome<Result>> {
    this.#refuseInTransaction();
    const { database } = this.#open();
    const outcome = await runTransaction(database, body, (scope, run) => this.#scopes.run(scope, run));
    if (outcome.effects.length > 0) this.#tellOthers();
    return outcome;
  }

  adopt(foreign: unknown): StorageTransaction<unknown> | undefined {
    const { database, notifier } = this.#open();
    return adopt(database, foreign, notifier === undefined ? [] : [notifier.forEveryone()]);
  }

  /** Reads are repeated on another connection where the first one turns out to be dead. */
  readonly #read: Read = async (statements) => {
    this.#refuseInTransaction();
    const { clients } = this.#open().database;
    const read = () => clients.use((session) => session.run(statements));
    try {
      const answers = await despiteLosses(read).catch((error: unknown) => {
        if (!isStaleStatement(error)) throw error;
        return read();
      });
      return answers.map(({ rows }) => rows);
    } catch (error) {
      throw toStorageError(error);
    }
  };

  readonly #reader = new Reader(() => this.#open().database, this.#read);
  readonly runs = runReader(this.#reader);
  readonly threads = threadReader(this.#reader);
  readonly checkpoints = checkpointReader(this.#reader);
  readonly events = eventReader(this.#reader);
  readonly lineages = lineageReader(this.#reader);

  readonly work: WorkReader = {
    due: (query) => findDue(this.#open().database, this.#read, query),
    heldBy: async (worker) => (await this.#reader.all(({ heldBy }) => heldBy, { worker })).map(toRun),
    // Nobody can prove that a process on another host is dead: leases decide.
    announce: async () => {},
    findDead: async () => [],
    watch: (hint) => this.#hints.add(hint),
  };

  async #connect({ clock }: StorageContext): Promise<Session> {
    const { schema, prepare, wait, queryTimeout } = this.#settings;
    const connected = connect(this.#settings);
    const clients = new Clients(connected.pool, { acquireTimeout: wait, queryTimeout });
    const unguard = clients.guard();
    const database = createDatabase({
      clients,
      schema,
      prepare,
      lockWait: wait,
      queryTimeout,
      now: () => timeOf(clock),
    });
    const end = async () => {
      await connected.end();
      // Clients of our own pool may still be saying goodbye, to a server that may cut them off.
      if ("pool" in this.#settings.source) unguard();
    };
    try {
      await prepareServer(clients, schema);
    } catch (error) {
      await end().catch(() => {});
      throw toStorageError(error);
    }
    const feed = connected.createClient === undefined ? undefined : this.#feed(database, connected.createClient);
    await feed?.listener.start();
    return {
      database,
      listener: feed?.listener,
      notifier: feed?.notifier,
      release: async () => {
        await feed?.notifier.stop();
        await feed?.listener.stop();
        await end();
      },
    };
  }

  #feed(
    { clients, statements, names }: Database,
    createClient: () => ReturnType<NonNullable<ReturnType<typeof connect>["createClient"]>>,
  ) {
    const { channel } = names;
    const notifier = new Notifier({ clients, statements, channel, sender: this.#name });
    notifier.attach(this.#relay);
    const hear = (text: string) => {
      if (isRelayMessage(text)) this.#relay.hear(text);
      else if (text !== this.#name) this.#hints.hint();
    };
    const begun = () => this.#relay.begin();
    const listener = new Listener({ createClient, channel, hear, begun, say: (text) => notifier.say(text) });
    return { notifier, listener };
  }

  /** @throws HeddleError STORAGE_UNAVAILABLE */
  #open(): Session {
    if (this.#session !== undefined) return this.#session;
    throw new HeddleError("STORAGE_UNAVAILABLE", "The PostgreSQL storage is not open: start the engine first.");
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#change.then(change);
    this.#change = done.catch(() => {});
    return done;
  }

  /** Engines that share this storage cannot tell its commits apart: all of them are hinted. */
  #tellOthers(): void {
    if (this.#hints.size > 1) this.#hints.hint();
    this.#session?.notifier?.tell();
  }

  /** With a pool of one, waiting for a connection inside one's own transaction would never end. */
  #refuseInTransaction(): void {
    if (this.#scopes.getStore()?.isOpen !== true) return;
    throw new HeddleError(
      "TRANSACTION_MISUSE",
      "Inside a transaction only the transaction's own object may be used: anything else runs outside of it and may " +
        'wait for it for ever. Pass "tx" on, or do this after the transaction.',
    );
  }
}

async function prepareServer(clients: Clients, schema: string): Promise<void> {
  const names = new SchemaNames(schema);
  await migrate(clients, names);
  await checkServer(clients, names);
}

/** Leases of many machines need one clock, the server's. A test's clock counts more. */
function timeOf(clock: Clock): number | null {
  return clock.isSystemClock === true ? null : Math.floor(clock.now());
}
