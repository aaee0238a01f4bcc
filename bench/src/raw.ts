/**
 * The same work by hand: the least that the same durability allows, with raw better-sqlite3. A run is a row that is
 * inserted when it starts and updated when it ends. A turn is such a run, two messages, a checkpoint with the two in it
 * and three events. Two changes, so two commits; `grouped`: those of all runs that are at it share them. There is no
 * secondary index, no check, no lease, nobody who listens, and no second process.
 */

import { randomUUID } from "node:crypto";
import BetterSqlite3 from "better-sqlite3";
import { join } from "node:path";
import { numbered, timed } from "./heddle.js";
import type { LongThread, System } from "./system.js";
import { answer, atOnce, markWidth, marks, question } from "./workload.js";

/** ms */
const leastTime = 200;

const schema = `
  create table threads (id text primary key, head text, last_seq integer not null);
  create table runs (id text primary key, thread_id text, agent text not null, status text not null, attempt integer not null,
    input text not null, output text, created_at integer not null, settled_at integer);
  create table messages (thread_id text not null, seq integer not null, role text not null, body text not null,
    primary key (thread_id, seq)) without rowid;
  create table checkpoints (id text primary key, thread_id text not null, run_id text not null, parent_id text, body text not null);
  create table events (stream text not null, seq integer not null, run_id text not null, type text not null, payload text,
    created_at integer not null, primary key (stream, seq)) without rowid;
`;

interface Thread {
  readonly id: string;
  head: string | null;
  seq: number;
  messages: number;
}

class RawDatabase {
  readonly database: BetterSqlite3.Database;
  readonly #insertRun;
  readonly #endRun;
  readonly #insertThread;
  readonly #moveThread;
  readonly #insertMessage;
  readonly #insertCheckpoint;
  readonly #insertEvent;

  constructor(path: string, synchronous: string) {
    const database = new BetterSqlite3(path);
    database.pragma("journal_mode = wal");
    database.pragma(`synchronous = ${synchronous}`);
    database.exec(schema);
    this.database = database;
    this.#insertRun = database.prepare("insert into runs values (?, ?, ?, 'running', 1, ?, null, ?, null)");
    this.#endRun = database.prepare("update runs set status = 'succeeded', output = ?, settled_at = ? where id = ?");
    this.#insertThread = database.prepare("insert into threads values (?, null, 0)");
    this.#moveThread = database.prepare("update threads set head = ?, last_seq = ? where id = ?");
    this.#insertMessage = database.prepare("insert into messages values (?, ?, ?, ?)");
    this.#insertCheckpoint = database.prepare("insert into checkpoints values (?, ?, ?, ?, ?)");
    this.#insertEvent = database.prepare("insert into events values (?, ?, ?, ?, ?, ?)");
  }

  commit(work: () => void): void {
    this.database.transaction(work).immediate();
  }

  newThread(): Thread {
    const thread = { id: randomUUID(), head: null, seq: 0, messages: 0 };
    this.#insertThread.run(thread.id);
    return thread;
  }

  startRun(n: number): string {
    const id = randomUUID();
    this.#insertRun.run(id, null, "echo", JSON.stringify({ n }), Date.now());
    return id;
  }

  endRun(id: string, n: number): void {
    this.#endRun.run(JSON.stringify({ n }), Date.now(), id);
  }

  startTurn(thread: Thread, turn: number): string {
    const id = randomUUID();
    this.#insertRun.run(id, thread.id, "chat", JSON.stringify({ turn }), Date.now());
    this.#event(thread, id, "run_started", '{"agent":"chat"}');
    this.#moveThread.run(thread.head, thread.seq, thread.id);
    return id;
  }

