/**
 * What a transaction locks and reads before intents are applied.
 *
 * The lock on a thread's row protects all that belongs to the thread. It is taken first; what it protects is read by
 * later statements, which see what was committed while the lock was waited for (READ COMMITTED: a statement sees what
 * was committed before it began; only the rows that it locks itself are seen newer). A run's row is locked as well:
 * that is all that protects a stateless run, and a lease that is prolonged without its thread.
 *
 * Threads come before runs, both in the order of their ids; claims wait for nobody: so no two transactions wait for
 * each other here.
 */

import {
  checkpointHeadColumns,
  keyColumns,
  memoColumns,
  originColumns,
  questionColumns,
  runColumns,
  threadColumns,
  tombstoneColumns,
} from "@heddle/storage-sql";
import { selected, threadPrefix, unnest } from "./columns.js";
import { ensured } from "./ensured.js";
import { serverTime } from "./postgres-dialect.js";
import type { SchemaNames } from "./schema-names.js";
import type { Statement, Statements } from "./statement.js";

export type LoadStatements = Readonly<Record<keyof ReturnType<typeof loadTexts>, Statement>>;

export function loadStatements(names: SchemaNames, statements: Statements): LoadStatements {
  const entries = Object.entries(loadTexts(names)).map(([key, text]) => [key, statements.fixed(text)]);
  return Object.fromEntries(entries) as LoadStatements;
}

function withoutId({ id: _, ...columns }: typeof threadColumns): Omit<typeof threadColumns, "id"> {
  return columns;
}

const wantedKeys = `${unnest(["scope", "agent", "key"])} as w (scope, agent, key)`;
const wantedMemos = `${unnest(["lineage_id", "kind", "key"])} as w (lineage_id, kind, key)`;
const sameKey = "k.scope = w.scope and k.agent = w.agent and k.key = w.key";

/** $1 lineages, $2 runs, $3 threads. */
function ofLineages({ runs, threads }: SchemaNames): string {
  const active = `select active_run_id from ${threads} where id = any($3::text[])`;
  return (
    "(q.lineage_id = any($1::text[]) or q.lineage_id in (" +
    `select w.lineage_id from ${runs} w where w.id = any($2::text[]) or w.id in (${active}) ` +
    "or (w.thread_id = any($3::text[]) and w.queue_position is not null)))"
  );
}

function loadTexts(names: SchemaNames) {
  return { ...lockTexts(names), ...threadTexts(names), ...rememberedTexts(names), ...claimTexts(names) };
}

function lockTexts({ threads, runs }: SchemaNames) {
  return {
    now: `select coalesce($1::bigint, ${serverTime}) as now`,
    /** Fails unless the time is $1, or at most $2 ms later. */
    isTime: ensured(`${serverTime} between $1::bigint and $1::bigint + $2::bigint`),
    /** Waits, at most as long as \`lock_timeout\` says. */
    lockThreads: `select ${selected(threadColumns, "t")} from ${threads} t where t.id = any($1::text[]) order by t.id for update`,
    /** Does not wait: of a thread that somebody else holds only the id comes. */
    tryThreads:
      `with locked as materialized (` +
      `select * from ${threads} where id = any($1::text[]) order by id for update skip locked` +
      `) select w.id as "id", ${selected(withoutId(threadColumns), "l")} ` +
      `from ${threads} w left join locked l on l.id = w.id where w.id = any($1::text[])`,
    /** $1 ids; $2 runs whose lineage is locked as well, by the run that it begins with. */
    lockRuns:
      `select ${selected(runColumns, "r")} from ${runs} r where r.id = any($1::text[] || ` +
      `array(select w.lineage_id from ${runs} w where w.id = any($2::text[]))) order by r.id for update`,
  };
}

