/**
 * A batch is one transaction. Where it fails for another reason than that the database as a whole is out of order, one
 * of its intents is poisonous: then each is tried in a transaction of its own, and only that one fails.
 */

import type { Intent, IntentResult } from "@heddle/core/storage";
import { applyBatch } from "./apply-batch.js";
import type { Connection } from "./connection.js";
import { isDatabaseFault, toStorageError } from "./storage-errors.js";

type Now = () => number;

export function commitIntents(connection: Connection, intents: readonly Intent[], now: Now): Promise<IntentResult[]> {
  return connection.alone(async (retry) => {
    const commit = (some: readonly Intent[]) =>
      retry(() => connection.transact(() => applyBatch(connection, some, now())));
    try {
      return await commit(intents);
    } catch (error) {
      if (isDatabaseFault(error)) throw error;
    }
    const results: IntentResult[] = [];
    for (const intent of intents) results.push(await commitAlone(connection, () => commit([intent])));
    return results;
  });
}

/** Those before it are committed, so whatever goes wrong now is an answer, not the end of the whole call. */
async function commitAlone(connection: Connection, commit: () => Promise<IntentResult[]>): Promise<IntentResult> {
  try {
    const [result] = await commit();
    if (result === undefined) throw new Error("the intent was not answered");
    return result;
  } catch (error) {
    return { ok: false, error: toStorageError(error, connection.path) };
  }
}
