/**
 * The same work by hand on PostgreSQL with raw `pg`: the same rows as raw-sqlite.ts, in prepared statements. Two changes,
 * so two commits.
 *
 * - `one by one`: each change is a transaction of its own; a stateless run's is one statement. As many at once as there
 *   are runs, over a pool of 10.
 * - `grouped`: the changes of all runs that are at it share a transaction, one statement per row, on one connection.
 * - `grouped by statement`: the rows of a table are one statement with arrays. What somebody who only had this one thing
 *   to do could reach; shown, and not what the bound is about.
 */

import pg from "pg";
import { longThread } from "../long-thread.js";
import { metered, meteredEach } from "../meter.js";
import { numberedSchemas } from "../numbered-schemas.js";
import type { RawThread } from "../raw-rows.js";
import { newId, rawPolicy, rawTables } from "../raw-rows.js";
import { schemaBytes } from "../schema-bytes.js";
import type { Round, System } from "../system.js";
import { answer, atOnce, burst, frame, inLanes, question } from "../workload.js";

export interface RawPostgresOptions {
  readonly url: string;
  readonly how: "grouped" | "one by one" | "grouped by statement";
}

/** Connections, as many as Heddle's pool has. */
const connections = 10;

interface Statement {
  readonly name: string;
  readonly text: string;
  /** Of each parameter, for arrays of them. */
  readonly types: readonly string[];
}

type Values = readonly (string | number | null)[];
type Write = readonly [Statement, Values];

const insertRun: Statement = {
  name: "insert_run",
  text: `insert into runs (id, thread_id, agent, status, active, priority, available_at, attempt, failures, crashes, worker,
      lease_until, first_seq, last_seq, created_at, started_at, lineage_id, base_checkpoint_id, head_checkpoint_id, policy,
      metadata, input)
    select id, thread_id, agent, 'running', 1, 0, now, 1, 0, 0, 'wrk', now + 15000, seq, seq, now, now, id, head, head,
      policy, '{}', input from given (id, thread_id, agent, now, seq, head, policy, input)`,
  types: ["text", "text", "text", "bigint", "bigint", "text", "text", "text"],
};
const endRun: Statement = {
  name: "end_run",
  text: `update runs r set status = 'succeeded', active = 0, worker = null, lease_until = null, output = g.output,
      settled_at = g.now, last_seq = g.seq, head_checkpoint_id = g.head
    from given g (id, output, now, seq, head) where r.id = g.id`,
  types: ["text", "text", "bigint", "bigint", "text"],
};
const moveThread: Statement = {
  name: "move_thread",
  text: `update threads t set head_checkpoint_id = g.head, last_seq = g.seq, active_run_id = g.run,
      last_outcome = 'succeeded', last_agent = 'chat', updated_at = g.now
    from given g (id, head, seq, run, now) where t.id = g.id`,
  types: ["text", "text", "bigint", "text", "bigint"],
};
const insertMessage: Statement = {
  name: "insert_message",
  text: "insert into messages select * from given",
  types: ["text", "bigint", "text", "text"],
};
const insertCheckpoint: Statement = {
  name: "insert_checkpoint",
  text: `insert into checkpoints select id, thread_id, run_id, parent_id, 'final', 1, 'delta', size, now, body
    from given (id, thread_id, run_id, parent_id, size, now, body)`,
  types: ["text", "text", "text", "text", "bigint", "bigint", "text"],
};
const insertEvent: Statement = {
  name: "insert_event",
  text: `insert into events select stream, seq, run_id, 1, 1, type, now, payload
    from given (stream, seq, run_id, type, now, payload)`,
  types: ["text", "bigint", "text", "text", "bigint", "text"],
};

export function createSystem({ url, how }: RawPostgresOptions): System {
  const schemas = numberedSchemas(url, "raw");
  const group = how === "one by one" ? 1 : atOnce;
  const lanes = how === "one by one" ? atOnce : 1;

  async function withDatabase(work: (database: RawPostgres) => Promise<Round>): Promise<Round> {
    const schema = await schemas();
    const max = how === "one by one" ? connections : 1;
    const pool = new pg.Pool({ connectionString: url, max, options: `-c search_path=${schema}` });
    try {
      await createTables(pool, schema);
      return await work(new RawPostgres(pool, how, schema));
    } finally {
      await pool.end();
    }
  }

  /** Call `work` with numbers 0 to `count` - 1, group by group. */
  const inGroups = (count: number, work: (numbers: readonly number[]) => Promise<void>) =>
    inLanes(Math.ceil(count / group), lanes, (index) =>
      work(Array.from({ length: Math.min(group, count - index * group) }, (_, n) => index * group + n)),
    );

  return {
    stateless: ({ runs }) =>
      withDatabase((database) => metered(runs, () => inGroups(runs, (numbers) => runAll(database, numbers)))),
    single: ({ single }) => withDatabase((database) => meteredEach(single, (n) => runAll(database, [n]))),
    threads: ({ threads, turnsEach }) =>
      withDatabase(async (database) => {
        const all = await Promise.all(Array.from({ length: threads }, () => newThread(database)));
        return metered(threads * turnsEach, () =>
          inGroups(threads, async (numbers) => {
            const some = numbers.map((n) => all[n] as RawThread);
            for (let turn = 0; turn < turnsEach; turn++) await takeTurns(database, some, turn);
          }),
        );
      }),
    longThread: (sizes) =>
      withDatabase(async (database) => {
        const thread = await newThread(database);
        const bytes = () => schemaBytes(url, database.schema);
        return longThread(sizes, (turn) => takeTurns(database, [thread], turn), bytes);
      }),
    events: ({ frames }) =>
      withDatabase(async (database) => {
        const run = newId("run");
        const size = how === "one by one" ? 1 : burst;
        return metered(frames, async () => {
          for (let first = 0; first < frames; first += size) {
            const numbers = Array.from({ length: Math.min(size, frames - first) }, (_, index) => first + index);
            await database.commit(numbers.map((n) => event(run, n + 1, run, "progress", JSON.stringify(frame(n)))));
          }
        });
      }),
  };
}