/** Of threads that are locked: what belongs to them needs no lock of its own. */
function threadTexts({ threads, runs, checkpoints, origins }: SchemaNames) {
  return {
    activeRuns:
      `select ${selected(runColumns, "r")} from ${runs} r ` +
      `where r.id in (select active_run_id from ${threads} where id = any($1::text[]))`,
    queues:
      `select r.* from unnest($1::text[]) as w (id) cross join lateral (` +
      `select ${selected(runColumns, "r")} from ${runs} r where r.thread_id = w.id and r.queue_position is not null ` +
      `and r.steers is null order by r.queue_position limit $2::bigint) r`,
    waitingRuns:
      `select ${selected(runColumns, "r")} from ${runs} r ` +
      `where r.thread_id = any($1::text[]) and r.queue_position is not null order by r.queue_position`,
    waitingRunsIfSuperseding:
      `select ${selected(runColumns, "r")} from ${threads} t join ${runs} r on r.thread_id = t.id ` +
      `where t.id = any($1::text[]) and t.when_busy in ('interrupt', 'rollback') and r.queue_position is not null ` +
      `order by r.queue_position`,
    steeredRuns:
      `select ${selected(runColumns, "r")} from ${runs} r ` +
      `where r.thread_id = any($1::text[]) and r.queue_position is not null and r.steers is not null`,
    unsettledRuns:
      `select ${selected(runColumns, "r")} from ${runs} r ` +
      `where r.thread_id = any($1::text[]) and r.status in ('pending', 'running')`,
    heads:
      `select ${selected(checkpointHeadColumns, "c")}, coalesce(octet_length(c.body), 0) as "bodyBytes" ` +
      `from ${checkpoints} c where c.id in (select head_checkpoint_id from ${threads} where id = any($1::text[]))`,
    named:
      `select ${selected(checkpointHeadColumns, "c")}, coalesce(octet_length(c.body), 0) as "bodyBytes" ` +
      `from ${checkpoints} c where c.id = any($1::text[])`,
    origins:
      `select ${selected(originColumns, "o")} from ${origins} o ` +
      `where o.thread_id = any($1::text[]) or o.owner_id = any($1::text[])`,
    links:
      `select c.id, c.parent_id as "parentId", c.thread_id as "threadId" from ${checkpoints} c ` +
      `where c.thread_id = any($1::text[])`,
    linksIfCopied:
      `select c.id, c.parent_id as "parentId", c.thread_id as "threadId" from ${checkpoints} c ` +
      `where c.thread_id = any($1::text[]) and c.thread_id in (select owner_id from ${origins} where owner_id = any($1::text[]))`,
  };
}

function rememberedTexts(names: SchemaNames) {
  const { keys, runs, memos, questions, tombstones } = names;
  return {
    tombstones: `select ${selected(tombstoneColumns, "t")} from ${tombstones} t where t.thread_id = any($1::text[])`,
    memos:
      `select ${selected(memoColumns, "m")} from ${wantedMemos} ` +
      `join ${memos} m on m.lineage_id = w.lineage_id and m.kind = w.kind and m.key = w.key`,
    /** Runs that memos of kind `child` name: only to be told of. */
    runsOfMemos:
      `select ${selected(runColumns, "r")} from ${wantedMemos} ` +
      `join ${memos} m on m.lineage_id = w.lineage_id and m.kind = w.kind and m.key = w.key and m.kind = 'child' ` +
      `join ${runs} r on r.id = (m.body::json #>> '{}')`,
    questions: `select ${selected(questionColumns, "q")} from ${questions} q where ${ofLineages(names)}`,
    /** Those that asked and those that were answered: their lineage is locked by its thread, or by the run that asked. */
    runsOfQuestions:
      `select ${selected(runColumns, "r")} from ${runs} r where r.id in (` +
      `select unnest(array[q.run_id, q.answered_run_id]) from ${questions} q where ${ofLineages(names)})`,
    keys: `select ${selected(keyColumns, "k")} from ${wantedKeys} join ${keys} k on ${sameKey}`,
    runsOfKeys:
      `select ${selected(runColumns, "r")} from ${wantedKeys} join ${keys} k on ${sameKey} ` +
      `join ${runs} r on r.id = k.run_id`,
  };
}

function claimTexts({ threads, runs }: SchemaNames) {
  // Its conditions are those of the index heddle_runs_claim. $1 agents, $2 limit, $3 ids to leave out, $4 the time.
  const claimable =
    `from ${runs} r where r.status = 'pending' and r.active = 1 ` +
    `and r.available_at <= coalesce($4::bigint, ${serverTime}) and r.agent = any($1::text[]) and r.id <> all($3::text[]) ` +
    `order by r.priority desc, r.available_at, r.created_at, r.id limit $2::bigint`;
  return {
    /** Runs to claim, each with its thread, both locked: whatever somebody else holds is left out. */
    claim:
      `with candidate as materialized (select r.* ${claimable} for update skip locked), ` +
      `locked as materialized (select * from ${threads} ` +
      `where id in (select thread_id from candidate) order by id for update skip locked) ` +
      `select ${selected(runColumns, "c")}, ${selected(threadColumns, "l", threadPrefix)} ` +
      `from candidate c left join locked l on l.id = c.thread_id where c.thread_id is null or l.id is not null`,
    /** What waits for a claim, only to be compared with. */
    peek: `select ${selected(runColumns, "r")} ${claimable}`,
    /** Fails where anything does. */
    isIdle: ensured(`not exists (select 1 ${claimable})`),
  };
}
