/**
 * A process that is killed, wherever it is, loses nothing that it acknowledged: every accepted run is settled in the
 * end, once, and what was committed reads back whole.
 */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Checkpoint, Engine, Run } from "@heddle/core";
import { createEngine } from "@heddle/core";
import type { StorageSnapshot } from "@heddle/core/testing";
import { sqliteStorage } from "@heddle/storage-sqlite";
import { expect, test } from "vitest";
import type { Aim, Phase } from "./programs/aim.js";
import { phases, places } from "./programs/aim.js";
import type { Ledger, Order } from "./programs/load.js";
import { answerTo, sealOf } from "./programs/load.js";
import type { LoadedCommand, LoadedTold } from "./programs/loaded.js";
import { inspect, inspectWithSql } from "./support/inspect.js";
import type { Program } from "./support/program.js";
import { startProgram } from "./support/program.js";
import { startProgress } from "./support/progress.js";
import { minutes, seconds, sized } from "./support/size.js";
import { countBy, median, printTable, quantile } from "./support/table.js";
import { tempDir } from "./support/temp-dir.js";
import { within } from "./support/within.js";

const kills = sized({ quick: 4, full: 100, long: 200 });
const leastPerPhase = sized({ quick: 1, full: 10, long: 20 });
const threadCount = 12;
/** All invariants are checked, and what is settled compared with the time before, after every so many kills. */
const inspectEvery = sized({ quick: 2, full: 20 });

type Loaded = Program<LoadedTold, LoadedCommand>;

interface Accepted {
  readonly threadId: string | null;
  readonly order: Order;
}

/** What the proof knows without asking the database. */
class Journal {
  /** Every run whose id a starter was given. */
  readonly accepted = new Map<string, Accepted>();
  /** How often each run was running when its process died. */
  readonly crashes = new Map<string, number>();
  readonly recoveries: number[] = [];
  readonly hits: { readonly phase: Phase; readonly where: string }[] = [];
  /** What the processes met with that they should not have. */
  readonly troubles: string[] = [];
  inherited = 0;

  follow(program: Loaded): void {
    program.on((message) => {
      if (message.type === "accepted") this.accepted.set(message.runId, message);
      if (message.type === "inherited") this.#countCrashes(message.running);
      if (message.type === "trouble") this.troubles.push(message.message);
    });
  }

  #countCrashes(running: readonly string[]): void {
    this.inherited += running.length;
    for (const id of running) this.crashes.set(id, (this.crashes.get(id) ?? 0) + 1);
  }
}

test(`${kills} kills of a loaded process: nothing is lost, stuck, doubled or torn`, {
  timeout: 25 * minutes,
}, async () => {
  const path = join(tempDir(), "runs.db");
  const threads = await createThreads(path);
  const journal = new Journal();
  const progress = startProgress("kill anywhere", kills);

  let seen: StorageSnapshot | undefined;
  let next = standBy(path, journal);
  for (let round = 1; round <= kills; round++) {
    const program = await next;
    next = standBy(path, journal);
    await recover(program, { round, threads, journal });
    program.send({ type: "load", aim: aimOf(round) });
    await hit(program, aimOf(round), journal);
    expect(journal.troubles).toEqual([]);
    if (round % inspectEvery === 0) seen = await inspect(path, seen);
    progress.at(round, phaseCounts(journal));
  }
  await drain(await next, { round: kills + 1, threads, journal });

  expect(journal.troubles).toEqual([]);
  await inspect(path, seen);
  inspectWithSql(path);
  await using engine = createEngine({ storage: sqliteStorage(path) });
  await engine.start();
  const runs = await checkRuns(engine, journal);
  const checkpoints = await checkLedgers(engine, threads, runs);
  report(journal, runs, checkpoints);
  for (const phase of phases) {
    const count = journal.hits.filter((one) => one.phase === phase).length;
    expect(count, `kills in ${phase}`).toBeGreaterThanOrEqual(leastPerPhase);
  }
});

