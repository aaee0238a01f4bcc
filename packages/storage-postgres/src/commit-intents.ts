/**
 * Commits with all that may go wrong and pass: rivals, deadlocks, locks, a lost connection.
 *
 * Several intents never wait for a thread that somebody else holds: those of such threads are answered with
 * STORAGE_BUSY, and the caller asks again for each alone. One alone waits: in tries that are short, so that whoever
 * waits for a host's transaction does not keep a connection from the others.
 */

import type { Intent, IntentResult } from "@heddle/core/storage";
import { splitBatch } from "@heddle/core/storage";
import { commitGroup } from "./commit-group.js";
import type { Database } from "./database.js";
import { despiteLosses } from "./despite-losses.js";
import { pause } from "./pause.js";
import { isConflict, isDatabaseFault, isLockTimeout, isStaleStatement, toStorageError } from "./storage-errors.js";

const mostTries = 8;
/** ms between two tries for a lock. */
const lockPause = 25;

export async function commitIntents(database: Database, intents: readonly Intent[]): Promise<readonly IntentResult[]> {
  const results: IntentResult[] = [];
  for (const group of splitBatch(intents)) {
    try {
      results.push(...(await commitSome(database, group, intents.length === 1)));
    } catch (error) {
      if (results.length === 0) throw toStorageError(error);
      // What came before is committed: whatever goes wrong now is an answer, not the end of the whole call.
      results.push(...group.map(() => refusal(error)));
    }
  }
  return results;
}

/** Together; where one of them is poisonous, one by one. */
async function commitSome(
  database: Database,
  group: readonly Intent[],
  waits: boolean,
): Promise<readonly IntentResult[]> {
  try {
    return await persistently(database, group, waits);
  } catch (error) {
    if (isDatabaseFault(error) && !isLockTimeout(error)) throw error;
    if (group.length === 1) return [refusal(error)];
  }
  const results: IntentResult[] = [];
  for (const intent of group) results.push(...(await commitOne(database, intent, results.length === 0)));
  return results;
}

async function commitOne(database: Database, intent: Intent, isFirst: boolean): Promise<readonly IntentResult[]> {
  try {
    return await persistently(database, [intent], false);
  } catch (error) {
    if (isFirst && isDatabaseFault(error) && !isLockTimeout(error)) throw error;
    return [refusal(error)];
  }
}

/** Try again what a new try may mend. */
async function persistently(
  database: Database,
  group: readonly Intent[],
  waits: boolean,
): Promise<readonly IntentResult[]> {
  const giveUpAt = performance.now() + database.lockWait;
  for (let tries = 1; ; tries++) {
    try {
      return await despiteLosses(() => commitGroup(database, group, { waits }));
    } catch (error) {
      if (isLockTimeout(error)) {
        if (!waits || performance.now() > giveUpAt) throw error;
        tries--;
        await pause(lockPause * (0.5 + Math.random()));
      } else if ((isConflict(error) || isStaleStatement(error)) && tries < mostTries) {
        await pause(Math.random() * 2 ** tries);
      } else throw error;
    }
  }
}

function refusal(error: unknown): IntentResult {
  return { ok: false, error: toStorageError(error) };
}
