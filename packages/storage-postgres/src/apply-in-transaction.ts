/**
 * Intents inside a transaction that spans awaits: ours around a host's body, or the host's own.
 *
 * What a poisonous intent wrote is undone alone, with a savepoint; the transaction around it goes on.
 */

import type { Intent, IntentResult } from "@heddle/core/storage";
import { HeddleError, splitBatch } from "@heddle/core/storage";
import { apply } from "./commit-group.js";
import type { Database } from "./database.js";
import { loadOf } from "./load.js";
import type { Session } from "./session.js";
import { type Bound, bound, type Statement } from "./statement.js";
import {
  isConflict,
  isConnectionLoss,
  isDatabaseFault,
  isLockTimeout,
  sqlState,
  toStorageError,
} from "./storage-errors.js";
import { wantsOf } from "./wants.js";
import { writesOf } from "./writes.js";

/** What goes with the intents' own statements. */
export interface Around {
  readonly before: readonly Bound[];
  readonly after: readonly Bound[];
  /** Only where something was written. */
  readonly told: readonly Bound[];
}

interface How {
  readonly around: Around;
  /** For threads that somebody else holds; otherwise their intents are answered with STORAGE_BUSY. */
  readonly waits: boolean;
}

const mostTries = 5;
const nothing: Around = { before: [], after: [], told: [] };

/** In order; together, as far as they can be. */
export async function applyInTransaction(
  database: Database,
  session: Session,
  intents: readonly Intent[],
  around: Around = nothing,
): Promise<readonly IntentResult[]> {
  const results: IntentResult[] = [];
  for (const group of splitBatch(intents)) results.push(...(await applyGroup(database, session, group, around)));
  return results;
}

/** Together; without those of a thread that stays held for too long; where one of them is poisonous, one by one. */
async function applyGroup(
  database: Database,
  session: Session,
  group: readonly Intent[],
  around: Around,
  waits = true,
): Promise<readonly IntentResult[]> {
  try {
    return await persistently(database, session, group, { around, waits });
  } catch (error) {
    if (waits && isLockTimeout(error)) return applyGroup(database, session, group, around, false);
    const isForAll = group.length === 1 || isDatabaseFault(error) || endsTransaction(error);
    if (isForAll) return group.map(() => ({ ok: false, error: toStorageError(error) }));
  }
  const results: IntentResult[] = [];
  for (const intent of group) results.push(...(await applyGroup(database, session, [intent], around)));
  return results;
}

async function persistently(
  database: Database,
  session: Session,
  group: readonly Intent[],
  how: How,
): Promise<readonly IntentResult[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt(database, session, group, how);
    } catch (error) {
      if (!isConnectionLoss(error)) {
        if (sqlState(error) === "25P01") throw notInTransaction(error);
        await undo(database, session);
      }
      if (!isConflict(error) || endsTransaction(error) || tries === mostTries) throw error;
    }
  }
}

/** Serialization failures and deadlocks: the whole of it must be done again, which is up to its owner. */
function endsTransaction(error: unknown): boolean {
  return sqlState(error).startsWith("40");
}

async function attempt(
  database: Database,
  session: Session,
  group: readonly Intent[],
  { around: { before, after, told }, waits }: How,
): Promise<readonly IntentResult[]> {
  const first = [savepoint(database, "savepoint heddle"), ...before];
  const load = loadOf(database.loads, wantsOf(group), { waits, now: database.now() });
  const answers = await session.run([...first, ...load.statements]);
  const { records, now } = load.take(answers.slice(first.length));
  const { results, changes } = apply(group, records, now);
  if (results.some(({ ok }) => ok)) {
    const writes = writesOf(database, changes, records);
    const behind = writes.length === 0 ? after : [...after, ...told];
    await session.run([...writes, ...behind, savepoint(database, "release savepoint heddle")]);
  } else await undo(database, session);
  return results;
}

/** Locks taken since the savepoint are let go. */
async function undo(database: Database, session: Session): Promise<void> {
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
