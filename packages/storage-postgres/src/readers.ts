/** What an engine reads outside its writes: a round trip each. */

import type {
  CheckpointChain,
  CheckpointReader,
  EventReader,
  LineageReader,
  RunReader,
  ThreadReader,
} from "@heddle/core/storage";
import type { RunRow, Template, ThreadRow } from "@heddle/storage-sql";
import { checkpointChain, toEvent, toRun, toThread, toUsage } from "@heddle/storage-sql";
import type { CompiledQuery } from "kysely";
import type { Database } from "./database.js";
import type { Bound, Row } from "./statement.js";

/** Run statements in one round trip, outside transactions; the rows of each. */
export type Read = (statements: readonly Bound[]) => Promise<readonly (readonly Row[])[]>;

export type Opened = () => Database;

/** Reads of one statement each. */
export class Reader {
  readonly #opened: Opened;
  readonly #read: Read;

  constructor(opened: Opened, read: Read) {
    this.#opened = opened;
    this.#read = read;
  }

  async all<Params, R>(pick: (queries: Database["queries"]) => Template<Params, R>, params: Params): Promise<R[]> {
    const { statements, queries, planByKeys } = this.#opened();
    const [, rows] = await this.#read([planByKeys, statements.of(pick(queries), params)]);
    return rows as unknown as R[];
  }

  async list<R>(pick: (lists: Database["lists"]) => CompiledQuery<R>): Promise<R[]> {
    const { statements, lists } = this.#opened();
    const { sql, parameters } = pick(lists);
    const [rows] = await this.#read([statements.once(sql, parameters)]);
    return rows as unknown as R[];
  }

  async count(pick: (lists: Database["lists"]) => CompiledQuery<{ count: number | string }>): Promise<number> {
    const [row] = await this.list(pick);
    return Number(row?.count ?? 0);
  }
}

export function runReader(reader: Reader): RunReader {
  return {
    get: async (id) => first((await reader.all(({ run }) => run, { id })).map(toRun)),
    list: async (query) => (await reader.list<RunRow>((lists) => lists.runs(query))).map(toRun),
    count: (filter) => reader.count((lists) => lists.countRuns(filter)),
  };
}

export function threadReader(reader: Reader): ThreadReader {
  return {
    get: async (id) => first((await reader.all(({ thread }) => thread, { id })).map(toThread)),
    isDeleted: async (threadId) => (await reader.all(({ tombstone }) => tombstone, { threadId })).length > 0,
    list: async (query) => (await reader.list<ThreadRow>((lists) => lists.threads(query))).map(toThread),
    count: (filter) => reader.count((lists) => lists.countThreads(filter)),
    usage: async (threadId) => toUsage(await reader.all(({ usage }) => usage, { threadId })),
  };
}

export function checkpointReader(reader: Reader): CheckpointReader {
  return {
    get: async (id) => first(await reader.all(({ checkpoint }) => checkpoint, { id })),
    chain: (id, since) => chainOf(reader, id, since),
    history: (id, limit) => reader.all(({ history }) => history, { id, limit }),
    ofThread: (threadId, { limit, after }) =>
      after === undefined
        ? reader.all(({ ofThread }) => ofThread, { threadId, limit })
        : reader.all(({ ofThreadAfter }) => ofThreadAfter, { threadId, limit, after }),
  };
}

export function eventReader(reader: Reader): EventReader {
  return {
    read: async (query) => {
      const rows = await reader.all(
        ({ events, eventsOfRun }) => (query.runId === undefined ? events : eventsOfRun),
        query,
      );
      return rows.map(toEvent);
    },
  };
}

export function lineageReader(reader: Reader): LineageReader {
  return {
    memo: async (ref) => first(await reader.all(({ memo }) => memo, ref)),
    memos: (lineageId, limit) => reader.all(({ memosOf }) => memosOf, { lineageId, limit }),
    questions: (lineageId) => reader.all(({ questions }) => questions, { lineageId }),
    openQuestions: (threadId, limit) => reader.all(({ openQuestions }) => openQuestions, { threadId, limit }),
  };
}

async function chainOf(reader: Reader, id: string, since: string | undefined): Promise<CheckpointChain | undefined> {
  if (id !== since) return checkpointChain(await reader.all(({ chain }) => chain, { id, since }), since);
  const isThere = (await reader.all(({ checkpoint }) => checkpoint, { id })).length > 0;
  return isThere ? { links: [], continuesSince: true } : undefined;
}

function first<R>(rows: readonly R[]): R | undefined {
  return rows[0];
}
