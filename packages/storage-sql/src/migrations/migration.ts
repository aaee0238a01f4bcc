import type { Compilable } from "kysely";
import type { SqlDialect } from "../dialect.js";
import type { QueryBuilder } from "../query-builder.js";

/**
 * One step of the schema. Steps are append-only: once released, a step never changes, a new one is added. An adapter
 * runs all missing steps in one transaction, under its lock, and records each in `heddle_migrations` there.
 */
export interface Migration {
  /** Counted from 1 without gaps. */
  readonly version: number;
  readonly name: string;
  statements(db: QueryBuilder, dialect: SqlDialect): readonly Compilable[];
}
