/**
 * A run is canceled in the very moment in which it finishes. One of the two wins; afterwards nothing is written, though
 * the agent goes on trying, and the caller of cancel was told the truth.
 */

import { join } from "node:path";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Engine, RunFrame, RunHandle } from "@heddle/core";
import { createEngine, defineAgent, memoryStorage } from "@heddle/core";
import type { IntentOf, Storage } from "@heddle/core/storage";
import { checkInvariants } from "@heddle/core/testing";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { expect, test } from "vitest";
import type { CancelerCommand, CancelerTold } from "./programs/canceler.js";
import { inspect, inspectWithSql } from "./support/inspect.js";
import { startProgram } from "./support/program.js";
import { startProgress } from "./support/progress.js";
import { minutes, sized } from "./support/size.js";
import { printTable } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";

const races = sized({ quick: 300, full: 5_000, long: 10_000 });
const racesBetweenProcesses = sized({ quick: 60, full: 1_000 });
const atOnce = 16;
/** Of the races each outcome must have at least this share: else they were no races. */
const leastShare = 0.05;

interface Pace {
  /** Turns of the loop that the agent takes. */
  readonly turns: number;
  /** ms that it takes besides. */
  readonly wait: number;
}

let lateWrites = 0;

/** Ignores its signal, and goes on writing behind its own end. */
const racer = defineAgent({
  name: "racer",
  async run({ input, emit }) {
    const { turns, wait } = input as unknown as Pace;
    if (wait > 0) await sleep(wait);
    for (let turn = 0; turn < turns; turn++) await nextTurn();
    void emit("note", { from: "the agent" }).catch(() => {});
    void writeOn();
    return { output: "done", values: { last: "done" } };

    async function writeOn(): Promise<void> {
      for (let turn = 0; turn < 3; turn++) {
        await nextTurn();
        await emit("late", turn).catch(() => lateWrites++);
      }
    }
  },
});

type Outcome = "succeeded" | "canceled";
type Counts = Record<Outcome, number>;

/** Keeps the race even, whatever the machine is like: who won last time starts later next time. */
class Handicap {
  #delay = 4;
  get turns(): number {
    return Math.max(0, Math.round(this.#delay * 2 * Math.random()));
  }
  note(outcome: Outcome): void {
    this.#delay = Math.max(0, this.#delay + (outcome === "canceled" ? 0.1 : -0.1));
  }
}

/**
 * Remembers the last word of every attempt, so that it can be said again: as by a worker that was away and does not know
 * that the run is over.
 */
class LastWords {
  readonly #words = new Map<string, IntentOf<"settle_run">>();
  readonly #storage: Storage;
  count = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  listen(): Storage {
    const { name, deltas, runs, threads, checkpoints, events, lineages, work } = this.#storage;
    return {
      ...{ name, deltas, runs, threads, checkpoints, events, lineages, work },
      open: (context) => this.#storage.open(context),
      close: () => this.#storage.close(),
      transaction: (body) => this.#storage.transaction(body),
      commit: (intents) => {
        for (const intent of intents) if (intent.kind === "settle_run") this.#words.set(intent.attempt.runId, intent);
        return this.#storage.commit(intents);
      },
    };
  }

  async repeat(runId: string): Promise<void> {
    const settle = this.#words.get(runId);
    if (settle === undefined) return;
    const { attempt, finalCheckpointId } = settle;
    const events = [{ type: "late", payload: "null" }];
    const results = await this.#storage.commit([
      { kind: "record_progress", attempt, events },
      { ...settle, finalCheckpointId: `${finalCheckpointId}-again` },
      { kind: "release_run", attempt, why: "retry", events, delay: 0, finalCheckpointId: `${finalCheckpointId}-back` },
    ]);
    for (const result of results) {
      expect(result).toMatchObject({ ok: false, error: { code: "LEASE_LOST" } });
      this.count++;
    }
  }
}

test(`memory: ${races} races`, { timeout: 10 * minutes }, async () => {
  const storage = memoryStorage();
  const lastWords = new LastWords(storage);
  await using engine = await open(lastWords.listen());
  const counts = await raceMany(engine, "memory", lastWords);
  await checkInvariants(storage);
  report("memory", counts, lastWords);
});

test(`SQLite: ${races} races`, { timeout: 10 * minutes }, async () => {
  const path = join(tempDir(), "runs.db");
  const lastWords = new LastWords(sqliteStorage(path) as Storage);
  await using engine = await open(lastWords.listen());
  const counts = await raceMany(engine, "SQLite", lastWords);
  await engine.close();
  await inspect(path);
  inspectWithSql(path);
  report("SQLite", counts, lastWords);
});

