/** Load, faults, rest, verdict. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { History, Violation } from "@heddle/core/testing";
import { checkHistory, HistoryFile, manualClock, readEntries, readFinalState } from "@heddle/core/testing";
import { spawnProgram } from "../proofs/support/program.js";
import type { ChaosDatabase, Trouble } from "./database.js";
import { startDatabase } from "./database.js";
import type { ChaosOptions } from "./options.js";
import { lanesPerClient } from "./options.js";
import type { ClientCommand, ClientTold } from "./programs/client.js";
import { openStorage, type Setting } from "./programs/set-up.js";
import type { WorkerCommand, WorkerTold } from "./programs/worker.js";
import { Seat, type SeatState } from "./seat.js";

export type Phase = "load" | "settling" | "rest" | "checking";

/** What a watcher sees. */
export interface View {
  readonly phase: Phase;
  readonly accepted: number;
  readonly settled: number;
  readonly workers: readonly { readonly state: SeatState; readonly attempts: number }[];
  readonly clients: readonly { readonly state: SeatState; readonly open: number }[];
  /** How often each trouble befell, and how long it took in all, ms. */
  readonly troubles: ReadonlyMap<string, { readonly count: number; readonly ms: number }>;
}

export interface ChaosResult {
  readonly history: History;
  readonly violations: readonly Violation[];
  readonly troubles: View["troubles"];
  /** ms of each phase. */
  readonly times: Readonly<Record<Phase, number>>;
  /** Trouble that could not be made here. */
  readonly without?: string;
}

/** A waiter hears at the latest at a poll; on PostgreSQL with LISTEN one comes every 6 s. */
const rest = 8_000;
/** What was accepted is settled so long after the last fault, at the latest. */
const patience = 180_000;

/** @param folder an empty one: it gets the database, where that is a file, and what all processes write down */
export async function runChaos(
  options: ChaosOptions,
  folder: string,
  watch: (view: () => View) => () => void,
): Promise<ChaosResult> {
  const database = await startDatabase(options, folder);
  const chaos = new Chaos(options, folder, database);
  const unwatch = watch(() => chaos.view());
  try {
    const result = await chaos.run();
    if (result.violations.length > 0) keep(folder, result, database);
    return result;
  } finally {
    unwatch();
    await chaos.end();
    await database.stop();
  }
}

function keep(folder: string, { history, violations }: ChaosResult, database: ChaosDatabase): void {
  writeFileSync(join(folder, "history.json"), JSON.stringify(history));
  writeFileSync(join(folder, "violations.json"), JSON.stringify(violations, null, 2));
  database.keep(folder);
}

interface Target {
  readonly state: SeatState;
  kill(): void;
}

function anyOf<S extends { readonly state: SeatState }>(seats: readonly S[]): S | undefined {
  const up = seats.filter(({ state }) => state === "up");
  return up[Math.floor(Math.random() * up.length)];
}

class Chaos {
  readonly #options: ChaosOptions;
  readonly #setting: Setting;
  readonly #database: ChaosDatabase;
  readonly #recorder: HistoryFile;
  readonly #workers: Seat<WorkerTold, WorkerCommand>[];
  readonly #clients: Seat<ClientTold, ClientCommand>[];
  /** By process, as those that died take theirs along. */
  readonly #counts = new Map<string, { accepted: number; settled: number }>();
  readonly #attempts = new Map<string, number>();
  readonly #open = new Map<string, number>();
  /** The last step of each lane. */
  readonly #steps: number[] = [];
  readonly #finished = new Set<string>();
  readonly #filled = new Set<string>();
  readonly #troubles = new Map<string, { count: number; ms: number }>();
  readonly #faults: string[] = [];
  readonly #times: Record<Phase, number> = { load: 0, settling: 0, rest: 0, checking: 0 };
  #phase: Phase = "load";
  #phaseFrom = performance.now();

