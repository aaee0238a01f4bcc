/** Columns as PostgreSQL declares them, for statements that write many rows from arrays. */

import {
  checkpointHeadColumns,
  keyColumns,
  questionColumns,
  runColumns,
  threadColumns,
  tombstoneColumns,
} from "@heddle/storage-sql";

/** Threads come in columns of this prefix where an answer has runs as well. */
export const threadPrefix = "thread.";

type Columns = Readonly<Record<string, string>>;

const types: Readonly<Record<string, string>> = {
  archived: "smallint",
  active: "smallint",
  settle_hook: "smallint",
  rolled_back: "smallint",
  steered: "integer",
  orphaned: "smallint",
  attempt: "integer",
  failures: "integer",
  crashes: "integer",
  rollout: "integer",
  queue_length: "integer",
  priority: "double precision",
  queue_position: "bigint",
  queue_tail: "bigint",
  queue_front: "bigint",
  first_seq: "bigint",
  last_seq: "bigint",
  seq: "bigint",
  values_bytes: "bigint",
};

export function typeOf(column: string): string {
  if (/_(at|until)$/.test(column)) return "bigint";
  return types[column] ?? "text";
}

/** `unnest($1::text[], $2::bigint[], …)`: a row per position. */
export function unnest(columns: readonly string[], firstPlace = 1): string {
  return `unnest(${columns.map((column, at) => `$${at + firstPlace}::${typeOf(column)}[]`).join(", ")})`;
}

/** `$1::text, $2::bigint, …`: one row. */
export function places(columns: readonly string[], firstPlace = 1): string {
  return columns.map((column, at) => `$${at + firstPlace}::${typeOf(column)}`).join(", ");
}

/** `r.id as "id", r.thread_id as "threadId", …`: rows come as records. */
export function selected(columns: Columns, table: string, prefix = ""): string {
  return Object.entries(columns)
    .map(([field, column]) => `${table}.${column} as "${prefix}${field}"`)
    .join(", ");
}

/** The values of `rows`, column by column. Flags are stored as 0 or 1, times as whole milliseconds. */
export function columnsOf<Fields extends string>(
  rows: readonly Readonly<Record<Fields, unknown>>[],
  columns: Readonly<Record<Fields, string>>,
): unknown[][] {
  return (Object.keys(columns) as Fields[]).map((field) => {
    const isWhole = typeOf(columns[field]) === "bigint";
    return rows.map((row) => storedValue(row[field], isWhole));
  });
}

/** The values of one row, in the order of `columns`. */
export function valuesOf<Fields extends string>(
  row: Readonly<Record<Fields, unknown>>,
  columns: Readonly<Record<Fields, string>>,
): unknown[] {
  return (Object.keys(columns) as Fields[]).map((field) =>
    storedValue(row[field], typeOf(columns[field]) === "bigint"),
  );
}

function storedValue(value: unknown, isWhole: boolean): unknown {
  if (typeof value === "boolean") return Number(value);
  return isWhole && typeof value === "number" ? Math.round(value) : value;
}

/** Fields of our answers that hold numbers, for drivers that hand them over as something else. */
export const numberFields: ReadonlySet<string> = new Set(
  [
    threadColumns,
    runColumns,
    checkpointHeadColumns,
    keyColumns,
    questionColumns,
    tombstoneColumns,
    { now: "now_at", bodyBytes: "values_bytes" },
  ]
    .flatMap((columns) => Object.entries(columns))
    .filter(([, column]) => typeOf(column) !== "text")
    .flatMap(([field]) => [field, `${threadPrefix}${field}`]),
);