test(`SQLite, canceled by another process: ${racesBetweenProcesses} races`, { timeout: 10 * minutes }, async () => {
  const path = join(tempDir(), "runs.db");
  await using engine = await open(sqliteStorage(path));
  const canceler = startProgram<CancelerTold, CancelerCommand>("canceler", [path]);
  await canceler.next("ready");
  const counts: Counts = { succeeded: 0, canceled: 0 };
  const progress = startProgress("cancel against finish, two processes", racesBetweenProcesses);
  let lead = 0;
  for (let race = 1; race <= racesBetweenProcesses; race++) {
    const wait = 20 + 10 * Math.random();
    const run = await engine.runs.start(racer, { turns: 0, wait } satisfies Pace);
    const answer = canceler.next("canceled", ({ runId }) => runId === run.id);
    canceler.send({ type: "cancel", runId: run.id, wait: Math.max(0, wait - 1 - lead) });
    const { status } = await run.settled();
    expectTruth((await answer).outcome, status);
    counts[status as Outcome]++;
    lead += status === "canceled" ? -0.3 : 0.3;
    progress.at(race, shown(counts));
  }
  await canceler.kill();
  await engine.close();
  await inspect(path);
  inspectWithSql(path);
  report("SQLite, two processes", counts);
});

async function open(storage: Storage): Promise<Engine> {
  lateWrites = 0;
  const engine = createEngine({ storage, agents: [racer] }) as Engine;
  await engine.start();
  return engine;
}

/** Half of the races are stateless, half in threads. */
async function raceMany(engine: Engine, label: string, lastWords: LastWords): Promise<Counts> {
  const counts: Counts = { succeeded: 0, canceled: 0 };
  const progress = startProgress(`cancel against finish, ${label}`, races);
  const handicap = new Handicap();
  let started = 0;
  let done = 0;
  const lane = async (index: number): Promise<void> => {
    const thread = index % 2 === 0 ? await engine.threads.create() : engine.runs;
    while (started < races) {
      started++;
      const run = await thread.start(racer, { turns: Math.round(8 * Math.random()), wait: 0 });
      const outcome = await cancelAgainst(run, handicap.turns, lastWords);
      handicap.note(outcome);
      counts[outcome]++;
      progress.at(++done, shown(counts));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, (_, index) => lane(index)));
  return counts;
}

async function cancelAgainst(run: RunHandle, turns: number, lastWords: LastWords): Promise<Outcome> {
  for (let turn = 0; turn < turns; turn++) await nextTurn();
  const [{ outcome }, { status }] = await Promise.all([run.cancel(), run.settled()]);
  expectTruth(outcome, status);
  await lastWords.repeat(run.id);
  const frames: RunFrame[] = [];
  for await (const frame of run.events()) frames.push(frame);
  expectOneEnd(frames, status);
  expect((await run.info()).status, "the status afterwards").toBe(status);
  return status as Outcome;
}

/** `late` means that the run had settled before; anything else, that the cancel takes effect. */
function expectTruth(answer: string, status: string): void {
  expect(status, `cancel answered "${answer}"`).toBe(answer === "late" ? "succeeded" : "canceled");
}

function expectOneEnd(frames: readonly RunFrame[], status: string): void {
  const types = frames.flatMap((frame) => (frame.kind === "event" ? [frame.type] : []));
  const ends = types.filter((type) => /^run_(succeeded|failed|canceled|interrupted)$/.test(type));
  expect(ends).toEqual([`run_${status}`]);
  expect(types.at(-1), "the last event").toBe(`run_${status}`);
}

function shown({ succeeded, canceled }: Counts): string {
  return `finished ${succeeded}, canceled ${canceled}`;
}

function report(title: string, counts: Counts, lastWords?: LastWords): void {
  const total = counts.succeeded + counts.canceled;
  printTable(`cancel against finish, ${title}`, [
    ["races", total],
    ["finish won", counts.succeeded],
    ["cancel won", counts.canceled],
    ["writes of the agent behind the end, refused", lateWrites],
    ["writes of a worker that does not know, refused by the storage", lastWords?.count ?? 0],
  ]);
  for (const outcome of ["succeeded", "canceled"] as const) {
    expect(counts[outcome] / total, `share of ${outcome}`).toBeGreaterThanOrEqual(leastShare);
  }
}