  endTurn(thread: Thread, id: string, turn: number): void {
    const messages = [question(turn), answer(turn)];
    const checkpoint = randomUUID();
    for (const message of messages) this.#insertMessage.run(thread.id, thread.messages++, message.role, message.text);
    this.#insertCheckpoint.run(checkpoint, thread.id, id, thread.head, JSON.stringify(messages));
    this.#event(thread, id, "values_updated", JSON.stringify({ checkpointId: checkpoint }));
    this.#event(thread, id, "run_succeeded", null);
    this.#endRun.run(JSON.stringify(`m${2 * turn + 1}`), Date.now(), id);
    thread.head = checkpoint;
    this.#moveThread.run(thread.head, thread.seq, thread.id);
  }

  get bytes(): number {
    const pragma = (name: string) => Number(this.database.pragma(name, { simple: true }));
    return pragma("page_count") * pragma("page_size");
  }

  close(): void {
    this.database.close();
  }

  #event(thread: Thread, runId: string, type: string, payload: string | null): void {
    this.#insertEvent.run(thread.id, ++thread.seq, runId, type, payload, Date.now());
  }
}

export function rawSqlite(folder: string, synchronous: "full" | "normal", how: "grouped" | "one by one"): System {
  const name = `raw SQLite ${synchronous.toUpperCase()}, ${how}`;
  const group = how === "grouped" ? atOnce : 1;
  const files = numbered(join(folder, name.replaceAll(/\W+/g, "-")));

  async function withDatabase<Result>(work: (database: RawDatabase) => Promise<Result>): Promise<Result> {
    const database = new RawDatabase(files(), synchronous);
    try {
      return await work(database);
    } finally {
      database.close();
    }
  }

  return {
    name,
    stateless: ({ runs }) =>
      withDatabase((database) => longEnough(() => timed(async () => runAll(database, runs, group)))),
    single: ({ single }) =>
      withDatabase(async (database) => {
        const times: number[] = [];
        for (let n = 0; n < single; n++) times.push(await timed(async () => runAll(database, 1, 1)));
        return times;
      }),
    threads: ({ threads, turnsEach }) =>
      withDatabase(async (database) => {
        return longEnough(() => {
          const all = Array.from({ length: threads }, () => database.newThread());
          return timed(async () => {
            for (let turn = 0; turn < turnsEach; turn++) {
              for (let first = 0; first < threads; first += group) takeTurns(database, all.slice(first, first + group), turn);
            }
          });
        });
      }),
    longThread: (sizes) =>
      withDatabase(async (database): Promise<LongThread> => {
        const thread = database.newThread();
        const interesting = new Set(marks(sizes).flatMap((mark) => [mark, mark - markWidth(mark)]));
        const result = { times: [] as number[], sizes: new Map<number, number>() };
        for (let turn = 0; turn <= sizes.longThread; turn++) {
          if (interesting.has(turn)) result.sizes.set(turn, database.bytes);
          if (turn === sizes.longThread) break;
          result.times.push(await timed(async () => takeTurns(database, [thread], turn)));
        }
        return result;
      }),
  };
}

/** By hand it is done in a few ms: too short to measure. The mean of as many rounds as take a while. */
async function longEnough(round: () => Promise<number>): Promise<number> {
  let [rounds, total] = [0, 0];
  for (; rounds === 0 || total < leastTime; rounds++) total += await round();
  return total / rounds;
}

function runAll(database: RawDatabase, runs: number, group: number): void {
  for (let first = 0; first < runs; first += group) {
    const numbers = Array.from({ length: Math.min(group, runs - first) }, (_, index) => first + index);
    let ids: string[] = [];
    database.commit(() => {
      ids = numbers.map((n) => database.startRun(n));
    });
    database.commit(() => {
      ids.forEach((id, index) => database.endRun(id, numbers[index] ?? 0));
    });
  }
}

function takeTurns(database: RawDatabase, threads: readonly Thread[], turn: number): void {
  let ids: string[] = [];
  database.commit(() => {
    ids = threads.map((thread) => database.startTurn(thread, turn));
  });
  database.commit(() => {
    threads.forEach((thread, index) => database.endTurn(thread, ids[index] ?? "", turn));
  });
}
