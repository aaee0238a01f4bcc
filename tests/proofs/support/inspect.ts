/** What lies in a database while nobody writes: judged by the invariants, and by SQL that knows nothing of our code. */

import type { StorageSnapshot } from "@heddle/core/testing";
import { checkInvariants, manualClock } from "@heddle/core/testing";
import { sqliteStorage } from "@heddle/storage-sqlite";
import BetterSqlite3 from "better-sqlite3";
import { expect } from "vitest";

/** @param earlier what an earlier look saw: settled runs and given numbers must be as they were */
export async function inspect(path: string, earlier?: StorageSnapshot): Promise<StorageSnapshot> {
  const storage = sqliteStorage(path);
  await storage.open({ clock: manualClock() });
  try {
    return await checkInvariants(storage, earlier);
  } finally {
    await storage.close();
  }
}

/** Queries, each of which finds what must not be. */
const broken = {
  "a run without exactly one terminal event": `select id from heddle_runs r where settled_at is not null and 1 <> (select count(*) from heddle_events
     where stream = case when r.thread_id is null then 'r:' || r.id else 't:' || r.thread_id end and run_id = r.id
     and type in ('run_succeeded', 'run_failed', 'run_canceled', 'run_interrupted'))`,
  "a terminal event of an unsettled run": `select e.run_id from heddle_events e join heddle_runs r on r.id = e.run_id where r.settled_at is null
     and type in ('run_succeeded', 'run_failed', 'run_canceled', 'run_interrupted')`,
  "an event behind its run's terminal one": `select e.run_id from heddle_events t join heddle_events e on e.stream = t.stream and e.run_id = t.run_id
     where t.type in ('run_succeeded', 'run_failed', 'run_canceled', 'run_interrupted') and e.seq > t.seq`,
  "a terminal event that says something else than its run's status": `select e.run_id from heddle_events e join heddle_runs r on r.id = e.run_id
     where type in ('run_succeeded', 'run_failed', 'run_canceled', 'run_interrupted') and type <> 'run_' || status`,
  "a log with gaps": "select stream from heddle_events group by stream having min(seq) <> 1 or max(seq) <> count(*)",
  "a thread run without exactly one final checkpoint": `select id from heddle_runs r where thread_id is not null and settled_at is not null and attempt > 0
     and 1 <> (select count(*) from heddle_checkpoints where thread_id = r.thread_id and run_id = r.id and kind = 'final')`,
  "a checkpoint without its parent": `select id from heddle_checkpoints c where parent_id is not null
     and not exists (select 1 from heddle_checkpoints where id = c.parent_id)`,
  "an output of a run that did not succeed":
    "select id from heddle_runs where (output is not null) <> (status = 'succeeded')",
  "two active runs of one thread":
    "select thread_id from heddle_runs where active = 1 and thread_id is not null group by thread_id having count(*) > 1",
  "a thread that is held by a run that is over": `select t.id from heddle_threads t where active_run_id is not null
     and not exists (select 1 from heddle_runs where id = t.active_run_id and active = 1 and settled_at is null)`,
} as const;

/** The same truths, asked by SQL alone. */
export function inspectWithSql(path: string): void {
  const database = new BetterSqlite3(path, { fileMustExist: true });
  try {
    expect(database.pragma("integrity_check", { simple: true })).toBe("ok");
    for (const [what, sql] of Object.entries(broken)) expect(database.prepare(sql).pluck().all(), what).toEqual([]);
  } finally {
    database.close();
  }
}