  constructor(options: ChaosOptions, folder: string, database: ChaosDatabase) {
    const histories = join(folder, "history");
    mkdirSync(histories);
    this.#options = options;
    this.#database = database;
    this.#setting = { ...options, database: database.address, folder: histories };
    this.#recorder = new HistoryFile(join(histories, "chaos.jsonl"));
    this.#workers = Array.from({ length: options.workers }, (_, index) => this.#worker(`worker${index}`));
    this.#clients = Array.from({ length: options.clients }, (_, index) => this.#client(`client${index}`, index));
  }

  view(): View {
    const sum = (of: "accepted" | "settled"): number =>
      [...this.#counts.values()].reduce((total, counts) => total + counts[of], 0);
    return {
      phase: this.#phase,
      accepted: sum("accepted"),
      settled: sum("settled"),
      workers: this.#workers.map(({ name, state }) => ({ state, attempts: this.#attempts.get(name) ?? 0 })),
      clients: this.#clients.map(({ name, state }) => ({ state, open: this.#open.get(name) ?? 0 })),
      troubles: this.#troubles,
    };
  }

  async run(): Promise<ChaosResult> {
    await this.#load();
    this.#enter("settling");
    await this.#settle();
    this.#enter("rest");
    await this.#rest();
    this.#enter("checking");
    const history = await this.#history();
    const violations = checkHistory(history);
    this.#enter("checking");
    const { without } = this.#database;
    return { history, violations, troubles: this.#troubles, times: this.#times, ...(without && { without }) };
  }

  async end(): Promise<void> {
    await Promise.all([...this.#workers, ...this.#clients].map((seat) => seat.retire()));
    this.#recorder.close();
  }

  #worker(name: string): Seat<WorkerTold, WorkerCommand> {
    return new Seat<WorkerTold, WorkerCommand>({
      name,
      start: (process) => spawnProgram("chaos/programs/worker", [JSON.stringify(this.#setting), process]),
      recorder: this.#recorder,
      onTold: (told) => {
        if (told.type === "ready") this.#attempts.set(name, 0);
        if (told.type === "at_work") this.#attempts.set(name, told.attempts);
        if (told.type === "filled") this.#filled.add(name);
      },
      onSurprise: (what) => this.#surprise(what),
    });
  }

  #client(name: string, index: number): Seat<ClientTold, ClientCommand> {
    let process = "";
    const lanes = Array.from({ length: lanesPerClient }, (_, lane) => index * lanesPerClient + lane);
    return new Seat<ClientTold, ClientCommand>({
      name,
      start: (next) => {
        process = next;
        this.#finished.delete(name);
        const steps = lanes.map((lane) => String(this.#steps[lane] ?? -1));
        return spawnProgram("chaos/programs/client", [JSON.stringify(this.#setting), process, ...steps]);
      },
      recorder: this.#recorder,
      onTold: (told) => {
        if (told.type === "step") this.#steps[told.lane] = told.step;
        if (told.type === "finished") this.#finished.add(name);
        if (told.type !== "counts") return;
        this.#counts.set(process, told);
        this.#open.set(name, told.open);
      },
      onSurprise: (what) => this.#surprise(what),
    });
  }

  /** An agent that takes its process along is part of the load: that is a SIGKILL. Nothing else ends a process. */
  #surprise(what: string): void {
    this.#faults.push(what);
  }

  #enter(phase: Phase): void {
    const now = performance.now();
    this.#times[this.#phase] += now - this.#phaseFrom;
    [this.#phase, this.#phaseFrom] = [phase, now];
  }

  get #isFinished(): boolean {
    return this.#finished.size === this.#clients.length;
  }

  async #load(): Promise<void> {
    await this.#whenUp(60_000);
    const over = new AbortController();
    const troubles = this.#allTroubles();
    const made = troubles.map((trouble) => this.#make(trouble, over.signal));
    const until = performance.now() + this.#options.minutes * 60_000;
    while (this.view().accepted < this.#options.runs && performance.now() < until) await sleep(50);
    await this.#within(60_000, "each trouble befell", () => troubles.every(({ kind }) => this.#troubles.has(kind)));
    over.abort();
    await Promise.all(made);
    // What waited in the queues takes processes along still.
    await this.#whenUp(patience);
    for (const client of this.#clients) client.send({ type: "finish" });
    this.#recorder.note({ type: "faults_over" });
  }

  #allTroubles(): Trouble[] {
    const { lease, minutes } = this.#options;
    // A short one, too, sees each a few times.
    const atLeastEvery = (minutes * 60_000) / 3;
    const kill = async (seats: readonly Target[]): Promise<number | undefined> => {
      const seat = anyOf(seats);
      seat?.kill();
      return seat && 0;
    };
    const troubles: Trouble[] = [
      { kind: "kill a worker", every: 3_000, act: () => kill(this.#workers) },
      { kind: "kill a client", every: 15_000, act: () => kill(this.#clients) },
      {
        kind: "stop a worker past its lease",
        every: 4_000,
        act: async () => {
          const ms = lease + 200 + Math.random() * 2_000;
          const seat = anyOf(this.#workers);
          await seat?.stop(ms);
          return seat && ms;
        },
      },
      {
        kind: "close a worker",
        every: 10_000,
        act: async () => {
          const from = performance.now();
          const seat = anyOf(this.#workers);
          await seat?.close({ type: "close" });
          return seat && performance.now() - from;
        },
      },
      ...this.#database.troubles.map((trouble) => ({
        ...trouble,
        act: () => {
          this.#recorder.note({ type: "fault", kind: trouble.kind, worker: "", port: "", ms: 0 });
          return trouble.act();
        },
      })),
    ];
    return troubles.map((trouble) => ({ ...trouble, every: Math.min(trouble.every, atLeastEvery) }));
  }

  /** Over and over, in the given rhythm. */
  async #make({ kind, every, act }: Trouble, over: AbortSignal): Promise<void> {
    let took = 0;
    while (!over.aborted) {
      const pause = Math.max(every - took, 100);
      await sleep(pause, undefined, { signal: over }).catch(() => {});
      if (over.aborted) return;
      const from = performance.now();
      const ms = await act();
      took = performance.now() - from;
      if (ms === undefined) continue;
      const before = this.#troubles.get(kind) ?? { count: 0, ms: 0 };
      this.#troubles.set(kind, { count: before.count + 1, ms: before.ms + ms });
    }
  }

  async #whenUp(ms: number): Promise<void> {
    const seats = [...this.#workers, ...this.#clients];
    await this.#within(ms, "all processes are up", () => seats.every(({ state }) => state === "up"));
  }

  /** Every run that was accepted, and everybody who waits for one. */
  async #settle(): Promise<void> {
    await this.#within(patience, "all clients have taken their steps", () => this.#isFinished);
    const storage = openStorage(this.#setting);
    await storage.open({ clock: manualClock() });
    const unsettled = () => storage.runs.count({ status: ["pending", "running"] });
    await this.#within(patience, "all runs are settled", async () => (await unsettled()) === 0);
    await storage.close();
  }

  async #rest(): Promise<void> {
    await sleep(rest);
    this.#recorder.note({ type: "at_rest" });
    for (const worker of this.#workers) worker.send({ type: "fill_slots" });
    await this.#within(30_000, "all slots can be filled", () => this.#filled.size === this.#workers.length);
    for (const client of this.#clients) client.send({ type: "stop_readers" });
    await this.#within(10_000, "no call is open", () => [...this.#open.values()].every((open) => open === 0));
  }

  /** While the processes live: what they still do would show. */
  async #history(): Promise<History> {
    const final = await readFinalState({ storage: openStorage(this.#setting), faults: this.#faults });
    return { entries: readEntries(this.#setting.folder), final };
  }

  /** What does not come true is a fault. */
  async #within(ms: number, what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
    const until = performance.now() + ms;
    while (!(await isTrue())) {
      if (performance.now() > until) {
        this.#faults.push(`after ${Math.round(ms / 1_000)} s it is not true that ${what}`);
        return;
      }
      await sleep(100);
    }
  }
}
