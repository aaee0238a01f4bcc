import type { DueQuery, DueWork } from "@heddle/core/storage";
import { dueWork } from "@heddle/storage-sql";
import { queries } from "./queries.js";
import type { Statements } from "./statements.js";

export function findDue(statements: Statements, query: DueQuery, now: number): DueWork {
  const params = { ...query, now };
  const { leases, lostLeases, dueDelays, dueDeadlines, pending, dueWakes, dueOrphans } = queries;
  return dueWork(params, {
    leases: statements.all(leases, params),
    pending: statements.get(pending(query.agents.length), params),
    due: [lostLeases(query.deadWorkers.length), dueDelays, dueDeadlines].flatMap((rows) =>
      statements.all(rows, params),
    ),
    wakes: statements.all(dueWakes, params),
    orphans: statements.all(dueOrphans, params),
  });
}