class RawPostgres {
  readonly pool: pg.Pool;
  readonly schema: string;
  readonly #byStatement: boolean;

  constructor(pool: pg.Pool, how: RawPostgresOptions["how"], schema: string) {
    this.pool = pool;
    this.schema = schema;
    this.#byStatement = how === "grouped by statement";
  }

  /** All of it or nothing; durable when it resolves. */
  async commit(writes: readonly Write[]): Promise<void> {
    const [first] = writes;
    if (first !== undefined && writes.length === 1) {
      await this.pool.query(single(...first));
      return;
    }
    const client = await this.pool.connect();
    try {
      const statements = this.#byStatement ? together(writes) : writes.map((write) => single(...write));
      await client.query("begin");
      for (const statement of statements) await client.query(statement);
      await client.query("commit");
    } finally {
      client.release();
    }
  }
}

function single({ name, text, types }: Statement, values: Values): pg.QueryConfig {
  const row = types.map((type, index) => `$${index + 1}::${type}`).join(", ");
  return { name, text: withGiven(text, `values (${row})`), values: [...values] };
}

/** One statement per table, in the order of their first rows. */
function together(writes: readonly Write[]): pg.QueryConfig[] {
  const byStatement = new Map<Statement, Values[]>();
  for (const [statement, values] of writes) byStatement.set(statement, [...(byStatement.get(statement) ?? []), values]);
  return [...byStatement].map(([{ name, text, types }, rows]) => {
    const arrays = types.map((type, index) => `$${index + 1}::${type}[]`).join(", ");
    const values = types.map((_, column) => rows.map((row) => row[column]));
    return { name: `${name}s`, text: withGiven(text, `select * from unnest(${arrays})`), values };
  });
}

/** `given` in the text becomes a subquery, its columns named where the text names them. */
function withGiven(text: string, rows: string): string {
  return text.replace(/\bgiven\b( g)? ?(\([^)]*\))?/, (_, __, columns = "") => `(${rows}) as g ${columns}`);
}

async function createTables(pool: pg.Pool, schema: string): Promise<void> {
  await pool.query(`create schema ${schema}`);
  for (const [name, columns] of Object.entries(rawTables("bigint")))
    await pool.query(`create table ${name} (${columns})`);
}

async function newThread({ pool }: RawPostgres): Promise<RawThread> {
  const thread = { id: newId("thr"), head: null, seq: 0, messages: 0 };
  await pool.query(
    "insert into threads (id, archived, last_seq, created_at, updated_at, metadata) values ($1, 0, 0, 0, 0, '{}')",
    [thread.id],
  );
  return thread;
}

async function runAll(database: RawPostgres, numbers: readonly number[]): Promise<void> {
  const ids = numbers.map(() => newId("run"));
  await database.commit(numbers.map((n, at) => start(ids[at] ?? "", null, "echo", JSON.stringify({ n }))));
  await database.commit(numbers.map((n, at) => end(ids[at] ?? "", JSON.stringify({ n }), 2, null)));
}

async function takeTurns(database: RawPostgres, threads: readonly RawThread[], turn: number): Promise<void> {
  const ids = threads.map(() => newId("run"));
  await database.commit(threads.flatMap((thread, at) => startTurn(thread, ids[at] ?? "", turn)));
  await database.commit(threads.flatMap((thread, at) => endTurn(thread, ids[at] ?? "", turn)));
}

function startTurn(thread: RawThread, id: string, turn: number): Write[] {
  return [
    start(id, thread, "chat", JSON.stringify({ turn })),
    event(thread.id, ++thread.seq, id, "run_started", '{"agent":"chat"}'),
    move(thread, id),
  ];
}

function endTurn(thread: RawThread, id: string, turn: number): Write[] {
  const messages = [question(turn), answer(turn)];
  const body = JSON.stringify(messages);
  const checkpoint = newId("chk");
  const changed = JSON.stringify({ checkpointId: checkpoint, changedKeys: ["messages"] });
  const writes: Write[] = [
    ...messages.map(({ role, text }): Write => [insertMessage, [thread.id, thread.messages++, role, text]]),
    [insertCheckpoint, [checkpoint, thread.id, id, thread.head, body.length, Date.now(), body]],
    event(thread.id, ++thread.seq, id, "values_updated", changed),
    event(thread.id, ++thread.seq, id, "run_succeeded", null),
    end(id, JSON.stringify(`m${2 * turn + 1}`), thread.seq, checkpoint),
  ];
  thread.head = checkpoint;
  return [...writes, move(thread, null)];
}

function start(id: string, thread: RawThread | null, agent: string, input: string): Write {
  const { id: threadId = null, head = null, seq = 0 } = thread ?? {};
  return [insertRun, [id, threadId, agent, Date.now(), seq + 1, head, rawPolicy, input]];
}

function end(id: string, output: string, seq: number, head: string | null): Write {
  return [endRun, [id, output, Date.now(), seq, head]];
}

function move({ id, head, seq }: RawThread, run: string | null): Write {
  return [moveThread, [id, head, seq, run, Date.now()]];
}

function event(stream: string, seq: number, runId: string, type: string, payload: string | null): Write {
  return [insertEvent, [stream, seq, runId, type, Date.now(), payload]];
}
