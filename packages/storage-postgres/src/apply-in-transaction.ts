/**
 * One intent inside a transaction that spans awaits: ours around a host's body, or the host's own.
 *
 * What a poisonous intent wrote is undone alone, with a savepoint; the transaction around it goes on.
 */

import type { Effect, Intent, IntentKind, IntentValues } from "@heddle/core/storage";
import { HeddleError } from "@heddle/core/storage";
import { apply } from "./commit-group.js";
import type { Database } from "./database.js";
import { loadOf } from "./load.js";
import type { Session } from "./session.js";
import { type Bound, bound, type Statement } from "./statement.js";
import { isConflict, isConnectionLoss, sqlState, toStorageError } from "./storage-errors.js";
import { wantsOf } from "./wants.js";
import { writesOf } from "./writes.js";

export interface Applied {
  readonly value: IntentValues[IntentKind];
  readonly effects: readonly Effect[];
}

/** What goes with the intent's own statements. */
export interface Around {
  readonly before: readonly Bound[];
  /** Only where something was written. */
  readonly behind: readonly Bound[];
}

const mostTries = 5;
const nothing: Around = { before: [], behind: [] };

/** @throws HeddleError when the intent is refused, or cannot be applied */
export async function applyInTransaction(
  database: Database,
  session: Session,
  intent: Intent,
  around: Around = nothing,
): Promise<Applied> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt(database, session, intent, around);
    } catch (error) {
      await undo(database, session, error);
      if (!isConflict(error) || sqlState(error).startsWith("40") || tries === mostTries) throw toStorageError(error);
    }
  }
}

async function attempt(database: Database, session: Session, intent: Intent, around: Around): Promise<Applied> {
  const first = [savepoint(database, "savepoint heddle"), ...around.before];
  const load = loadOf(database.loads, wantsOf([intent]), { waits: true, now: database.now() });
  const answers = await session.run([...first, ...load.statements]);
  const { records, now } = load.take(answers.slice(first.length));
  const { results, changes } = apply([intent], records, now);
  const [result] = results;
  if (result === undefined) throw new Error("the intent was not answered");
  if (!result.ok) throw result.error;
  const writes = writesOf(database, changes, records);
  const behind = writes.length === 0 ? [] : around.behind;
  await session.run([...writes, ...behind, savepoint(database, "release savepoint heddle")]);
  return result;
}

/** Locks taken since the savepoint are let go. */
async function undo(database: Database, session: Session, cause: unknown): Promise<void> {
  if (isConnectionLoss(cause)) return;
  if (sqlState(cause) === "25P01") throw notInTransaction(cause);
  const statements = ["rollback to savepoint heddle", "release savepoint heddle"];
  await session.run(statements.map((text) => savepoint(database, text))).catch(() => {});
}

function notInTransaction(cause: unknown): HeddleError {
  const message = '"tx" has no transaction open: begin one first, so that your rows and the run commit together.';
  return new HeddleError("FOREIGN_TRANSACTION", message, { cause });
}

const known = new WeakMap<Database, Map<string, Statement>>();

function savepoint(database: Database, text: string): Bound {
  const statements = known.get(database) ?? new Map<string, Statement>();
  known.set(database, statements);
  const statement = statements.get(text) ?? database.statements.fixed(text);
  statements.set(text, statement);
  return bound(statement);
}
