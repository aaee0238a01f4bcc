/**
 * A long conversation costs what it says: each turn the same bytes and the same time, however long the thread is, and
 * every checkpoint of it can be read back for about the price of parsing it.
 */

import { statSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint, Engine, ThreadHandle } from "@heddle/core";
import { createEngine, defineAgent } from "@heddle/core";
import type { SqliteHost } from "@heddle/storage-sqlite";
import { sqliteStorage } from "@heddle/storage-sqlite";
import type BetterSqlite3 from "better-sqlite3";
import { expect, test } from "vitest";
import { z } from "zod";
import { startProgress } from "./support/progress.js";
import { minutes, size, sized } from "./support/size.js";
import { median, printTable } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";

const turns = sized({ quick: 600, full: 5_000 });
const window = 100;
const settled = 50;
/** Times are noisy: so many young threads are compared with the old one. */
const comparisons = sized({ quick: 2, full: 7 });

const promise = {
  /** Bytes per turn, of any hundred turns against their mean. */
  bytesSpread: 0.2,
  /** Against the JSON of the values. */
  checkpointRows: 1.5,
  wholeFile: 5,
  /** Against `JSON.parse`, plus so many ms. */
  read: { factor: 5, plus: 0.5 },
  /** A hundred turns of the old thread against the turns 50 to 150 of a young one. */
  turnTime: 1.2,
};

const Message = z.object({ id: z.string(), role: z.enum(["user", "assistant"]), text: z.string() });

/** Two messages of 0.2 and 0.8 KB per turn. */
const chat = defineAgent({
  name: "chat",
  input: z.string(),
  values: z.object({ title: z.string().default("A long conversation"), messages: z.array(Message).default([]) }),
  output: z.string(),
  run({ input, values }) {
    const count = values.messages.length;
    const question = { id: `m${count}`, role: "user" as const, text: input };
    const reply = { id: `m${count + 1}`, role: "assistant" as const, text: text(count + 1, 800) };
    return { output: `m${count + 1}`, values: { messages: [...values.messages, question, reply] } };
  },
});

/** As models write: lines, lists and quotation marks. With the JSON around it `length` bytes. */
function text(seed: number, length: number): string {
  const words = `Item ${seed}: the "heddle" is the part of a loom that holds each thread.\n- It lets one pass at a time.\n`;
  return words.repeat(Math.ceil(length / words.length)).slice(0, length - 70);
}

type SqliteEngine = Engine<SqliteHost>;

interface Conversation {
  readonly path: string;
  readonly threadId: string;
  /** Size of the database after turns 50, 150, 250, … */
  readonly sizes: readonly number[];
  readonly checkpoints: readonly Checkpoint[];
}

test(`a thread of ${turns} turns`, { timeout: 20 * minutes }, async () => {
  const progress = startProgress("thread growth", turns);
  const path = join(tempDir(), "runs.db");
  const conversation = await converse(path, (turn) => progress.at(turn));
  checkBytes(conversation);
  await checkRoom(conversation);
  await checkReads(conversation);
  await checkTimes(conversation);
});

async function converse(path: string, onTurn: (turn: number) => void): Promise<Conversation> {
  await using engine = await open(path);
  const thread = await engine.threads.create();
  const sizes: number[] = [];
  for (let turn = 1; turn <= turns; turn++) {
    await takeTurn(thread, turn);
    if (turn % window === settled) sizes.push(await sizeOf(engine));
    onTurn(turn);
  }
  const checkpoints = await historyOf(thread);
  const last = await sizeOf(engine);
  await engine.close();
  expect(statSync(path).size, "the file after its log was moved into it").toBe(last);
  return { path, threadId: thread.id, sizes, checkpoints };
}

/** ms */
async function takeTurn(thread: ThreadHandle, turn: number): Promise<number> {
  const startedAt = performance.now();
  const run = await thread.start(chat, text(turn, 200));
  await run.result();
  return performance.now() - startedAt;
}

async function open(path: string): Promise<SqliteEngine> {
  const engine = createEngine({ storage: sqliteStorage(path), agents: [chat] });
  await engine.start();
  return engine;
}

/** What the file's size is once the log was moved into it. */
function sizeOf(engine: SqliteEngine): Promise<number> {
  return engine.transaction(async ({ host: { database } }) => {
    const pragma = (name: string) => Number(database.pragma(name, { simple: true }));
    return pragma("page_count") * pragma("page_size");
  });
}

/** Oldest first. */
async function historyOf(thread: ThreadHandle): Promise<readonly Checkpoint[]> {
  const history: Checkpoint[] = [];
  for (let before: string | undefined; ; before = history.at(-1)?.id) {
    const page = await thread.history({ limit: 100, ...(before && { before }) });
    if (page.length === 0) return history.reverse();
    history.push(...page);
  }
}

