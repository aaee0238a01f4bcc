/**
 * All questions of a poll in one statement, the time among them: what an idle engine costs is counted in queries.
 *
 * It is not told how to be planned, as others are (`planByKeys`): that would be a second statement. A plan that was made
 * while the tables were empty is made anew once they are analyzed.
 */

import type { DueQuery, DueWork } from "@heddle/core/storage";
import type { DueParams, DueRow, LeaseRow, OrphanRow, PendingRow, Template, WakeRow } from "@heddle/storage-sql";
import { dueWork } from "@heddle/storage-sql";
import { purgeMarkers } from "./commit-marker.js";
import { compose } from "./compose.js";
import type { Database } from "./database.js";
import { serverTime } from "./postgres-dialect.js";
import type { Read } from "./readers.js";
import { bound, type Row, type Statement } from "./statement.js";

export async function findDue(database: Database, read: Read, query: DueQuery): Promise<DueWork> {
  // `null` stands for the server's clock: see `SqlDialect.now`.
  const params = { ...query, now: database.now() as number };
  const { statement, bind } = questionOf(database, query);
  const [rows] = await read([bound(statement, ...bind(params))]);
  const row = rows?.[0] as Row;
  const [lost, delays, deadlines] = [row["lost"], row["delays"], row["deadlines"]].map(parsed<DueRow>);
  return dueWork(
    { ...params, now: row["now"] as number },
    {
      leases: parsed<LeaseRow>(row["leases"]),
      pending: parsed<PendingRow>(row["pending"])[0],
      due: [lost, delays, deadlines].flatMap((found) => found ?? []),
      wakes: parsed<WakeRow>(row["wakes"]),
      orphans: parsed<OrphanRow>(row["orphans"]),
    },
  );
}

function parsed<Found>(text: unknown): Found[] {
  return JSON.parse(text as string) as Found[];
}

interface Question {
  readonly statement: Statement;
  bind(params: DueParams): unknown[];
}

/** By how many agents and workers are asked about, and whether what has expired goes on the way. */
const questions = new WeakMap<Database, Map<string, Question>>();

function questionOf(database: Database, { agents, deadWorkers, purge = false }: DueQuery): Question {
  const known = questions.get(database) ?? new Map<string, Question>();
  questions.set(database, known);
  const key = `${agents.length} ${deadWorkers.length} ${purge}`;
  const question = known.get(key) ?? newQuestion(database, agents.length, deadWorkers.length, purge);
  known.set(key, question);
  return question;
}

function newQuestion(database: Database, agents: number, deadWorkers: number, purge: boolean): Question {
  const { names, queries, statements } = database;
  const parts: Record<string, Template<DueParams, unknown>> = {
    leases: queries.leases,
    pending: queries.pending(agents),
    lost: queries.lostLeases(deadWorkers),
    delays: queries.dueDelays,
    deadlines: queries.dueDeadlines,
    wakes: queries.dueWakes,
    orphans: queries.dueOrphans,
  };
  const expired = purge ? [queries.purgeKeys, queries.purgeTombstones] : [];
  const { texts, bind } = compose([...Object.values(parts), ...expired], 2);
  const columns = Object.keys(parts).map(
    (name, at) => `(select coalesce(json_agg(q), '[]') from (${texts[at]}) q) as ${name}`,
  );
  const [keys, tombstones] = texts.slice(columns.length);
  const purging = purge ? `with k as (${keys}), t as (${tombstones}), c as (${purgeMarkers(names)}) ` : "";
  return {
    statement: statements.fixed(`${purging}select coalesce($1::bigint, ${serverTime}) as now, ${columns.join(", ")}`),
    bind: (params) => [params.now, ...bind(params)],
  };
}
