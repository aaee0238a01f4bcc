/**
 * The same work by hand: the least that the same durability allows, with raw better-sqlite3. A run is a row that is
 * inserted when it starts and updated when it ends. A turn is such a run, two messages, a checkpoint with the two in it
 * and three events. Two changes, so two commits; `grouped`: those of all runs that are at it share them. Rows are as
 * wide as Heddle's; there is no secondary index, no check, no lease, nobody who listens, and no second process.
 */

import { join } from "node:path";
import BetterSqlite3 from "better-sqlite3";
import { numbered, timed } from "./heddle.js";
import type { LongThread, System } from "./system.js";
import { answer, atOnce, marks, markWidth, question } from "./workload.js";

/** ms */
const leastTime = 200;

const schema = `
  create table threads (id text primary key, title text, archived int, active_run_id text, last_outcome text, last_agent text,
    head_checkpoint_id text, last_seq int, created_at int, updated_at int, metadata text);
  create table runs (id text primary key, thread_id text, agent text, status text, active int, priority real,
    queue_position int, available_at int, attempt int, failures int, crashes int, worker text, lease_until int,
    cancel_requested_at int, grace_until int, deadline_at int, first_seq int, last_seq int, created_at int, started_at int,
    settled_at int, lineage_id text, parent_run_id text, base_checkpoint_id text, head_checkpoint_id text,
    idempotency_key text, policy text, metadata text, cancel_reason text, error text, config text, input text, output text);
  create table messages (thread_id text, seq int, role text, body text, primary key (thread_id, seq)) without rowid;
  create table checkpoints (id text primary key, thread_id text, run_id text, parent_id text, kind text, attempt int,
    encoding text, values_bytes int, created_at int, body text);
  create table events (stream text, seq int, run_id text, attempt int, rollout int, type text, created_at int, payload text,
    primary key (stream, seq)) without rowid;
`;

const policy = JSON.stringify({
  retry: { maxFailures: 1, maxCrashes: 3, delay: 1_000, factor: 2, maxDelay: 60_000, jitter: "full" },
  cancelGrace: 5_000,
});

let ids = 0;

/** As long as Heddle's, and as easy to sort. */
function newId(prefix: string): string {
  return `${prefix}_${String(++ids).padStart(26, "0")}`;
}

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
    this.#insertRun = database.prepare(
      `insert into runs values (@id, @threadId, @agent, 'running', 1, 0, null, @now, 1, 0, 0, @worker, @now + 15000, null,
        null, null, @seq, @seq, @now, @now, null, @id, null, @head, @head, null, @policy, '{}', null, null, null, @input, null)`,
    );
    this.#endRun = database.prepare(
      `update runs set status = 'succeeded', active = 0, worker = null, lease_until = null, output = @output,
        settled_at = @now, last_seq = @seq, head_checkpoint_id = @head where id = @id`,
    );
    this.#insertThread = database.prepare(
      "insert into threads values (?, null, 0, null, null, null, null, 0, 0, 0, '{}')",
    );
    this.#moveThread = database.prepare(
      `update threads set head_checkpoint_id = @head, last_seq = @seq, active_run_id = @run, last_outcome = 'succeeded',
        last_agent = 'chat', updated_at = @now where id = @id`,
    );
    this.#insertMessage = database.prepare("insert into messages values (?, ?, ?, ?)");
    this.#insertCheckpoint = database.prepare(
      "insert into checkpoints values (?, ?, ?, ?, 'final', 1, 'delta', ?, ?, ?)",
    );
    this.#insertEvent = database.prepare("insert into events values (?, ?, ?, 1, 1, ?, ?, ?)");
  }

  commit(work: () => void): void {
    this.database.transaction(work).immediate();
  }

  newThread(): Thread {
    const thread = { id: newId("thr"), head: null, seq: 0, messages: 0 };
    this.#insertThread.run(thread.id);
    return thread;
  }

  startRun(n: number): string {
    return this.#start(null, "echo", JSON.stringify({ n }));
  }

  endRun(id: string, n: number): void {
    this.#endRun.run({ id, output: JSON.stringify({ n }), now: Date.now(), seq: 2, head: null });
  }

  startTurn(thread: Thread, turn: number): string {
    const id = this.#start(thread, "chat", JSON.stringify({ turn }));
    this.#event(thread, id, "run_started", '{"agent":"chat"}');
    this.#move(thread, id);
    return id;
  }

  endTurn(thread: Thread, id: string, turn: number): void {
    const messages = [question(turn), answer(turn)];
    const checkpoint = newId("chk");
    const now = Date.now();
    for (const message of messages) this.#insertMessage.run(thread.id, thread.messages++, message.role, message.text);
    const body = JSON.stringify(messages);
    this.#insertCheckpoint.run(checkpoint, thread.id, id, thread.head, body.length, now, body);
    this.#event(thread, id, "values_updated", JSON.stringify({ checkpointId: checkpoint, changedKeys: ["messages"] }));
    this.#event(thread, id, "run_succeeded", null);
    this.#endRun.run({ id, output: JSON.stringify(`m${2 * turn + 1}`), now, seq: thread.seq, head: checkpoint });
    thread.head = checkpoint;
    this.#move(thread, null);
  }

  get bytes(): number {
    const pragma = (name: string) => Number(this.database.pragma(name, { simple: true }));
    return pragma("page_count") * pragma("page_size");
  }

  close(): void {
    this.database.close();
  }

  #start(thread: Thread | null, agent: string, input: string): string {
    const id = newId("run");
    const { id: threadId = null, head = null, seq = 0 } = thread ?? {};
    this.#insertRun.run({ id, threadId, agent, input, head, policy, seq: seq + 1, worker: "wrk", now: Date.now() });
    return id;
  }

  #move({ id, head, seq }: Thread, run: string | null): void {
    this.#moveThread.run({ id, head, seq, run, now: Date.now() });
  }

  #event(thread: Thread, runId: string, type: string, payload: string | null): void {
    this.#insertEvent.run(thread.id, ++thread.seq, runId, type, Date.now(), payload);
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
              for (let first = 0; first < threads; first += group)
                takeTurns(database, all.slice(first, first + group), turn);
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
    let started: string[] = [];
    database.commit(() => {
      started = numbers.map((n) => database.startRun(n));
    });
    database.commit(() => {
      for (const [index, id] of started.entries()) database.endRun(id, numbers[index] ?? 0);
    });
  }
}

function takeTurns(database: RawDatabase, threads: readonly Thread[], turn: number): void {
  let started: string[] = [];
  database.commit(() => {
    started = threads.map((thread) => database.startTurn(thread, turn));
  });
  database.commit(() => {
    for (const [index, thread] of threads.entries()) database.endTurn(thread, started[index] ?? "", turn);
  });
}
