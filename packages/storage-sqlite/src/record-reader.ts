/** What a unit of work reads, straight from the tables, inside a transaction. */

import type {
  CheckpointHead,
  CheckpointLink,
  ClaimQuery,
  KeyRecord,
  KeyRef,
  MemoRecord,
  MemoRef,
  OriginRecord,
  QuestionRecord,
  RecordReader,
  RunRecord,
  ThreadRecord,
  TombstoneRecord,
} from "@heddle/core/storage";
import { toRun, toThread } from "@heddle/storage-sql";
import type { Connection } from "./connection.js";
import { queries } from "./queries.js";
import type { RecordCache } from "./record-cache.js";
import type { Statements } from "./statements.js";

export class SqliteRecordReader implements RecordReader {
  readonly #statements: Statements;
  readonly #cache: RecordCache;
  #claimable: { readonly query: ClaimQuery; readonly runs: readonly RunRecord[] } | undefined;

  constructor({ statements, cache }: Pick<Connection, "statements" | "cache">) {
    this.#statements = statements;
    this.#cache = cache;
  }

  thread(id: string): ThreadRecord | undefined {
    const known = this.#cache.thread(id);
    if (known !== undefined) return known;
    const row = this.#statements.get(queries.thread, { id });
    return row && toThread(row);
  }

  tombstone(threadId: string): TombstoneRecord | undefined {
    return this.#statements.get(queries.tombstone, { threadId });
  }

  run(id: string): RunRecord | undefined {
    const known = this.#cache.run(id);
    if (known !== undefined) return known;
    const row = this.#statements.get(queries.run, { id });
    return row && toRun(row);
  }

  queue(threadId: string, limit: number): readonly RunRecord[] {
    return this.#statements.all(queries.queue, { threadId, limit }).map(toRun);
  }

  steeredRuns(threadId: string): readonly RunRecord[] {
    return this.#statements.all(queries.steeredRuns, { threadId }).map(toRun);
  }

  unsettledRuns(threadId: string): readonly RunRecord[] {
    return this.#statements.all(queries.unsettledRuns, { threadId }).map(toRun);
  }

  /**
   * Each run of a batch that is accepted asks whether anything older waits. Nothing is written before the batch ends,
   * so one answer serves all; where there is a backlog, more is read ahead each time.
   */
  claimable(query: ClaimQuery): readonly RunRecord[] {
    const known = this.#claimable;
    if (known !== undefined && sameQuery(known.query, query)) {
      const isComplete = known.runs.length < known.query.limit;
      if (isComplete || known.query.limit >= query.limit) return known.runs.slice(0, query.limit);
    }
    const ahead = known === undefined ? query : { ...query, limit: query.limit * 2 };
    const runs = this.#statements.all(queries.claimable(query.agents.length), ahead).map(toRun);
    this.#claimable = { query: ahead, runs };
    return runs.slice(0, query.limit);
  }

  key(ref: KeyRef): KeyRecord | undefined {
    return this.#statements.get(queries.key, ref);
  }

  memo(ref: MemoRef): MemoRecord | undefined {
    return this.#statements.get(queries.memo, ref);
  }

  questions(lineageId: string): readonly QuestionRecord[] {
    return this.#statements.all(queries.questions, { lineageId });
  }

  checkpoint(id: string): CheckpointHead | undefined {
    return this.#statements.get(queries.checkpoint, { id });
  }

  origin(threadId: string): OriginRecord | undefined {
    return this.#statements.get(queries.origin, { threadId });
  }

  originsFrom(ownerId: string): readonly OriginRecord[] {
    return this.#statements.all(queries.originsFrom, { ownerId });
  }

  checkpointLinks(threadId: string): readonly CheckpointLink[] {
    return this.#statements.all(queries.checkpointLinks, { threadId });
  }
}

function sameQuery(a: ClaimQuery, b: ClaimQuery): boolean {
  if (a.now !== b.now) return false;
  return (
    a.agents === b.agents ||
    (a.agents.length === b.agents.length && a.agents.every((agent, i) => agent === b.agents[i]))
  );
}