async function createThreads(path: string): Promise<readonly string[]> {
  await using engine = createEngine({ storage: sqliteStorage(path) });
  await engine.start();
  const threads = await Promise.all(Array.from({ length: threadCount }, () => engine.threads.create()));
  return threads.map(({ id }) => id);
}

/** Each phase in each place in turn; how deep in, by chance. */
function aimOf(round: number): Aim {
  const phase = phases[round % phases.length] ?? "accept";
  const place = places[(round + Math.floor(round / phases.length)) % places.length] ?? "inside";
  return { phase, place, skip: Math.floor(12 * Math.random()), statement: Math.floor(24 * Math.random()) };
}

/** Started ahead, so that loading the program does not count as recovery. */
async function standBy(path: string, journal: Journal): Promise<Loaded> {
  const program: Loaded = startProgram("loaded", [path]);
  journal.follow(program);
  await program.next("ready");
  return program;
}

interface Recovery {
  readonly round: number;
  readonly threads: readonly string[];
  readonly journal: Journal;
}

async function recover(program: Loaded, { round, threads, journal }: Recovery): Promise<void> {
  const recovered = program.next("recovered");
  program.send({ type: "open", round, threads });
  const { ms } = await within(10 * seconds, recovered, "runs of the killed process are stuck");
  expect(ms, "ms until every thread was free or its run ran again").toBeLessThanOrEqual(1_000);
  journal.recoveries.push(ms);
}

/** The process dies: by its own hand at the exact place, or by ours when it has come near. */
async function hit(program: Loaded, aim: Aim, journal: Journal): Promise<void> {
  let open = false;
  let where: string | undefined;
  program.on((message) => {
    if (message.type === "transaction") open = message.open;
    if (message.type === "dying") where = message.where;
  });
  if (aim.place === "around") {
    await within(20 * seconds, program.next("in_reach"), `${aim.phase} was not reached`);
    await sleep(4 * Math.random());
    program.signal("SIGKILL");
  }
  await within(20 * seconds, program.gone, `${aim.phase} was not reached`);
  expect(program.ended).toBe("SIGKILL");
  where ??= open ? "at random, in a transaction" : "at random, between transactions";
  journal.hits.push({ phase: aim.phase, where });
}

async function drain(program: Loaded, recovery: Recovery): Promise<void> {
  await recover(program, recovery);
  const drained = program.next("drained");
  program.send({ type: "calm" });
  await within(60 * seconds, drained, "accepted runs are not settled");
  await program.gone;
  expect(program.ended).toBe("0");
}

/** Every acknowledged run is there, settled as its order and the retry policy want it. */
async function checkRuns(engine: Engine, { accepted, crashes }: Journal): Promise<ReadonlyMap<string, Run>> {
  const runs = new Map((await allRuns(engine)).map((run) => [run.id, run]));
  for (const [id, { threadId, order }] of accepted) {
    const run = runs.get(id);
    if (run === undefined) throw new Error(`run ${id} was acknowledged and is lost`);
    expect(run.threadId ?? null).toBe(threadId);
    expect({ id, crashes: run.crashes }).toEqual({ id, crashes: crashes.get(id) ?? 0 });
    checkPolicy(run, order);
  }
  for (const run of runs.values()) expect(["succeeded", "failed"], `run ${run.id}`).toContain(run.status);
  return runs;
}

async function allRuns(engine: Engine): Promise<Run[]> {
  const runs: Run[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await engine.runs.list({ limit: 100, order: "asc", ...(cursor && { cursor }) });
    runs.push(...page.items);
    cursor = page.nextCursor;
    if (cursor === undefined) return runs;
  }
}

function checkPolicy(run: Run, order: Order): void {
  const { status, attempt, failures, crashes } = run;
  const about = `run ${run.id}: ${JSON.stringify({ status, attempt, failures, crashes, order })}`;
  if (run.status === "succeeded") {
    expect(run.output, about).toBe(answerTo(order));
    expect(attempt, about).toBe(failures + crashes + 1);
    expect(attempt, about).toBeGreaterThan(order.failUntil);
    expect(failures, about).toBeLessThan(order.maxFailures);
    expect(crashes, about).toBeLessThan(order.maxCrashes);
    return;
  }
  if (run.status !== "failed") throw new Error(about);
  expect(attempt, about).toBe(failures + crashes);
  if (run.error.code === "CRASH_LIMIT") expect(crashes, about).toBe(order.maxCrashes);
  else expect(failures, about).toBe(order.maxFailures);
}

