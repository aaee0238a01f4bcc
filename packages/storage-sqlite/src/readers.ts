/** What an engine reads outside its writes. */

import type {
  CheckpointChain,
  CheckpointReader,
  EventReader,
  LineageReader,
  RunReader,
  ThreadReader,
} from "@heddle/core/storage";
import type { RunRow, ThreadRow } from "@heddle/storage-sql";
import { checkpointChain, toEvent, toRun, toThread, toUsage } from "@heddle/storage-sql";
import type { CompiledQuery } from "kysely";
import { chainBodies } from "./chain-bodies.js";
import { listQueries, queries } from "./queries.js";
import type { Statements } from "./statements.js";

/** Run synchronous reads between transactions. */
export type Read = <Result>(work: (statements: Statements) => Result) => Promise<Result>;

export function runReader(read: Read): RunReader {
  return {
    get: (id) => read((statements) => mapped(statements.get(queries.run, { id }), toRun)),
    list: (query) => read((statements) => rowsOf<RunRow>(statements, listQueries.runs(query)).map(toRun)),
    count: (filter) => read((statements) => countOf(statements, listQueries.countRuns(filter))),
  };
}

export function threadReader(read: Read): ThreadReader {
  return {
    get: (id) => read((statements) => mapped(statements.get(queries.thread, { id }), toThread)),
    isDeleted: (threadId) => read((statements) => statements.get(queries.tombstone, { threadId }) !== undefined),
    list: (query) => read((statements) => rowsOf<ThreadRow>(statements, listQueries.threads(query)).map(toThread)),
    count: (filter) => read((statements) => countOf(statements, listQueries.countThreads(filter))),
    usage: (threadId) => read((statements) => toUsage(statements.all(queries.usage, { threadId }))),
  };
}

export function checkpointReader(read: Read): CheckpointReader {
  return {
    get: (id) => read((statements) => statements.get(queries.checkpoint, { id })),
    chain: (id, since) => read((statements) => chainOf(statements, id, since)),
    bodies: (id, since) => read((statements) => chainBodies(statements, id, since)),
    history: (id, limit) => read((statements) => statements.all(queries.history, { id, limit })),
    ofThread: (threadId, { limit, after }) =>
      read((statements) =>
        after === undefined
          ? statements.all(queries.ofThread, { threadId, limit })
          : statements.all(queries.ofThreadAfter, { threadId, limit, after }),
      ),
  };
}

export function eventReader(read: Read): EventReader {
  return {
    read: (query) =>
      read((statements) => {
        const statement = query.runId === undefined ? queries.events : queries.eventsOfRun;
        return statements.all(statement, query).map(toEvent);
      }),
  };
}

export function lineageReader(read: Read): LineageReader {
  return {
    memo: (ref) => read((statements) => statements.get(queries.memo, ref)),
    memos: (lineageId, limit) => read((statements) => statements.all(queries.memosOf, { lineageId, limit })),
    questions: (lineageId) => read((statements) => statements.all(queries.questions, { lineageId })),
    openQuestions: (threadId, limit) =>
      read((statements) => statements.all(queries.openQuestions, { threadId, limit })),
  };
}

function chainOf(statements: Statements, id: string, since: string | undefined): CheckpointChain | undefined {
  if (id !== since) return checkpointChain(statements.all(queries.chain, { id, since }), since);
  const isThere = statements.get(queries.checkpoint, { id }) !== undefined;
  return isThere ? { links: [], continuesSince: true } : undefined;
}

function mapped<Row, Record>(row: Row | undefined, map: (row: Row) => Record): Record | undefined {
  return row === undefined ? undefined : map(row);
}

function rowsOf<Row>(statements: Statements, { sql, parameters }: CompiledQuery<Row>): Row[] {
  return statements.text(sql).all([...parameters]) as Row[];
}

function countOf(statements: Statements, query: CompiledQuery<{ count: number | string }>): number {
  return Number(rowsOf(statements, query)[0]?.count ?? 0);
}
