/**
 * A transaction that the host began itself, with Kysely or with a client of pg. We apply intents in it and never end it,
 * so nobody tells us of its commit: NOTIFY is sent inside it, here alone, and reaches every engine with the commit.
 */

import type { StorageTransaction } from "@heddle/core/storage";
import { CompiledQuery } from "kysely";
import { applyInTransaction } from "./apply-in-transaction.js";
import { numberFields } from "./columns.js";
import type { Database } from "./database.js";
import type { Answer } from "./flight.js";
import { IntentQueue } from "./intent-queue.js";
import { ClientSession, type PgClient, type Session } from "./session.js";
import type { Bound, Row } from "./statement.js";
import { driverError } from "./storage-errors.js";

/** @returns `undefined` where `foreign` is no transaction that we know */
export function adopt(
  database: Database,
  foreign: unknown,
  notify: readonly Bound[],
): StorageTransaction<unknown> | undefined {
  const queue = queueOf(database, foreign, notify);
  return queue && { host: foreign, apply: (intent) => queue.apply(intent) };
}

/** One for each transaction: calls that join it at once take turns. */
const queues = new WeakMap<Database, WeakMap<object, IntentQueue>>();

function queueOf(database: Database, foreign: unknown, notify: readonly Bound[]): IntentQueue | undefined {
  const session = sessionOf(foreign, database.queryTimeout);
  if (session === undefined) return undefined;
  const known = queues.get(database) ?? new WeakMap<object, IntentQueue>();
  queues.set(database, known);
  const queue = known.get(foreign as object) ?? joining(database, session, notify);
  known.set(foreign as object, queue);
  return queue;
}

function joining(database: Database, session: Session, notify: readonly Bound[]): IntentQueue {
  const { statements, lockWait } = database;
  return new IntentQueue(async (intents) => {
    // The host's own time limit for locks comes back when we are done.
    const [answer] = await session.run([statements.once("select current_setting('lock_timeout') as timeout", [])]);
    const timeout = (wanted: unknown) => statements.once("select set_config('lock_timeout', $1, true)", [wanted]);
    const [before, after] = [[timeout(lockWait)], [timeout(answer?.rows[0]?.["timeout"])]];
    return applyInTransaction(database, session, intents, { before, after, told: notify });
  });
}

function sessionOf(foreign: unknown, queryTimeout: number): Session | undefined {
  if (typeof foreign !== "object" || foreign === null) return undefined;
  if (isKyselyTransaction(foreign)) return new KyselySession(foreign);
  // A pool can query as well, but each query may go to another connection.
  if ("query" in foreign && typeof foreign.query === "function" && !("totalCount" in foreign)) {
    return new ClientSession(foreign as unknown as PgClient, queryTimeout);
  }
  return undefined;
}

/** What we use of a Kysely transaction, of any copy of Kysely. */
interface KyselyTransaction {
  readonly isTransaction: true;
  executeQuery(query: CompiledQuery): Promise<{ readonly rows: readonly unknown[] }>;
}

function isKyselyTransaction(foreign: object): foreign is KyselyTransaction {
  return "isTransaction" in foreign && foreign.isTransaction === true && "executeQuery" in foreign;
}

/** A round trip per statement. Numbers come as the host's driver makes them: large ones as texts, or as bigints. */
class KyselySession implements Session {
  readonly #transaction: KyselyTransaction;

  constructor(transaction: KyselyTransaction) {
    this.#transaction = transaction;
  }

  async run(statements: readonly Bound[]): Promise<readonly Answer[]> {
    const answers: Answer[] = [];
    for (const { statement, values } of statements) {
      try {
        const { rows } = await this.#transaction.executeQuery(CompiledQuery.raw(statement.text, [...values]));
        answers.push({ command: "", rows: rows.map((row) => withNumbers(row as Row)) });
      } catch (error) {
        throw driverError(error);
      }
    }
    return answers;
  }
}

function withNumbers(row: Row): Row {
  const converted: Row = {};
  for (const [name, value] of Object.entries(row)) {
    converted[name] = value !== null && numberFields.has(name) ? Number(value) : value;
  }
  return converted;
}
