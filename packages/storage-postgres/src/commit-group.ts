/**
 * One group of intents in one transaction, in two round trips:
 *
 *   1. begin, settings, lock, load, time      then, here and without the server, the intents are applied
 *   2. write, mark, commit
 *
 * Where all that is read is known already (see known-state.ts) they are applied first, in one round trip:
 *
 *   1. begin, settings, check, write, mark, commit
 */

import type { Changes, Intent, IntentResult } from "@heddle/core/storage";
import { applyIntents, HeddleError, needsOf, UnitOfWork } from "@heddle/core/storage";
import type { Database } from "./database.js";
import { loadOf } from "./load.js";
import type { LoadedRecords } from "./loaded-records.js";
import type { ClientSession } from "./session.js";
import type { Bound } from "./statement.js";
import { CommitInDoubt, isConnectionLoss, isFailedCheck } from "./storage-errors.js";
import { type Wants, wantsOf } from "./wants.js";
import { writesOf } from "./writes.js";

export interface GroupOptions {
  /** Wait for a thread that somebody else holds; otherwise its intents are answered with STORAGE_BUSY. */
  readonly waits: boolean;
}

/** How long one try waits for a row, ms. Who waits longer tries again, without a connection in between. */
const lockTimeout = 250;

/** What a transaction does when it commits. Its marker tells, should the answer be lost, whether it did. */
interface Decision {
  readonly results: readonly IntentResult[];
  readonly marker: string;
}

interface Applied {
  readonly results: readonly IntentResult[];
  readonly changes: Changes;
}

export async function commitGroup(
  database: Database,
  intents: readonly Intent[],
  { waits }: GroupOptions,
): Promise<readonly IntentResult[]> {
  const group = new Group(database, intents, waits);
  try {
    return await database.clients.use(async (session) => (await group.foresee(session)) ?? (await group.load(session)));
  } catch (error) {
    const { decided } = group;
    if (decided === undefined || !(error instanceof CommitInDoubt)) throw error;
    if (await database.markers.wasCommitted(decided.marker)) return decided.results;
    throw error.cause;
  }
}

class Group {
  readonly #database: Database;
  readonly #intents: readonly Intent[];
  readonly #waits: boolean;
  readonly #wants: Wants;
  /** What was sent to the server last. */
  decided: Decision | undefined;

  constructor(database: Database, intents: readonly Intent[], waits: boolean) {
    this.#database = database;
    this.#intents = intents;
    this.#waits = waits;
    this.#wants = wantsOf(intents);
  }

  /** @returns undefined when that cannot be: nothing was written */
  async foresee(session: ClientSession): Promise<readonly IntentResult[] | undefined> {
    const { known, now } = this.#database;
    const foreseen = known.foresee(this.#wants, now());
    if (foreseen === undefined) return undefined;
    const { records, checks } = foreseen;
    const applied = apply(this.#intents, records, foreseen.now);
    // Only an update checks what was known of a run.
    const written = new Set(applied.changes.runs.map(({ before }) => before));
    if (![...records.runs.values()].every((run) => written.has(run))) return undefined;
    const writes = writesOf(this.#database, applied.changes, records, true);
    if (writes.length === 0) return undefined;
    try {
      return await this.#commit(session, [...this.#begin(session), ...checks], writes, applied, foreseen.now);
    } catch (error) {
      known.forget(this.#wants);
      if (!isFailedCheck(error) || !(await session.recover(error))) throw error;
      this.decided = undefined;
      return undefined;
    }
  }

  async load(session: ClientSession): Promise<readonly IntentResult[]> {
    const { loads, known, commit, now: given } = this.#database;
    const load = loadOf(loads, this.#wants, { waits: this.#waits, now: given() });
    const begin = this.#begin(session);
    const askedAt = performance.now();
    const answers = await session.run([...begin, ...load.statements]);
    const { records, now } = load.take(answers.slice(begin.length));
    known.learnLoaded(records, now, askedAt, performance.now());
    const applied = apply(this.#intents, records, now);
    const writes = writesOf(this.#database, applied.changes, records);
    if (writes.length > 0) return this.#commit(session, [], writes, applied, now);
    await finish(session, [commit]);
    return applied.results;
  }

  #begin(session: ClientSession): readonly Bound[] {
    session.isInTransaction = true;
    return this.#database.begin({ lockTimeout });
  }

  async #commit(
    session: ClientSession,
    before: readonly Bound[],
    writes: readonly Bound[],
    { results, changes }: Applied,
    now: number,
  ): Promise<readonly IntentResult[]> {
    const { markers, known, commit } = this.#database;
    const marker = markers.create(now);
    this.decided = { results, marker };
    await finish(session, [...before, ...writes, markers.put(marker), commit]);
    known.learnCommitted(changes);
    return results;
  }
}

async function finish(session: ClientSession, statements: readonly Bound[]): Promise<void> {
  try {
    const answers = await session.run(statements);
    session.isInTransaction = false;
    const { command } = answers.at(-1) ?? {};
    if (command !== "COMMIT") throw new Error(`the server answered a commit with ${command}`);
  } catch (error) {
    if (isConnectionLoss(error)) throw new CommitInDoubt("the connection broke during a commit", { cause: error });
    throw error;
  }
}

/** Intents of threads that somebody else holds are left out. */
export function apply(intents: readonly Intent[], records: LoadedRecords, now: number): Applied {
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
