import type { DueWork } from "@heddle/core/storage";
import { never } from "@heddle/core/storage";
import type { OrphanRow, WakeRow } from "./family-queries.js";
import type { DueParams, DueRow, LeaseRow, PendingRow } from "./work-queries.js";

/** What the queries of one poll found. */
export interface DueRows {
  readonly leases: readonly LeaseRow[];
  readonly pending: PendingRow | undefined;
  /** Of all kinds; a run may be due for two reasons. */
  readonly due: readonly DueRow[];
  readonly wakes: readonly WakeRow[];
  readonly orphans: readonly OrphanRow[];
}

export function dueWork({ worker, now, limit }: DueParams, rows: DueRows): DueWork {
  const { leases, pending, due, wakes, orphans } = rows;
  const times = [...leases.map((lease) => lease.nextAt), pending?.claimableAt, pending?.delayedAt, pending?.deadlineAt];
  return {
    tend: soonestFirst(due).slice(0, limit),
    wake: wakes,
    orphans,
    claimable: Boolean(pending?.claimable),
    nextAt: earliest(times),
    workers: leases.flatMap((lease) => (lease.worker === worker ? [] : [lease.worker])),
    now,
  };
}

function soonestFirst(due: readonly DueRow[]): DueWork["tend"][number][] {
  const sorted = due.toSorted((a, b) => a.at - b.at || (a.runId < b.runId ? -1 : 1));
  const byRun = new Map(sorted.map(({ runId, threadId }) => [runId, { runId, threadId }]));
  return [...byRun.values()];
}

function earliest(times: readonly (number | null | undefined)[]): number | null {
  const known = times.filter((time) => typeof time === "number").filter((time) => time < never);
  return known.length === 0 ? null : Math.min(...known);
}
