/** What differs between databases, as data and small functions: shared code never asks which database it is. */

import type {
  ColumnDataType,
  Compilable,
  DialectAdapter,
  Expression,
  Kysely,
  QueryCompiler,
  RawBuilder,
  ReferenceExpression,
  SqlBool,
} from "kysely";
import type { HeddleTables } from "./schema.js";

export interface SqlDialect {
  createAdapter(): DialectAdapter;
  createQueryCompiler(): QueryCompiler;

  /** Text in binary order, as ids and whatever is sorted must be. */
  readonly keyText: ColumnDataType | Expression<string>;
  /** Appended to `create table` where rows are short and only found by their key: the key then holds the row. */
  readonly clusteredTable: Expression<unknown> | undefined;

  /** Tables and indexes that only this database needs, made with the first step of the schema. */
  ownTables?(db: Kysely<HeddleTables>): readonly Compilable[];

  /**
   * Where the database's own clock may count: an expression that is `given`, or that clock's time where `given` is
   * `null`. Default: `given` as it is.
   */
  now?(given: number): Expression<number>;

  /** The strings of the JSON array in `column`, as rows of a table with a column `value`. */
  elementsOf(column: Expression<unknown>): RawBuilder<{ readonly value: string }>;

  /** Has the JSON object in `column` exactly this scalar under `key`? 1, "1" and true are three values. */
  metadataHas(column: MetadataColumn, key: string, value: string | number | boolean): Expression<SqlBool>;
}

export type MetadataColumn = ReferenceExpression<HeddleTables, "heddle_runs" | "heddle_threads"> & string;
