/**
 * Empty schemas for tests, by the hundred: a schema that a test is done with is emptied for the next one, and all share a
 * pool. Connecting, migrating and preparing anew for each test takes longer than most of them.
 */

import type { PostgresStorageOptions } from "@heddle/storage-postgres";
import pg from "pg";
import { freshSchema } from "./server.js";

/** One that held more rows is not used again: what was removed still lies in its tables. */
const mostRows = 2_000;

export class TestSchemas implements AsyncDisposable {
  readonly #pool: pg.Pool;
  readonly #prepare: boolean;
  readonly #empty: string[] = [];

  constructor({ connectionString, prepare = true }: { readonly connectionString: string; readonly prepare?: boolean }) {
    this.#pool = new pg.Pool({ connectionString, max: 8 });
    this.#prepare = prepare;
  }

  /** How to connect to an empty schema of one's own. */
  take(): PostgresStorageOptions & { readonly schema: string } {
    const schema = this.#empty.pop() ?? freshSchema();
    return { pool: this.#pool, schema, prepare: this.#prepare, listen: false };
  }

  /** Nobody uses it any more. */
  async giveBack(schema: string): Promise<void> {
    const { rows } = await this.#pool.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = $1 and tablename <> 'heddle_migrations'",
      [schema],
    );
    const removals = rows.map(({ name }) => `delete from "${schema}"."${name}"`);
    const results = await this.#pool.query(["set local lock_timeout = 5000", ...removals].join("; "));
    const removed = [results].flat().reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0);
    if (removed <= mostRows) this.#empty.push(schema);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }
}
