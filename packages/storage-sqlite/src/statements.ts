/** Prepared statements of one connection. Templates are prepared once; texts made per call are kept while in use. */

import type { Template } from "@heddle/storage-sql";
import type BetterSqlite3 from "better-sqlite3";

type Statement = BetterSqlite3.Statement<unknown[], unknown>;

const keptTexts = 200;

export class Statements {
  readonly #database: BetterSqlite3.Database;
  readonly #templates = new Map<Template<never, unknown>, Statement>();
  readonly #texts = new Map<string, Statement>();
  readonly #columns = new Map<string, Statement>();

  constructor(database: BetterSqlite3.Database) {
    this.#database = database;
  }

  get<Params, Row>(template: Template<Params, Row>, params: Params): Row | undefined {
    return this.#prepared(template).get(...template.bind(params)) as Row | undefined;
  }

  all<Params, Row>(template: Template<Params, Row>, params: Params): Row[] {
    return this.#prepared(template).all(...template.bind(params)) as Row[];
  }

  /** The number of rows that were written. Spread: an array's elements are fetched one by one through the engine's API. */
  run<Params>(template: Template<Params, unknown>, params: Params): number {
    return this.#prepared(template).run(...template.bind(params)).changes;
  }

  /** The first column of what one of our fixed texts finds. */
  column(sql: string, params: object): unknown[] {
    const statement = this.#columns.get(sql) ?? this.#prepare(sql).pluck();
    this.#columns.set(sql, statement);
    return statement.all(params);
  }

  /** A statement by its text, least recently used ones forgotten. */
  text(sql: string): Statement {
    const statement = this.#texts.get(sql) ?? this.#prepare(sql);
    this.#texts.delete(sql);
    this.#texts.set(sql, statement);
    if (this.#texts.size > keptTexts) this.#texts.delete(this.#texts.keys().next().value ?? "");
    return statement;
  }

  #prepared<Params, Row>(template: Template<Params, Row>): Statement {
    const known = this.#templates.get(template);
    if (known !== undefined) return known;
    const statement = this.#prepare(template.sql);
    this.#templates.set(template, statement);
    return statement;
  }

  /** Whatever the host set as its connection's default: our numbers are below 2^53. */
  #prepare(sql: string): Statement {
    return this.#database.prepare<unknown[], unknown>(sql).safeIntegers(false);
  }
}
