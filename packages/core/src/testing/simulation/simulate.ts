/**
 * One simulation, from a plan to a verdict: several engines, several clients and whatever goes wrong, in one thread and
 * virtual time. Afterwards the faults stop, and all that was accepted must come to its end.
 */

import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import { MemoryDatabase, MemoryStorage } from "../../adapters/memory-storage.js";
import { requireOptions } from "../../engine/check-input.js";
import type { Storage } from "../../ports/storage.js";
import { requireRecords } from "../check-arguments.js";
import type { StorageSnapshot } from "../check-invariants.js";
import { checkInvariants } from "../check-invariants.js";
import type { Caller } from "../history/call.js";
import { call } from "../history/call.js";
import type { Violation } from "../history/check-history.js";
import { checkHistory } from "../history/check-history.js";
import { Client } from "../history/client.js";
import { Dice } from "../history/dice.js";
import type { History } from "../history/history.js";
import { readFinalState } from "../history/read-final-state.js";
import { codeOf } from "../history/scripted-agent.js";
import { fillSlots } from "../history/slot-filler.js";
import { BadLuck } from "./bad-luck.js";
import type { ClientPlan, Plan } from "./plan.js";
import { MemoryRecorder } from "./recorder.js";
import { Scheduler } from "./scheduler.js";
import type { Life, SimulatedDatabase, World } from "./sim-worker.js";
import { SimWorker } from "./sim-worker.js";

export interface SimulationOptions {
  /**
   * What the workers share: a new, empty one. Default: a memory database. All that it connects is closed in the end. A
   * real one may take its time, but the same seed goes the same way only where it answers in the same order.
   */
  readonly database?: () => SimulatedDatabase;
}

export interface SimulationResult {
  readonly plan: Plan;
  readonly history: History;
  /** What was promised and not kept; empty: all is well. */
  readonly violations: readonly Violation[];
  /** Of the whole history: two simulations with the same hash went the same way. */
  readonly hash: string;
}

/**
 * @param plan of {@link makePlan}, or a part of one
 * @throws HeddleError INVALID_ARGUMENT
 */
export async function simulate(plan: Plan, options: SimulationOptions = {}): Promise<SimulationResult> {
  requireOptions("plan", plan);
  requireOptions("options", options);
  for (const part of ["workers", "clients", "faults"] as const) requireRecords(`plan.${part}`, plan[part]);
  const { database, close } = closable((options.database ?? memoryDatabase)());
  const history = await new Simulation(plan, database).run().finally(close);
  const hash = createHash("sha256").update(JSON.stringify(history)).digest("hex").slice(0, 16);
  return { plan, history, violations: checkHistory(history), hash };
}

function memoryDatabase(): SimulatedDatabase {
  const database = new MemoryDatabase();
  return { connect: () => new MemoryStorage(database) };
}

/** With all connections in hand: those of dead workers are never closed by them. */
function closable(database: SimulatedDatabase): { readonly database: SimulatedDatabase; close(): Promise<void> } {
  const connections: Storage[] = [];
  const noted = <Connection extends Storage>(connection: Connection): Connection => {
    connections.push(connection);
    return connection;
  };
  const { inspect } = database;
  return {
    database: {
      connect: () => noted(database.connect()),
      ...(inspect && { inspect: () => noted(inspect.call(database)) }),
    },
    close: async () => void (await Promise.allSettled(connections.map((connection) => connection.close()))),
  };
}

/** Virtual ms until the faults stop, whatever is left to do. */
const longestTrouble = 600_000;
const mostSteps = 100_000;
/** Rounds of this many virtual ms in which everything has to settle once the faults are over. */
const roundLength = 5_000;
const rounds = 60;
/** After so many rounds the time passes that the clock was set back by: something may wait until then. */
const patience = 16;

class Simulation {
  readonly #plan: Plan;
  readonly #scheduler: Scheduler;
  readonly #recorder: MemoryRecorder;
  readonly #luck: BadLuck;
  readonly #workers: readonly SimWorker[];
  readonly #inspector: Storage;
  readonly #stop = new AbortController();
  readonly #open = new Set<number>();
  readonly #hanging: World["hanging"] = new Set();
  readonly #faults: string[] = [];
  readonly #looks: Dice;
  readonly #runIds: string[] = [];
  readonly #askers: string[] = [];
  readonly #newest = new Map<string, number>();
  #snapshot: StorageSnapshot | undefined;