function checkBytes({ sizes }: Conversation): void {
  const perTurn = sizes.slice(1).map((after, index) => (after - (sizes[index] ?? 0)) / window);
  const mean = perTurn.reduce((sum, bytes) => sum + bytes, 0) / perTurn.length;
  const [least, most] = [Math.min(...perTurn), Math.max(...perTurn)];
  printTable("bytes per turn, means over 100 turns", [
    [`turns ${settled} to ${settled + window}`, perTurn[0] ?? 0],
    [`turns ${turns - settled - window} to ${turns - settled}`, perTurn.at(-1) ?? 0],
    ["least", least],
    ["most", most],
    ["mean", mean],
  ]);
  expect(most / mean - 1, "the dearest hundred turns, above the mean").toBeLessThanOrEqual(promise.bytesSpread);
  expect(1 - least / mean, "the cheapest hundred turns, below the mean").toBeLessThanOrEqual(promise.bytesSpread);
}

async function checkRoom({ path, threadId }: Conversation): Promise<void> {
  await using engine = await open(path);
  const thread = await engine.threads.get(threadId);
  const state = Buffer.byteLength(JSON.stringify(await thread.values()));
  const rows = await engine.transaction(async ({ host: { database } }) => checkpointBytes(database));
  const file = await sizeOf(engine);
  printTable("room, against the live state", [
    ["live state, bytes", state],
    ["checkpoint rows, bytes", rows],
    ["checkpoint rows / state", rows / state],
    ["whole file, bytes", file],
    ["whole file / state", file / state],
  ]);
  expect(rows / state, "checkpoint rows / state").toBeLessThanOrEqual(promise.checkpointRows);
  expect(file / state, "whole file / state").toBeLessThanOrEqual(promise.wholeFile);
}

/** Every byte of every column. */
function checkpointBytes(database: BetterSqlite3.Database): number {
  const columns = database.pragma("table_info(heddle_checkpoints)") as readonly { readonly name: string }[];
  const bytes = columns.map(({ name }) => `coalesce(length(cast("${name}" as blob)), 0)`).join(" + ");
  return database.prepare(`select sum(${bytes}) from heddle_checkpoints`).pluck().get() as number;
}

/**
 * Cold: with an engine that has read nothing of the thread. Frozen: what comes back cannot be changed. Each read is
 * followed by a parse, so that whatever disturbs the machine disturbs both.
 */
async function checkReads({ path, threadId, checkpoints }: Conversation): Promise<void> {
  // The connection stays open meanwhile, as it does in a process that works.
  await using _other = await open(path);
  const rows: (readonly (string | number)[])[] = [["turn", "state, KB", "parse, ms", "read, ms", "allowed, ms"]];
  await readOnce(path, threadId, checkpoints.at(-1)?.id ?? "");
  for (let part = 1; part <= 20; part++) {
    const turn = Math.floor((part * checkpoints.length) / 20);
    const reads: number[] = [];
    const parses: number[] = [];
    let json = "";
    for (let count = 0; count < 9; count++) {
      await using engine = await open(path);
      const thread = await engine.threads.get(threadId);
      const startedAt = performance.now();
      const values = await thread.valuesAt(checkpoints[turn - 1]?.id ?? "");
      reads.push(performance.now() - startedAt);
      json = JSON.stringify(values);
      const parseAt = performance.now();
      JSON.parse(json);
      parses.push(performance.now() - parseAt);
      expect(isFrozen(values)).toBe(true);
      expect(values.messages).toHaveLength(2 * turn);
    }
    const allowed = promise.read.factor * median(parses) + promise.read.plus;
    rows.push([String(turn), json.length / 1_000, median(parses), median(reads), allowed]);
    if (size !== "quick") expect(median(reads), `reading checkpoint ${turn}, ms`).toBeLessThanOrEqual(allowed);
  }
  printTable("reading any checkpoint, cold", rows);
}

/** Compiles what is measured next. */
async function readOnce(path: string, threadId: string, checkpointId: string): Promise<void> {
  await using engine = await open(path);
  const thread = await engine.threads.get(threadId);
  for (let count = 0; count < 5; count++) await thread.valuesAt(checkpointId);
}

function isFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozen);
}

/**
 * A figure, not an assertion: what else the machine does must not fail a change. `npm run bench` has it too.
 *
 * Turn by turn, one of the old thread and one of a young thread: what disturbs the machine disturbs both, and both run
 * code that is compiled.
 */
async function checkTimes({ path, threadId }: Conversation): Promise<void> {
  await using engine = await open(path);
  const old = await engine.threads.get(threadId);
  const rows: (readonly (string | number)[])[] = [["", "young, ms", "old, ms", "old / young"]];
  const ratios: number[] = [];
  for (let count = 1; count <= comparisons; count++) {
    const young = await engine.threads.create();
    for (let turn = 1; turn <= settled; turn++) await takeTurn(young, turn);
    const times = { young: [] as number[], old: [] as number[] };
    for (let turn = settled + 1; turn <= settled + window; turn++) {
      times.old.push(await takeTurn(old, turn));
      times.young.push(await takeTurn(young, turn));
    }
    ratios.push(median(times.old) / median(times.young));
    rows.push([`comparison ${count}`, median(times.young), median(times.old), ratios.at(-1) ?? 0]);
  }
  printTable(`time of a turn, ${turns} turns old against ${settled} to ${settled + window} turns old`, [
    ...rows,
    [`median (at most ${promise.turnTime} on a quiet machine)`, "", "", median(ratios)],
  ]);
}