/**
 * Reads every checkpoint of every thread: each carries the seal that its agent put on it, the ledger of each settled run
 * goes on from the one before, and in the end each ledger names exactly the orders that succeeded in its thread.
 */
async function checkLedgers(
  engine: Engine,
  threads: readonly string[],
  runs: ReadonlyMap<string, Run>,
): Promise<number> {
  let count = 0;
  for (const threadId of threads) {
    const expected: string[] = [];
    for (const checkpoint of await historyOf(engine, threadId)) {
      const ledger = await ledgerAt(engine, threadId, checkpoint.id);
      const run = checkpoint.runId === undefined ? undefined : runs.get(checkpoint.runId);
      if (checkpoint.kind === "final" && run?.status === "succeeded") expected.push(orderOf(run));
      expect(ledger.entries, `thread ${threadId}, checkpoint ${checkpoint.id}`).toEqual(expected);
      if (checkpoint.kind === "mid")
        expect(ledger.draft).toMatchObject({ attempt: checkpoint.attempt, id: run && orderOf(run) });
      count++;
    }
    const succeeded = [...runs.values()].filter((run) => run.threadId === threadId && run.status === "succeeded");
    expect([...expected].sort()).toEqual(succeeded.map(orderOf).sort());
  }
  return count;
}

function orderOf(run: Run): string {
  return (run.input as { readonly id: string }).id;
}

/** Oldest first. */
async function historyOf(engine: Engine, threadId: string): Promise<Checkpoint[]> {
  const thread = await engine.threads.get(threadId);
  const history: Checkpoint[] = [];
  for (let before: string | undefined; ; before = history.at(-1)?.id) {
    const page = await thread.history({ limit: 100, ...(before && { before }) });
    if (page.length === 0) return history.reverse();
    history.push(...page);
  }
}

async function ledgerAt(engine: Engine, threadId: string, checkpointId: string): Promise<Ledger> {
  const thread = await engine.threads.get(threadId);
  const values = (await thread.valuesAt(checkpointId)) as Partial<Ledger>;
  const { turns = 0, entries = [], draft = null, seal } = values;
  if (Object.keys(values).length > 0)
    expect(seal, `seal of checkpoint ${checkpointId}`).toBe(sealOf({ turns, entries, draft }));
  expect(entries).toHaveLength(turns);
  return { turns, entries, draft, seal: seal ?? "" };
}

function phaseCounts({ hits }: Journal): string {
  const counts = countBy(hits, ({ phase }) => phase);
  return phases.map((phase) => `${phase} ${counts[phase] ?? 0}`).join(", ");
}

function report(journal: Journal, runs: ReadonlyMap<string, Run>, checkpoints: number): void {
  const statuses = countBy(runs.values(), (run) =>
    run.status === "failed" ? `failed, ${run.error.code}` : run.status,
  );
  const crashed = [...runs.values()].filter((run) => run.crashes > 0).length;
  printTable("kill anywhere", [
    ["kills (SIGKILL)", journal.hits.length],
    ...Object.entries(countBy(journal.hits, ({ phase, where }) => `  ${phase}: ${where}`)).sort(),
    ["runs acknowledged", journal.accepted.size],
    ["runs settled", runs.size],
    ...Object.entries(statuses)
      .sort()
      .map(([status, count]) => [`  ${status}`, count]),
    ["runs that were running when their process died", journal.inherited],
    ["runs that crashed at least once", crashed],
    ["lost, stuck, settled twice", 0],
    ["checkpoints read back whole", checkpoints],
    ["threads free or running again, median, ms", median(journal.recoveries)],
    ["threads free or running again, slowest, ms", quantile(journal.recoveries, 1)],
  ]);
}
