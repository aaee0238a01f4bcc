/**
 * Rows to records. Queries name their columns as the records' fields, so only flags and computed payloads are left.
 * Rows are fresh from the driver and nobody else's, so they become the records in place.
 */

import type { EventRecord, RunRecord, ThreadRecord } from "@heddle/core/storage";
import { succeededPayload } from "@heddle/core/storage";
import type { Flag } from "./schema.js";

type Mutable<Row> = { -readonly [Field in keyof Row]: Row[Field] };

export type RunRow = Omit<RunRecord, "active" | "settleHook" | "rolledBack"> & {
  readonly active: Flag;
  readonly settleHook: Flag;
  readonly rolledBack: Flag;
};
export type ThreadRow = Omit<ThreadRecord, "archived"> & { readonly archived: Flag };

export function toRun(row: RunRow): RunRecord {
  const run = row as unknown as Mutable<RunRecord>;
  run.active = row.active === 1;
  run.settleHook = row.settleHook === 1;
  run.rolledBack = row.rolledBack === 1;
  return run;
}

export function toThread(row: ThreadRow): ThreadRecord {
  const thread = row as unknown as Mutable<ThreadRecord>;
  thread.archived = row.archived === 1;
  return thread;
}

/** The payload of `run_succeeded` comes as the run's bare output. */
export function toEvent(row: EventRecord): EventRecord {
  const event = row as Mutable<EventRecord>;
  if (event.type === "run_succeeded") event.payload = succeededPayload(event.payload);
  return event;
}
