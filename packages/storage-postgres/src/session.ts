/** A connection that statements can be run on: a client of a pool, or somebody else's open transaction. */

import type pg from "pg";
import { type Answer, Flight } from "./flight.js";
import type { Bound, Row } from "./statement.js";
import { driverError, isConnectionLoss } from "./storage-errors.js";

export interface Session {
  /** Run the statements in order, in one round trip where the connection can. A failed one ends it: the rest is not run. */
  run(statements: readonly Bound[]): Promise<readonly Answer[]>;
}

/** What we use of a client: pg's own, or one that can do as much. */
export type PgClient = Pick<pg.ClientBase, "query" | "on" | "removeListener">;

export class ClientSession implements Session {
  readonly client: PgClient;
  readonly #answersWithin: number;
  /** Statements were sent that began a transaction, and none that is known to have ended it. */
  isInTransaction = false;

  /** @param answersWithin ms */
  constructor(client: PgClient, answersWithin: number) {
    this.client = client;
    this.#answersWithin = answersWithin;
  }

  /**
   * After an error: undo what is open.
   * @returns whether the client may be used again
   */
  async recover(error: unknown): Promise<boolean> {
    if (isConnectionLoss(error)) return false;
    if (!this.isInTransaction) return true;
    try {
      await this.#inTime(this.client.query("rollback"));
      this.isInTransaction = false;
      return true;
    } catch {
      return false;
    }
  }

  async run(statements: readonly Bound[]): Promise<readonly Answer[]> {
    try {
      const { client } = this;
      return await this.#inTime(takesFlights(client) ? fly(client, statements) : runOneByOne(client, statements));
    } catch (error) {
      throw driverError(error);
    }
  }

  /** A connection that is silent for long counts as lost: it may be, and whoever waits would wait for ever. */
  #inTime<Result>(answer: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`The server did not answer within ${this.#answersWithin} ms.`));
      const timer = setTimeout(late, this.#answersWithin);
      answer.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }
}

function fly(client: PgClient, statements: readonly Bound[]): Promise<readonly Answer[]> {
  return new Promise((resolve, reject) => {
    client.query(new Flight(statements, resolve, reject) as unknown as pg.Submittable);
  });
}

/** Drivers that only look like pg's, and pg's own pipelining mode, take plain queries only. */
function takesFlights(client: PgClient): boolean {
  const { connection, pipeline } = client as {
    readonly connection?: { readonly parse?: unknown };
    readonly pipeline?: unknown;
  };
  return typeof connection?.parse === "function" && pipeline !== true;
}

/** A round trip each, unless the driver pipelines: correct, and slower. */
async function runOneByOne(client: PgClient, statements: readonly Bound[]): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const { statement, values } of statements) {
    const { text, name } = statement;
    const query = { text, values: [...values], ...(name === undefined ? {} : { name }), types: ownTypes };
    const { command, rowCount, rows } = await client.query<Row>(query as pg.QueryConfig);
    answers.push({ command: `${command} ${rowCount ?? ""}`.trim(), rows });
  }
  return answers;
}

const ownTypes = {
  getTypeParser: (type: number) =>
    [20, 21, 23, 26, 700, 701, 1700].includes(type) ? Number : (value: string) => value,
};
