/**
 * What a transaction writes: one statement for all rows of a kind, from arrays, so that its text does not depend on how
 * many there are.
 *
 * Updates are predicated on what was read. Where they match fewer rows than they should, somebody else wrote meanwhile;
 * the statement then fails (it divides by zero, the only error that plain SQL can raise at will), and with it the
 * transaction, whose commit is on its way in the same flight.
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
import { typeOf, unnest } from "./columns.js";
import type { SchemaNames } from "./schema-names.js";
import type { Statement, Statements } from "./statement.js";

export type WriteStatements = Readonly<Record<keyof ReturnType<typeof writeTexts>, Statement>>;

export function writeStatements(names: SchemaNames, statements: Statements): WriteStatements {
  const entries = Object.entries(writeTexts(names)).map(([key, text]) => [key, statements.fixed(text)]);
  return Object.fromEntries(entries) as WriteStatements;
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
    insertCheckpoints: insert(names.checkpoints, Object.values(checkpointColumns)),
    insertEvents: insert(names.events, Object.values(eventColumns)),
    insertMemos: insert(names.memos, Object.values(memoColumns)),
    putQuestions:
      `${insert(names.questions, Object.values(questionColumns))} on conflict (lineage_id, key) do update ` +
      `set ${excluded(Object.values(changingQuestionColumns))}`,
    insertOrigins: insert(names.origins, Object.values(originColumns)),
    putTombstones:
      `${insert(names.tombstones, Object.values(tombstoneColumns))} on conflict (thread_id) do update ` +
      `set ${excluded(["last_seq", "deleted_at", "keep_until"])}`,
    putKeys: putKeys(names),
    commit: "commit",
  };
}

function insert(table: string, columns: readonly string[]): string {
  return `insert into ${table} (${columns.join(", ")}) select * from ${unnest(columns)}`;
}

/** $1 the ids, then what was read, then what shall be. */
function update(table: string, columns: readonly string[], read: readonly string[]): string {
  const given = ["id", ...read.map((column) => `was_${column}`), ...columns];
  const types = ["id", ...read, ...columns];
  const arrays = types.map((column, at) => `$${at + 1}::${typeOf(column)}[]`).join(", ");
  const asRead = read.map((column) => `r.${column} is not distinct from g.was_${column}`).join(" and ");
  return counted(
    `update ${table} r set ${columns.map((column) => `${column} = g.${column}`).join(", ")} ` +
      `from unnest(${arrays}) as g (${given.join(", ")}) where r.id = g.id and ${asRead}`,
  );
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

/** Fails unless `write` writes as many rows as $1 has entries. */
function counted(write: string): string {
  return (
    `with written as (${write} returning 1) ` +
    "select 1 / (case when (select count(*) from written) = cardinality($1::text[]) then 1 else 0 end)"
  );
}
