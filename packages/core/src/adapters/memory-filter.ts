/** Lists: which rows a filter names, and which of them a page shows. */

import type { RunRecord } from "../model/run.js";
import { compareText } from "../model/text-order.js";
import { type ThreadRecord, threadStatus } from "../model/thread.js";
import type { MetadataFilter, Page, RunFilter, ThreadFilter } from "../ports/storage.js";

export function runMatches(filter: RunFilter): (run: RunRecord) => boolean {
  const { ids, threadId, agent, status, metadata, parentRunId, lineageId, steers, rolledBack, settledBefore } = filter;
  return (run) =>
    (ids === undefined || ids.includes(run.id)) &&
    (threadId === undefined || run.threadId === threadId) &&
    (agent === undefined || run.agent === agent) &&
    (status === undefined || status.includes(run.status)) &&
    (parentRunId === undefined || run.parentRunId === parentRunId) &&
    (lineageId === undefined || run.lineageId === lineageId) &&
    (steers === undefined || run.steers === steers) &&
    (rolledBack === undefined || run.rolledBack === rolledBack) &&
    (settledBefore === undefined || (run.settledAt !== null && run.settledAt < settledBefore)) &&
    (metadata === undefined || metadataMatches(run.metadata, metadata));
}

export function threadMatches(filter: ThreadFilter): (thread: ThreadRecord) => boolean {
  const { ids, status, agent, archived, metadata } = filter;
  return (thread) =>
    (ids === undefined || ids.includes(thread.id)) &&
    (status === undefined || status.includes(threadStatus(thread))) &&
    (agent === undefined || thread.lastAgent === agent) &&
    (archived === undefined || thread.archived === archived) &&
    (metadata === undefined || metadataMatches(thread.metadata, metadata));
}

function metadataMatches(stored: string, wanted: MetadataFilter): boolean {
  const entries = Object.entries(wanted);
  if (entries.length === 0) return true;
  const metadata = JSON.parse(stored) as Readonly<Record<string, unknown>>;
  return entries.every(([key, value]) => Object.hasOwn(metadata, key) && metadata[key] === value);
}

type Listed<SortKey extends string> = { readonly id: string } & Readonly<Record<SortKey, number>>;

/** Is `row` on the page's side of its cursor? */
export function isBehindCursor<SortKey extends string>(page: Page<SortKey>, row: Listed<SortKey>): boolean {
  const { after, sortBy, order } = page;
  if (after === undefined) return true;
  const difference = row[sortBy] - after.value || compareText(row.id, after.id);
  return order === "asc" ? difference > 0 : difference < 0;
}

export function inOrder<SortKey extends string>({ sortBy, order }: Page<SortKey>) {
  const sign = order === "asc" ? 1 : -1;
  return (a: Listed<SortKey>, b: Listed<SortKey>): number => sign * (a[sortBy] - b[sortBy] || compareText(a.id, b.id));
}
