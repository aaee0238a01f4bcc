/** The changes of a unit of work as statements, in the order in which a transaction runs them. */

import type { Change, Changes, KeyRecord, RunRecord, ThreadRecord } from "@heddle/core/storage";
import { keyId, storedPayload } from "@heddle/core/storage";
import type { Queries } from "@heddle/storage-sql";
import {
  changingRunColumns,
  checkpointColumns,
  eventColumns,
  keyColumns,
  memoColumns,
  originColumns,
  questionColumns,
  removalsOf,
  runColumns,
  threadColumns,
  tombstoneColumns,
} from "@heddle/storage-sql";
import { columnsOf, valuesOf } from "./columns.js";
import type { LoadedRecords } from "./loaded-records.js";
import { type Bound, bound, type Statements } from "./statement.js";
import { changingThreadColumns, type Write, type WriteStatements } from "./write-statements.js";

export interface Writing {
  readonly writes: WriteStatements;
  readonly queries: Queries;
  readonly statements: Statements;
}

/**
 * @param loaded what the changes were decided on
 * @param areKnown the runs of them were not locked, only known
 */
export function writesOf(
  { writes: texts, queries, statements }: Writing,
  changes: Changes,
  loaded: LoadedRecords,
  areKnown = false,
): Bound[] {
  const writes = [
    ...threadWrites(texts, changes.threads),
    ...runWrites(texts, changes.runs, areKnown),
    ...insertOf(texts.insertCheckpoints, checkpointColumns, changes.checkpoints),
    ...insertOf(texts.insertEvents, eventColumns, changes.events.map(withStoredPayload)),
    ...keyWrites(texts, changes.keys, loaded),
    ...insertOf(texts.insertMemos, memoColumns, changes.memos),
    ...insertOf(texts.putQuestions, questionColumns, changes.questions),
    ...insertOf(texts.insertOrigins, originColumns, changes.origins),
    ...insertOf(texts.putTombstones, tombstoneColumns, changes.tombstones),
  ];
  for (const { statement, params } of removalsOf(queries, changes.removals)) {
    writes.push(statements.of(statement, params as never));
  }
  return writes;
}

/** In the order of their ids: two transactions that insert the same ones wait for each other one way only. */
function threadWrites(texts: WriteStatements, changes: Changes["threads"]): Bound[] {
  const added = changes.filter(isNew).map(({ after }) => after);
  const changed = changes.filter(isUpdate);
  return [
    ...insertOf(texts.insertThreads, threadColumns, added.sort(byId)),
    ...updateOf(texts.updateThreads, changingThreadColumns, changed, ({ lastSeq, activeRunId }) => [
      lastSeq,
      activeRunId,
    ]),
  ];
}

/** Releases of a thread come before promotions, and both before new runs: its active run is unique. */
function runWrites(texts: WriteStatements, changes: Changes["runs"], areKnown: boolean): Bound[] {
  const changed = changes.filter(isUpdate);
  const releases = changed.filter(({ after }) => !after.active);
  const promotions = changed.filter(({ after }) => after.active);
  return [
    ...runUpdates(texts, releases, areKnown),
    ...runUpdates(texts, promotions, areKnown),
    ...insertOf(
      texts.insertRuns,
      runColumns,
      changes.filter(isNew).map(({ after }) => after),
    ),
  ];
}

function runUpdates(texts: WriteStatements, changes: readonly Update<RunRecord>[], areKnown: boolean): Bound[] {
  if (areKnown) return updateOf(texts.updateKnownRuns, changingRunColumns, changes, knownOf);
  return updateOf(texts.updateRuns, changingRunColumns, changes, ({ attempt, status }) => [attempt, status]);
}

/** As for threads, in an order. */
function keyWrites(texts: WriteStatements, keys: readonly KeyRecord[], loaded: LoadedRecords): Bound[] {
  if (keys.length === 0) return [];
  const sorted = keys.toSorted((a, b) => (keyId(a) < keyId(b) ? -1 : 1));
  const runsBefore = sorted.flatMap((key) => loaded.key(key)?.runId ?? []);
  return [bound(texts.putKeys, ...columnsOf(sorted, keyColumns), runsBefore)];
}

function knownOf(run: RunRecord): unknown[] {
  return valuesOf<keyof typeof changingRunColumns>(run, changingRunColumns);
}

type Update<R> = Change<R> & { readonly before: R };

function isNew<R>(change: Change<R>): boolean {
  return change.before === undefined;
}

function isUpdate<R>(change: Change<R>): change is Update<R> {
  return change.before !== undefined;
}

function byId(a: ThreadRecord, b: ThreadRecord): number {
  return a.id < b.id ? -1 : 1;
}

function insertOf<Fields extends string>(
  { one, many }: Write,
  columns: Readonly<Record<Fields, string>>,
  rows: readonly Readonly<Record<Fields, unknown>>[],
): Bound[] {
  const [first] = rows;
  if (first === undefined) return [];
  return [rows.length === 1 ? bound(one, ...valuesOf(first, columns)) : bound(many, ...columnsOf(rows, columns))];
}

/** @param readOf what was read that must be as it was, in the statement's order */
function updateOf<R extends { readonly id: string }>(
  { one, many }: Write,
  columns: Readonly<Partial<Record<keyof R & string, string>>>,
  changes: readonly Update<R>[],
  readOf: (before: R) => readonly unknown[],
): Bound[] {
  const changing = columns as Readonly<Record<string, string>>;
  const after = changes.map((change) => change.after) as readonly (R & Readonly<Record<string, unknown>>)[];
  const read = changes.map(({ before }) => readOf(before));
  const [first] = after;
  if (first === undefined) return [];
  if (after.length === 1) return [bound(one, first.id, ...(read[0] ?? []), ...valuesOf(first, changing))];
  const ids = after.map(({ id }) => id);
  const readColumns = (read[0] ?? []).map((_, at) => read.map((values) => values[at]));
  return [bound(many, ids, ...readColumns, ...columnsOf(after, changing))];
}

function withStoredPayload(event: Changes["events"][number]): Changes["events"][number] {
  return { ...event, payload: storedPayload(event) };
}
