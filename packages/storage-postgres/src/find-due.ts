import type { DueQuery, DueWork } from "@heddle/core/storage";
import type { DueRow, LeaseRow, PendingRow } from "@heddle/storage-sql";
import { dueWork } from "@heddle/storage-sql";
import type { Database } from "./database.js";
import type { Read } from "./readers.js";
import { bound } from "./statement.js";

/** All questions of a poll in one round trip, the time among them. */
export async function findDue(database: Database, read: Read, query: DueQuery): Promise<DueWork> {
  const { queries, statements, loads, planByKeys } = database;
  // `null` stands for the server's clock: see `SqlDialect.now`.
  const params = { ...query, now: database.now() as number };
  const [, leases, pending, lost, delays, deadlines, time] = await read([
    planByKeys,
    statements.of(queries.leases, params),
    statements.of(queries.pending(query.agents.length), params),
    statements.of(queries.lostLeases(query.deadWorkers.length), params),
    statements.of(queries.dueDelays, params),
    statements.of(queries.dueDeadlines, params),
    bound(loads.now, params.now),
  ]);
  const now = time?.[0]?.["now"] as number;
  return dueWork(
    { ...params, now },
    {
      leases: leases as unknown as LeaseRow[],
      pending: readPending(pending?.[0]),
      due: [lost, delays, deadlines].flat() as unknown as DueRow[],
    },
  );
}

/** A truth value comes as text. */
function readPending(row: object | undefined): PendingRow | undefined {
  if (row === undefined) return undefined;
  const pending = row as PendingRow;
  const claimable: unknown = pending.claimable;
  return { ...pending, claimable: claimable === "t" };
}
