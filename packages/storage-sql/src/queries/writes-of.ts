/** The changes of a unit of work as statements, in the order in which a transaction runs them. */

import type { Change, Changes, Removal } from "@heddle/core/storage";
import type { Template } from "../template.js";
import type { Queries } from "./queries.js";
import type { UpdateTemplate } from "./write-queries.js";

/** One statement with its values, and whether it must match exactly one row. */
export interface Write {
  readonly statement: Template<never, unknown>;
  readonly params: unknown;
  /** Where an update matches no row, somebody else wrote meanwhile: the transaction is undone and tried again. */
  readonly mustMatch: boolean;
}

export function writesOf(queries: Queries, changes: Changes): Write[] {
  const writes: Write[] = [];
  const { insertThread, updateThread, insertRun, updateRun } = queries;
  for (const change of changes.threads) pushChange(writes, change, insertThread, updateThread);
  for (const change of changes.runs) pushChange(writes, change, insertRun, updateRun);
  for (const checkpoint of changes.checkpoints) writes.push(write(queries.insertCheckpoint, checkpoint));
  for (const event of changes.events) writes.push(write(queries.insertEvent, event));
  for (const key of changes.keys) writes.push(write(queries.putKey, key));
  for (const memo of changes.memos) writes.push(write(queries.insertMemo, memo));
  for (const question of changes.questions) writes.push(write(queries.putQuestion, question));
  for (const origin of changes.origins) writes.push(write(queries.insertOrigin, origin));
  for (const tombstone of changes.tombstones) writes.push(write(queries.putTombstone, tombstone));
  writes.push(...removalsOf(queries, changes.removals));
  return writes;
}

/** For databases that write all else as many rows at once. */
export function removalsOf(queries: Queries, removals: readonly Removal[]): Write[] {
  return removals.flatMap((removal) => removalOf(queries, removal));
}

function pushChange<Row>(
  writes: Write[],
  { before, after }: Change<Row>,
  insert: Template<Row, unknown>,
  update: UpdateTemplate<Row>,
): void {
  if (before === undefined) {
    writes.push(write(insert, after));
    return;
  }
  const params = { before, after };
  const statement = update(params);
  if (statement !== undefined) writes.push({ statement, params, mustMatch: true });
}

function write<Params>(statement: Template<Params, unknown>, params: Params): Write {
  return { statement, params, mustMatch: false };
}

function removalOf(queries: Queries, removal: Removal): Write[] {
  switch (removal.type) {
    case "thread":
      return threadRemoval(queries, removal.id);
    case "run":
      return runRemoval(queries, removal);
    case "memos":
      return [write(queries.deleteMemosOfRun, { ...removal, id: removal.runId })];
    case "checkpoints":
      return removal.ids.map((id) => write(queries.deleteCheckpoint, { id }));
    case "parent":
      return [write(removal.body === null ? queries.partCheckpoint : queries.makeWhole, removal)];
    case "checkpoints_of":
      return [write(queries.deleteCheckpointsOfThread, removal)];
    case "origin":
      return [write(queries.deleteOrigin, removal)];
    case "tombstone":
      return [write(queries.deleteTombstone, removal)];
  }
}

function threadRemoval(queries: Queries, threadId: string): Write[] {
  const statements = [
    queries.orphanKeysOfThread,
    queries.deleteMemosOfThread,
    queries.deleteQuestionsOfThread,
    queries.deleteEventsOfThread,
    queries.deleteRunsOfThread,
    queries.deleteThread,
  ];
  return statements.map((statement) => write(statement, { threadId }));
}

/** The row goes last: what comes before looks into it. */
function runRemoval(queries: Queries, run: Extract<Removal, { type: "run" }>): Write[] {
  const { orphanKeyOfRun, deleteMemosOfRun, deleteQuestionsOfRun, deleteRun } = queries;
  const log =
    run.threadId === null ? [queries.deleteEventsOfRun, queries.deleteCheckpointsOfRun] : [queries.blankEventsOfRun];
  const statements = [orphanKeyOfRun, deleteMemosOfRun, deleteQuestionsOfRun, ...log, deleteRun];
  return statements.map((statement) => write(statement, run));
}
