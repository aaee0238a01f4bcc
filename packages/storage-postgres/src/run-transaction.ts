/** A transaction that spans awaits: the host's own statements and Heddle's intents, all or nothing. */

import type { Effect, StorageTransaction } from "@heddle/core/storage";
import type { Scope } from "@heddle/storage-sql";
import { requireOpen, transactionEnded } from "@heddle/storage-sql";
import { applyInTransaction } from "./apply-in-transaction.js";
import type { Database } from "./database.js";
import { despiteLosses } from "./despite-losses.js";
import { hostOf, type PostgresHost } from "./host.js";
import { IntentQueue } from "./intent-queue.js";
import { serverTime } from "./postgres-dialect.js";
import type { ClientSession } from "./session.js";
import { CommitInDoubt, isConnectionLoss, sqlState, toStorageError } from "./storage-errors.js";

export interface Outcome<Result> {
  readonly result: Result;
  readonly effects: readonly Effect[];
}

export type Body<Result> = (tx: StorageTransaction<PostgresHost>) => Promise<Result>;

/** Runs `body` in the async context of `scope`. */
export type InScope = <Result>(scope: Scope, body: () => Promise<Result>) => Promise<Result>;

/** What the body threw, on its way past those who would take it for the database's. */
class BodyFailed extends Error {}

export async function runTransaction<Result>(
  database: Database,
  body: Body<Result>,
  inScope: InScope,
): Promise<Outcome<Result>> {
  try {
    return await despiteLosses(() => attempt(database, body, inScope));
  } catch (error) {
    throw error instanceof BodyFailed ? error.cause : toStorageError(error);
  }
}

/** Fails with a lost connection only where the body was not called yet. */
async function attempt<Result>(database: Database, body: Body<Result>, inScope: InScope): Promise<Outcome<Result>> {
  let decided: { readonly outcome: Outcome<Result>; readonly marker: string } | undefined;
  let isBegun = false;
  try {
    return await database.clients.use(async (session) => {
      const begun = await begin(database, session);
      isBegun = true;
      const outcome = await runBody(database, session, body, inScope);
      const marker = database.markers.create(begun.now);
      decided = { outcome, marker };
      await commit(database, session, { ...begun, marker });
      return outcome;
    });
  } catch (error) {
    if (error instanceof BodyFailed || !isBegun) throw error;
    if (decided === undefined || !(error instanceof CommitInDoubt)) throw toStorageError(error);
    if (await database.markers.wasCommitted(decided.marker)) return decided.outcome;
    throw toStorageError(error.cause);
  }
}

/** @returns when it began: what tells one transaction from the next on a connection */
async function begin(database: Database, session: ClientSession) {
  const statements = database.begin({ lockTimeout: database.lockWait });
  session.isInTransaction = true;
  const answers = await session.run([
    ...statements,
    database.statements.once(`select now()::text as started, coalesce($1::bigint, ${serverTime}) as now`, [
      database.now(),
    ]),
  ]);
  const { started, now } = answers.at(-1)?.rows[0] ?? {};
  return { started: String(started), now: Number(now) };
}

async function runBody<Result>(
  database: Database,
  session: ClientSession,
  body: Body<Result>,
  inScope: InScope,
): Promise<Outcome<Result>> {
  const scope: Scope = { isOpen: true };
  const effects: Effect[] = [];
  const queue = new IntentQueue(async (intents) => {
    const results = await applyInTransaction(database, session, intents);
    for (const result of results) if (result.ok) effects.push(...result.effects);
    return results;
  });
  const apply: StorageTransaction<PostgresHost>["apply"] = async (intent) => {
    requireOpen(scope);
    return queue.apply(intent);
  };
  try {
    const tx = { host: hostOf(session.client, scope), apply };
    const result = await inScope(scope, async () => body(tx));
    return { result, effects };
  } catch (cause) {
    throw new BodyFailed("the body failed", { cause });
  } finally {
    scope.isOpen = false;
    await queue.end();
  }
}

async function commit(
  database: Database,
  session: ClientSession,
  { started, marker }: { readonly started: string; readonly marker: string },
): Promise<void> {
  const isSame = "select 1 / (case when now()::text = $1 then 1 else 0 end)";
  try {
    const answers = await session.run([
      database.statements.once(isSame, [started]),
      database.markers.put(marker),
      database.commit,
    ]);
    session.isInTransaction = false;
    if (answers.at(-1)?.command !== "COMMIT") throw transactionEnded();
  } catch (error) {
    if (sqlState(error) === "22012") throw transactionEnded();
    if (isConnectionLoss(error)) throw new CommitInDoubt("the connection broke during a commit", { cause: error });
    throw error;
  }
}
