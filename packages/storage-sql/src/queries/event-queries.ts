/** Reading a log. The payload of `run_succeeded` is the run's output and comes from the run's row. */

import type { EventQuery, EventRecord } from "@heddle/core/storage";
import { sql } from "kysely";
import { eventColumns, selection } from "../columns.js";
import type { QueryBuilder } from "../query-builder.js";
import { paramLimit, template } from "../template.js";

export function eventQueries(db: QueryBuilder) {
  const { payload: _, ...columns } = eventColumns;
  const events = db
    .selectFrom("heddle_events as e")
    .select(selection(columns).map((column) => `e.${column}` as const))
    .select((eb) =>
      eb
        .case()
        .when("e.type", "=", sql.lit("run_succeeded"))
        .then(eb.selectFrom("heddle_runs as r").select("r.output").whereRef("r.id", "=", "e.run_id"))
        .else(eb.ref("e.payload"))
        .end()
        .as("payload"),
    )
    .orderBy("e.seq");
  return {
    events: template<EventQuery, EventRecord>((param) =>
      events
        .where(
          "e.stream",
          "=",
          param(({ stream }) => stream),
        )
        .where(
          "e.seq",
          ">",
          param(({ after }) => after),
        )
        .limit(paramLimit(param, ({ limit }) => limit))
        .$castTo<EventRecord>(),
    ),
    /** Only the run's part of the log is searched; all of it where the run's row is gone. */
    eventsOfRun: template<EventQuery, EventRecord>((param) => {
      const run = db.selectFrom("heddle_runs as r").where(
        "r.id",
        "=",
        param(({ runId }) => runId ?? ""),
      );
      return events
        .where(
          "e.stream",
          "=",
          param(({ stream }) => stream),
        )
        .where(
          "e.seq",
          ">",
          param(({ after }) => after),
        )
        .where("e.seq", ">=", (eb) => eb.fn.coalesce(run.select("r.first_seq"), sql.lit(0)))
        .where("e.seq", "<=", (eb) => eb.fn.coalesce(run.select("r.last_seq"), sql.lit(Number.MAX_SAFE_INTEGER)))
        .where(
          "e.run_id",
          "=",
          param(({ runId }) => runId ?? ""),
        )
        .limit(paramLimit(param, ({ limit }) => limit))
        .$castTo<EventRecord>();
    }),
  };
}
