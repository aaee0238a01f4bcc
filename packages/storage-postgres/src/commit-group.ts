/**
 * One group of intents in one transaction, in two round trips:
 *
 *   1. begin, settings, lock, load, time      then, here and without the server, the intents are applied
 *   2. write, mark, commit
 */

import type { Changes, Intent, IntentResult } from "@heddle/core/storage";
import { applyIntents, HeddleError, needsOf, UnitOfWork } from "@heddle/core/storage";
import type { Database } from "./database.js";
import { loadOf } from "./load.js";
import type { LoadedRecords } from "./loaded-records.js";
import type { ClientSession } from "./session.js";
import type { Bound } from "./statement.js";
import { CommitInDoubt, isConnectionLoss } from "./storage-errors.js";
import { wantsOf } from "./wants.js";
import { writesOf } from "./writes.js";

export interface GroupOptions {
  /** Wait for a thread that somebody else holds; otherwise its intents are answered with STORAGE_BUSY. */
  readonly waits: boolean;
}

/** How long one try waits for a row, ms. Who waits longer tries again, without a connection in between. */
const lockTimeout = 250;

export async function commitGroup(
  database: Database,
  intents: readonly Intent[],
  { waits }: GroupOptions,
): Promise<readonly IntentResult[]> {
  let decided: { readonly results: readonly IntentResult[]; readonly marker: string } | undefined;
  try {
    return await database.clients.use(async (session) => {
      const load = loadOf(database.loads, wantsOf(intents), { waits, now: database.now() });
      const begin = database.begin({ lockTimeout });
      session.isInTransaction = true;
      const answers = await session.run([...begin, ...load.statements]);
      const { records, now } = load.take(answers.slice(begin.length));
      const { results, changes } = apply(intents, records, now);
      const writes = writesOf(database, changes, records);
      if (writes.length === 0) return await finish(session, results, [database.commit]);
      const marker = database.markers.create(now);
      decided = { results, marker };
      return await finish(session, results, [...writes, database.markers.put(marker), database.commit]);
    });
  } catch (error) {
    if (decided === undefined || !(error instanceof CommitInDoubt)) throw error;
    if (await database.markers.wasCommitted(decided.marker)) return decided.results;
    throw error.cause;
  }
}

async function finish(
  session: ClientSession,
  results: readonly IntentResult[],
  statements: readonly Bound[],
): Promise<readonly IntentResult[]> {
  try {
    const answers = await session.run(statements);
    session.isInTransaction = false;
    const { command } = answers.at(-1) ?? {};
    if (command !== "COMMIT") throw new Error(`the server answered a commit with ${command}`);
    return results;
  } catch (error) {
    if (isConnectionLoss(error)) throw new CommitInDoubt("the connection broke during a commit", { cause: error });
    throw error;
  }
}

/** Intents of threads that somebody else holds are left out. */
export function apply(
  intents: readonly Intent[],
  records: LoadedRecords,
  now: number,
): { readonly results: readonly IntentResult[]; readonly changes: Changes } {
  const work = new UnitOfWork(records, now);
  const results = intents.flatMap((intent): readonly IntentResult[] => {
    const held = needsOf(intent).threads.find((id) => records.held.has(id));
    if (held !== undefined) return [{ ok: false, error: threadHeld(held) }];
    records.serve(intent.kind);
    return applyIntents(work, [intent]);
  });
  return { results, changes: work.changes() };
}

export function threadHeld(threadId: string): HeddleError {
  return new HeddleError(
    "STORAGE_BUSY",
    `Another transaction holds thread "${threadId}". Nothing was written; try again.`,
    {
      details: { threadId },
    },
  );
}
