/** A transaction that spans awaits: the host's own statements and Heddle's intents, all or nothing. */

import type { Effect, Intent, IntentKind, IntentValues, StorageTransaction } from "@heddle/core/storage";
import { requireOpen, transactionEnded } from "@heddle/storage-sql";
import { applyBatch } from "./apply-batch.js";
import type { Connection, Scope } from "./connection.js";
import type { SqliteHost } from "./host.js";
import { hostOf } from "./host.js";
import { toStorageError } from "./storage-errors.js";

export interface Outcome<Result> {
  readonly result: Result;
  readonly effects: readonly Effect[];
}

export type Body<Result> = (tx: StorageTransaction<SqliteHost>) => Promise<Result>;

/** What `body` throws is thrown on as it is. */
export function runTransaction<Result>(
  connection: Connection,
  body: Body<Result>,
  now: () => number,
): Promise<Outcome<Result>> {
  return connection.alone(async (retry) => {
    await explained(connection, () => retry(() => connection.begin()));
    const scope = connection.newScope();
    try {
      const effects: Effect[] = [];
      const tx = transactionOf(connection, { scope, effects, now: now() });
      const result = await connection.inScope(scope, async () => body(tx));
      scope.isOpen = false;
      requireUnended(connection);
      await explained(connection, async () => connection.commit());
      return { result, effects };
    } catch (error) {
      scope.isOpen = false;
      connection.rollback();
      throw error;
    }
  });
}

async function explained(connection: Connection, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    throw toStorageError(error, connection.path);
  }
}

interface OpenTransaction {
  readonly scope: Scope;
  readonly effects: Effect[];
  /** The same for the whole transaction. */
  readonly now: number;
}

function transactionOf(connection: Connection, open: OpenTransaction): StorageTransaction<SqliteHost> {
  return {
    host: hostOf(connection.database, open.scope),
    apply: async (intent) => {
      requireOpen(open.scope);
      return applyOne(connection, intent, open);
    },
  };
}

function applyOne(connection: Connection, intent: Intent, { effects, now }: OpenTransaction): IntentValues[IntentKind] {
  const result = attempt(connection, intent, now);
  if (!result.ok) throw result.error;
  effects.push(...result.effects);
  return result.value;
}

/** What a poisonous intent wrote is undone; the transaction around it goes on. */
function attempt(connection: Connection, intent: Intent, now: number) {
  try {
    const [result] = connection.nested(() => applyBatch(connection, [intent], now));
    if (result === undefined) throw new Error("the intent was not answered");
    return result;
  } catch (error) {
    throw toStorageError(error, connection.path);
  }
}

function requireUnended({ database }: Connection): void {
  if (!database.inTransaction) throw transactionEnded();
}