  constructor(plan: Plan, database: SimulatedDatabase) {
    this.#plan = plan;
    this.#scheduler = new Scheduler(new Dice(plan.seed, "schedule"), plan.scheduling);
    this.#recorder = new MemoryRecorder(this.#scheduler);
    this.#luck = new BadLuck(plan.faults, this.#scheduler, this.#recorder);
    this.#inspector = database.inspect?.() ?? database.connect();
    this.#looks = new Dice(plan.seed, "looks");
    const world = this.#world(database);
    this.#workers = plan.workers.map((worker, index) => new SimWorker(world, index, worker));
    this.#luck.befall(this.#workers);
    // One per reader, and there may be many.
    setMaxListeners(0, this.#stop.signal);
  }

  async run(): Promise<History> {
    await this.#inspector.open({ clock: this.#clock });
    for (const worker of this.#workers) void worker.start();
    let working = this.#plan.clients.length;
    this.#plan.clients.forEach((client, index) => {
      const done = this.#play(`c${index}`, client);
      void done.catch((error: unknown) => this.#fault("a client", error)).then(() => working--);
    });
    const isDone = (): boolean => working === 0;
    while (!(await this.#runFor(isDone, this.#looks.between(500, 20_000))) && this.#scheduler.time < longestTrouble) {
      if (this.#isRestless) break;
      await this.#look();
    }
    await this.#settle(isDone);
    return { entries: this.#recorder.entries, final: await this.#final() };
  }

  /** Step by step, on the client's worker or, while that is dead, on the next one that lives. */
  async #play(name: string, { worker, steps }: ClientPlan): Promise<void> {
    const client = new Client(this.#caller(name), {
      connect: (turn) => this.#connect(worker + turn),
      sleep: (ms) => this.#scheduler.sleep(ms),
      runIds: this.#runIds,
      askers: this.#askers,
      newest: this.#newest,
      stop: this.#stop.signal,
    });
    for (const step of steps) await client.take(step);
  }

  async #connect(first: number): Promise<Life> {
    for (;;) {
      for (let next = 0; next < this.#workers.length; next++) {
        const life = this.#workers[(first + next) % this.#workers.length]?.life;
        if (life !== undefined) return life;
      }
      await this.#scheduler.sleep(100);
    }
  }

  #world(database: SimulatedDatabase): World {
    const counters = new Map<string, number>();
    return {
      plan: this.#plan,
      scheduler: this.#scheduler,
      recorder: this.#recorder,
      database,
      misfortune: this.#luck,
      hanging: this.#hanging,
      nextId: (prefix) => {
        const count = (counters.get(prefix) ?? 0) + 1;
        counters.set(prefix, count);
        return `${prefix}_${String(count).padStart(4, "0")}`;
      },
    };
  }

  get #clock() {
    const scheduler = this.#scheduler;
    return {
      now: () => scheduler.wall,
      turn: () => Promise.resolve(),
      setTimer: (delay: number, fire: () => void) => scheduler.setTimer(undefined, delay, fire),
    };
  }

  #caller(name: string): Caller {
    return { name, recorder: this.#recorder, open: this.#open };
  }

  #runFor(isDone: () => boolean, ms: number): Promise<boolean> {
    return this.#scheduler.run(isDone, { time: this.#scheduler.time + ms, steps: mostSteps });
  }

  /** The records in between: nobody ever sees half of anything. */
  async #look(): Promise<void> {
    if (this.#faults.length > 0) return;
    try {
      this.#snapshot = await checkInvariants(this.#inspector, this.#snapshot);
    } catch (error) {
      this.#fault(`the records at ${this.#scheduler.time} ms`, error);
    }
  }

  #fault(where: string, error: unknown): void {
    this.#faults.push(`${where}: ${codeOf(error)}`);
  }

  /** The faults are over, every worker lives: what was accepted settles, who waits is told, no slot is lost. */
  async #settle(clientsAreDone: () => boolean): Promise<void> {
    this.#luck.end();
    for (const worker of this.#workers) worker.process?.resume();
    this.#recorder.note({ type: "faults_over" });
    for (let round = 1; round <= rounds && !this.#isRestless; round++) {
      await this.#runFor(() => false, roundLength);
      await this.#look();
      if (round % patience === 0) this.#scheduler.catchUp();
      if (clientsAreDone() && (await this.#isSettled())) break;
      this.#cancelHanging();
    }
    await this.#runFor(() => false, roundLength * 2);
    this.#recorder.note({ type: "at_rest" });
    await this.#fillSlots();
    this.#stop.abort();
    await this.#runFor(() => this.#open.size === 0, roundLength);
  }

  /** Something chases its own tail. */
  get #isRestless(): boolean {
    return this.#scheduler.steps > mostSteps;
  }

  async #isSettled(): Promise<boolean> {
    if (this.#scheduler.time < this.#luck.quietFrom) return false;
    const unsettled = await this.#inspector.runs.count({ status: ["pending", "running"] });
    const isQuiet = this.#workers.every(({ life }) => life === undefined || life.attempts === 0);
    return unsettled === 0 && isQuiet && this.#hanging.size === 0;
  }

  /** As an operator would who sees that an agent hangs. */
  #cancelHanging(): void {
    for (const { runId, process } of [...this.#hanging]) {
      if (process.isDead) continue;
      const life = this.#workers.find((worker) => worker.life !== undefined)?.life;
      if (life !== undefined) void this.#cancel(runId, life);
    }
  }

  async #cancel(runId: string, life: Life): Promise<void> {
    await call(
      this.#caller("operator"),
      life.process,
      { kind: "cancel", runId, wait: false, rollback: false },
      async () => {
        const { outcome } = await life.engine.runs.cancel(runId);
        return { kind: "canceled", outcome };
      },
    );
  }

  async #fillSlots(): Promise<void> {
    for (const { life, plan } of this.#workers) {
      if (life === undefined || !plan.works) continue;
      void fillSlots(this.#caller("operator"), life, plan.concurrency);
    }
    await this.#runFor(() => false, roundLength * 3);
  }

  async #final(): Promise<History["final"]> {
    return readFinalState({
      storage: this.#inspector,
      clock: this.#clock,
      faults: this.#faults,
      earlier: this.#snapshot,
    });
  }
}
