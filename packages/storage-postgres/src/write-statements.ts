/**
 * What a transaction writes: one statement for all rows of a kind, from arrays, so that its text does not depend on how
 * many there are. One row alone, as a run that is by itself writes, has a text of its own: the server runs it in half the
 * time.
 *
 * Updates are predicated on what was read. Where they match fewer rows than they should, somebody else wrote meanwhile;
 * the statement then fails, and with it the transaction, whose commit is on its way in the same flight.
 */

import {
  changingQuestionColumns,
  changingRunColumns,
  checkpointColumns,
  eventColumns,
  keyColumns,
  memoColumns,
  originColumns,
  questionColumns,
  runColumns,
  threadColumns,
  tombstoneColumns,
} from "@heddle/storage-sql";
import { places, typeOf, unnest } from "./columns.js";
import { ensured } from "./ensured.js";
import type { SchemaNames } from "./schema-names.js";
import type { Statement, Statements } from "./statement.js";

/** A change of rows of one kind: of one, and of any number. */
export interface Write<Form = Statement> {
  readonly one: Form;
  readonly many: Form;
}

export type WriteStatements = Readonly<Record<keyof ReturnType<typeof writeTexts>, Write>> & {
  readonly putKeys: Statement;
};

export function writeStatements(names: SchemaNames, statements: Statements): WriteStatements {
  const entries = Object.entries(writeTexts(names)).map(([key, { one, many }]) => [
    key,
    { one: statements.fixed(one), many: statements.fixed(many) },
  ]);
  return { ...Object.fromEntries(entries), putKeys: statements.fixed(putKeys(names)) } as WriteStatements;
}

export const changingThreadColumns = (() => {
  const { id: _, createdAt: __, ...changing } = threadColumns;
  return changing;
})();

function writeTexts(names: SchemaNames) {
  return {
    insertThreads: insert(names.threads, Object.values(threadColumns)),
    updateThreads: update(names.threads, Object.values(changingThreadColumns), ["last_seq", "active_run_id"]),
    insertRuns: insert(names.runs, Object.values(runColumns)),
    updateRuns: update(names.runs, Object.values(changingRunColumns), ["attempt", "status"]),
    /** Of runs that were not locked before: all of it must be as it was known. */
    updateKnownRuns: update(names.runs, Object.values(changingRunColumns), Object.values(changingRunColumns)),
    insertCheckpoints: insert(names.checkpoints, Object.values(checkpointColumns)),
    insertEvents: insert(names.events, Object.values(eventColumns)),
    insertMemos: insert(names.memos, Object.values(memoColumns)),
    putQuestions: insert(
      names.questions,
      Object.values(questionColumns),
      ` on conflict (lineage_id, key) do update set ${excluded(Object.values(changingQuestionColumns))}`,
    ),
    insertOrigins: insert(names.origins, Object.values(originColumns)),
    putTombstones: insert(
      names.tombstones,
      Object.values(tombstoneColumns),
      ` on conflict (thread_id) do update set ${excluded(["last_seq", "deleted_at", "keep_until"])}`,
    ),
  };
}

function insert(table: string, columns: readonly string[], onConflict = ""): Write<string> {
  const into = `insert into ${table} (${columns.join(", ")})`;
  return {
    one: `${into} values (${places(columns)})${onConflict}`,
    many: `${into} select * from ${unnest(columns)}${onConflict}`,
  };
}

/** $1 the ids, or the id, then what was read, then what shall be. */
function update(table: string, columns: readonly string[], read: readonly string[]): Write<string> {
  const given = ["id", ...read.map((column) => `was_${column}`), ...columns];
  const types = ["id", ...read, ...columns];
  const place = (at: number): string => `$${at + 1}::${typeOf(types[at] as string)}`;
  const set = (to: (column: string, at: number) => string): string =>
    `update ${table} r set ${columns.map((column, at) => `${column} = ${to(column, at)}`).join(", ")}`;
  const isAsRead = (was: (column: string, at: number) => string): string =>
    read.map((column, at) => `r.${column} is not distinct from ${was(column, at)}`).join(" and ");
  return {
    one: counted(
      `${set((_, at) => place(at + 1 + read.length))} where r.id = ${place(0)} and ${isAsRead((_, at) => place(at + 1))}`,
      "1",
    ),
    many: counted(
      `${set((column) => `g.${column}`)} from ${unnest(types)} as g (${given.join(", ")}) ` +
        `where r.id = g.id and ${isAsRead((column) => `g.was_${column}`)}`,
    ),
  };
}

/** A key may be taken again from the runs of $7, which were read; from no other, whoever was faster. */
function putKeys({ keys }: SchemaNames): string {
  const columns = Object.values(keyColumns);
  return counted(
    `insert into ${keys} as k (${columns.join(", ")}, orphaned) select *, 0 from ${unnest(columns)} ` +
      `on conflict (scope, agent, key) do update set ${excluded(["fingerprint", "run_id", "keep_until", "orphaned"])} ` +
      `where k.run_id = any($${columns.length + 1}::text[])`,
  );
}

function excluded(columns: readonly string[]): string {
  return columns.map((column) => `${column} = excluded.${column}`).join(", ");
}

/** Fails unless `write` writes so many rows, as many as $1 has entries. */
function counted(write: string, rows = "cardinality($1::text[])"): string {
  return `with written as (${write} returning 1) ${ensured(`(select count(*) from written) = ${rows}`)}`;
}
