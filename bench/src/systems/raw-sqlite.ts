/**
 * The same work by hand: the least that the same durability allows, with raw better-sqlite3. A run is a row that is
 * inserted when it starts and updated when it ends. A turn is such a run, two messages, a checkpoint with the two in it
 * and three events. Two changes, so two commits; `grouped`: those of all runs that are at it share them. Rows are as
 * wide as Heddle's; there is no secondary index, no check, no lease, nobody who listens, and no second process.
 */

import { statSync } from "node:fs";
import BetterSqlite3 from "better-sqlite3";
import { longThread } from "../long-thread.js";
import { metered, meteredEach } from "../meter.js";
import { numberedFiles } from "../numbered-files.js";
import type { RawThread } from "../raw-rows.js";
import { newId, rawPolicy, rawTables } from "../raw-rows.js";
import type { Round, System } from "../system.js";
import { answer, atOnce, burst, frame, question } from "../workload.js";

export interface RawSqliteOptions {
  readonly folder: string;
  readonly synchronous: "full" | "normal";
  /** Changes that share a transaction: those of all runs that are at it, or one. */
  readonly how: "grouped" | "one by one";
}

const schema = Object.entries(rawTables("int"))
  .map(
    ([name, columns]) =>
      `create table ${name} (${columns})${columns.includes("primary key (") ? " without rowid" : ""};`,
  )
  .join("\n");

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

  newThread(): RawThread {
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

  startTurn(thread: RawThread, turn: number): string {
    const id = this.#start(thread, "chat", JSON.stringify({ turn }));
    this.#event(thread, id, "run_started", '{"agent":"chat"}');
    this.#move(thread, id);
    return id;
  }

  endTurn(thread: RawThread, id: string, turn: number): void {
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

  addEvents(stream: string, first: number, count: number): void {
    for (let n = first; n < first + count; n++) {
      this.#insertEvent.run(stream, n + 1, stream, "progress", Date.now(), JSON.stringify(frame(n)));
    }
  }

  /** Of the file, once its log was moved into it. */
  get bytes(): number {
    this.database.pragma("wal_checkpoint(truncate)");
    return statSync(this.database.name).size;
  }

  close(): void {
    this.database.close();
  }

  #start(thread: RawThread | null, agent: string, input: string): string {
    const id = newId("run");
    const { id: threadId = null, head = null, seq = 0 } = thread ?? {};
    this.#insertRun.run({
      id,
      threadId,
      agent,
      input,
      head,
      policy: rawPolicy,
      seq: seq + 1,
      worker: "wrk",
      now: Date.now(),
    });
    return id;
  }

  #move({ id, head, seq }: RawThread, run: string | null): void {
    this.#moveThread.run({ id, head, seq, run, now: Date.now() });
  }

  #event(thread: RawThread, runId: string, type: string, payload: string | null): void {
    this.#insertEvent.run(thread.id, ++thread.seq, runId, type, Date.now(), payload);
  }
}

export function createSystem({ folder, synchronous, how }: RawSqliteOptions): System {
  const group = how === "grouped" ? atOnce : 1;
  const files = numberedFiles(folder, `raw-${synchronous}-${how}`);

  async function withDatabase(work: (database: RawDatabase) => Promise<Round>): Promise<Round> {
    const database = new RawDatabase(files(), synchronous);
    try {
      return await work(database);
    } finally {
      database.close();
    }
  }

  return {
    stateless: ({ runs }) => withDatabase((database) => metered(runs, async () => runAll(database, runs, group))),
    single: ({ single }) => withDatabase((database) => meteredEach(single, async () => runAll(database, 1, 1))),
    threads: ({ threads, turnsEach }) =>
      withDatabase(async (database) => {
        const all = Array.from({ length: threads }, () => database.newThread());
        return metered(threads * turnsEach, async () => {
          for (let turn = 0; turn < turnsEach; turn++) {
            for (let first = 0; first < threads; first += group)
              takeTurns(database, all.slice(first, first + group), turn);
          }
        });
      }),
    longThread: (sizes) =>
      withDatabase(async (database) => {
        const thread = database.newThread();
        return longThread(
          sizes,
          async (turn) => takeTurns(database, [thread], turn),
          async () => database.bytes,
        );
      }),
    events: ({ frames }) =>
      withDatabase((database) => {
        const run = database.startRun(0);
        const size = how === "grouped" ? burst : 1;
        return metered(frames, async () => {
          for (let first = 0; first < frames; first += size)
            database.commit(() => database.addEvents(run, first, Math.min(size, frames - first)));
        });
      }),
  };
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

function takeTurns(database: RawDatabase, threads: readonly RawThread[], turn: number): void {
  let started: string[] = [];
  database.commit(() => {
    started = threads.map((thread) => database.startTurn(thread, turn));
  });
  database.commit(() => {
    for (const [index, thread] of threads.entries()) database.endTurn(thread, started[index] ?? "", turn);
  });
}
