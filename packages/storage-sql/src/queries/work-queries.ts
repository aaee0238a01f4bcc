/**
 * What waits for time or for a worker. All of it is answered from partial indexes of unsettled runs, so a poll costs
 * the same beside a million settled runs as beside none.
 */

import type { DueQuery, RunRecord } from "@heddle/core/storage";
import { sql } from "kysely";
import { runColumns, selection } from "../columns.js";
import type { SqlDialect } from "../dialect.js";
import type { QueryBuilder } from "../query-builder.js";
import type { RunRow } from "../rows.js";
import type { Param } from "../template.js";
import { paramLimit, paramList, template, templatePerCount, timeOf } from "../template.js";

export type ByWorker = { readonly worker: string };
export type DueParams = DueQuery & { readonly now: number };

/** A run that wants tending, and since when. */
export interface DueRow {
  readonly runId: string;
  readonly threadId: RunRecord["threadId"];
  readonly at: number;
}

/** A worker that holds leases, and what ends next of it: leases, save the asker's own, or a cancel's grace. */
export interface LeaseRow {
  readonly worker: string;
  readonly nextAt: number | null;
}

export interface PendingRow {
  readonly claimable: 0 | 1 | boolean;
  readonly claimableAt: number | null;
  readonly delayedAt: number | null;
  readonly deadlineAt: number | null;
}

const running = sql.lit("running" as const);
const pending = sql.lit("pending" as const);
/** When a running run wants tending: its lease is over, or its cancel's grace. */
const endsAt = sql<number>`case when grace_until < lease_until then grace_until else lease_until end`;

export function workQueries(db: QueryBuilder, dialect: SqlDialect) {
  return {
    ...leaseQueries(db, dialect),
    ...pendingQueries(db, dialect),
    ...waitingQueries(db, dialect),
  };
}

function leaseQueries(db: QueryBuilder, dialect: SqlDialect) {
  const held = db.selectFrom("heddle_runs").where("status", "=", running);
  return {
    heldBy: template<ByWorker, RunRow>((param) =>
      held
        .select(selection(runColumns))
        .where(
          "worker",
          "=",
          param(({ worker }) => worker),
        )
        .orderBy("id")
        .$castTo<RunRow>(),
    ),
    leaseHolders: template<object, ByWorker>(() => held.select("worker").distinct().$castTo<ByWorker>()),
    leases: template<DueParams, LeaseRow>((param) => {
      const own = param(({ worker }) => worker);
      const now = timeOf(dialect, param);
      const at = sql<number>`case when worker = ${own} then grace_until else ${endsAt} end`;
      return held
        .select(["worker", sql<number | null>`min(${at}) filter (where ${at} > ${now})`.as("nextAt")])
        .groupBy("worker")
        .orderBy("worker")
        .$castTo<LeaseRow>();
    }),
    lostLeases: templatePerCount((deadWorkers) =>
      template((param: Param<DueParams>) =>
        held
          .select(["id as runId", "thread_id as threadId", endsAt.as("at")])
          .where(({ eb, or }) =>
            or([
              eb(endsAt, "<=", timeOf(dialect, param)),
              eb(
                "worker",
                "in",
                paramList(param, deadWorkers, (query) => query.deadWorkers),
              ),
            ]),
          )
          .orderBy("at")
          .orderBy("id")
          .limit(paramLimit(param, ({ limit }) => limit))
          .$castTo<DueRow>(),
      ),
    ),
  };
}

/** Two queries of pending runs whose time has come. */
function pendingQueries(db: QueryBuilder, dialect: SqlDialect) {
  const waiting = db.selectFrom("heddle_runs").where("status", "=", pending);
  return {
    dueDelays: template<DueParams, DueRow>((param) =>
      waiting
        .select(["id as runId", "thread_id as threadId", "available_at as at"])
        .where("queue_position", "is", null)
        .where("active", "=", sql.lit(0 as const))
        .where("available_at", "<=", timeOf(dialect, param))
        .orderBy("available_at")
        .orderBy("id")
        .limit(paramLimit(param, ({ limit }) => limit)),
    ),
    dueDeadlines: template<DueParams, DueRow>((param) =>
      waiting
        .select(["id as runId", "thread_id as threadId", sql<number>`deadline_at`.as("at")])
        .where("deadline_at", "is not", null)
        .where("deadline_at", "<=", timeOf(dialect, param))
        // Claimable with a settle hook: its next attempt ends it, nobody else can.
        .where(({ eb, or }) =>
          or([
            eb("settle_hook", "=", sql.lit(0 as const)),
            eb("active", "=", sql.lit(0 as const)),
            eb("available_at", ">", eb.ref("deadline_at").$castTo<number>()),
          ]),
        )
        .orderBy("deadline_at")
        .orderBy("id")
        .limit(paramLimit(param, ({ limit }) => limit)),
    ),
  };
}

/** What is claimable now, and when time will next make something of pending runs due. One row. */
function waitingQueries(db: QueryBuilder, dialect: SqlDialect) {
  const waiting = db.selectFrom("heddle_runs").where("status", "=", pending);
  return {
    pending: templatePerCount((agents) =>
      template((param: Param<DueParams>) => {
        const now = timeOf(dialect, param);
        const ours = paramList(param, agents, (query) => query.agents);
        const unqueued = waiting.where("queue_position", "is", null).orderBy("available_at").limit(sql.lit(1));
        const claimable = unqueued.where("active", "=", sql.lit(1 as const)).where("agent", "in", ours);
        return db
          .selectNoFrom(({ exists, selectFrom }) => [
            exists(claimable.select(sql.lit(1).as("one")).where("available_at", "<=", now)).as("claimable"),
            claimable.select("available_at").where("available_at", ">", now).as("claimableAt"),
            unqueued
              .select("available_at")
              .where("active", "=", sql.lit(0 as const))
              .where("available_at", ">", now)
              .as("delayedAt"),
            selectFrom("heddle_runs")
              .select("deadline_at")
              .where("status", "=", pending)
              .where("deadline_at", ">", now)
              .orderBy("deadline_at")
              .limit(sql.lit(1))
              .as("deadlineAt"),
          ])
          .$castTo<PendingRow>();
      }),
    ),
  };
}
