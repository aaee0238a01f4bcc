/** What those who know no threads keep a conversation in: a table of the user's own. */

import pg from "pg";
import type { Message } from "../../src/workload.js";
import { answer, question } from "../../src/workload.js";

export class Conversation {
  readonly #pool: pg.Pool;
  readonly #table: string;

  constructor(url: string, schema: string) {
    this.#pool = new pg.Pool({ connectionString: url, max: 10 });
    this.#table = `${schema}.bench_messages`;
  }

  async open(): Promise<void> {
    await this.#pool.query(`create table ${this.#table} (thread text, seq int, body text, primary key (thread, seq))`);
  }

  async read(thread: string): Promise<Message[]> {
    const { rows } = await this.#pool.query<{ body: string }>({
      name: "read",
      text: `select body from ${this.#table} where thread = $1 order by seq`,
      values: [thread],
    });
    return rows.map(({ body }) => JSON.parse(body) as Message);
  }

  /** Both messages or neither. */
  async append(thread: string, turn: number): Promise<void> {
    const values = [question(turn), answer(turn)].flatMap((message, index) => [
      2 * turn + index,
      JSON.stringify(message),
    ]);
    await this.#pool.query({
      name: "append",
      text: `insert into ${this.#table} values ($1, $2, $3), ($1, $4, $5) on conflict do nothing`,
      values: [thread, ...values],
    });
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}
