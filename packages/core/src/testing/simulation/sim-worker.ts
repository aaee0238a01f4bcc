/** One worker: a process with an engine in it, and after a crash or a close the next one in its place. */

import { createEngine } from "../../create-engine.js";
import type { Agent } from "../../engine/agent.js";
import type { Engine } from "../../engine/engine.js";
import type { IdPrefix, Random } from "../../ports/random.js";
import type { Storage } from "../../ports/storage.js";
import type { Connection } from "../history/client.js";
import { Dice } from "../history/dice.js";
import type { Recorder } from "../history/recorder.js";
import { codeOf, scriptedAgent } from "../history/scripted-agent.js";
import { slotFiller } from "../history/slot-filler.js";
import type { Misfortune } from "./faulty-storage.js";
import { FaultyStorage } from "./faulty-storage.js";
import type { Plan, WorkerPlan } from "./plan.js";
import { Process } from "./process.js";
import type { Scheduler } from "./scheduler.js";

/** A database that several connections share. */
export interface SimulatedDatabase {
  /** For the look at what is stored, in quiet moments. Default: as `connect`. */
  inspect?(): Storage;
  /** Another connection each time, as another process would have. */
  connect(): Storage & {
    /** As when the process dies: it writes no more, and whoever may ask learns that its workers are dead. */
    cut?(): void;
  };
}

export interface World {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly recorder: Recorder;
  readonly database: SimulatedDatabase;
  readonly misfortune: Misfortune;
  readonly nextId: (prefix: IdPrefix) => string;
  /** Attempts that hang until they are canceled. */
  readonly hanging: Set<{ readonly runId: string; readonly process: Process }>;
}

/** An engine that lives, and its process. */
export interface Life extends Connection {
  readonly engine: Engine;
  readonly process: Process;
  readonly name: string;
  /** Attempts whose code has not returned. */
  attempts: number;
  isOpen: boolean;
}

export class SimWorker {
  readonly plan: WorkerPlan;
  readonly #world: World;
  readonly #index: number;
  #life: Life | undefined;
  #connection: ReturnType<SimulatedDatabase["connect"]> | undefined;
  #generation = 0;

  constructor(world: World, index: number, plan: WorkerPlan) {
    this.#world = world;
    this.#index = index;
    this.plan = plan;
  }

  /** The engine that takes calls now. */
  get life(): Life | undefined {
    return this.#life?.isOpen === true && !this.#life.process.isDead ? this.#life : undefined;
  }

  get process(): Process | undefined {
    return this.#life?.process;
  }

  /** Start an engine, however often the storage refuses. */
  async start(): Promise<void> {
    const life = this.#create();
    this.#life = life;
    while (!life.process.isDead) {
      try {
        await life.engine.start();
        break;
      } catch {
        await life.process.sleep(500);
      }
    }
    life.isOpen = true;
    this.#world.recorder.note({ type: "worker_started", worker: life.name });
  }

  /** The process is gone from one moment to the next. */
  crash(): void {
    const life = this.#life;
    if (life === undefined || life.process.isDead) return;
    life.process.kill();
    life.isOpen = false;
    if (this.#world.plan.storage.provesDeath) this.#connection?.cut?.();
    this.#world.recorder.note({ type: "worker_ended", worker: life.name, how: "crashed" });
  }

  /** Close the engine in good order. Answers whether it came to that: it may crash on the way. */
  async close(grace: number): Promise<boolean> {
    const life = this.life;
    if (life === undefined) return false;
    life.isOpen = false;
    await Promise.race([life.engine.close({ grace }), life.process.died]);
    if (life.process.isDead) return false;
    life.process.kill();
    this.#world.recorder.note({ type: "worker_ended", worker: life.name, how: "closed" });
    return true;
  }

  #create(): Life {
    const { scheduler, plan } = this.#world;
    const name = `w${this.#index}.${++this.#generation}`;
    const process = new Process(name, scheduler);
    const life = { process, name, attempts: 0, isOpen: false } as Life;
    const { bufferedDeltas, ...settings } = plan.settings;
    const engine = createEngine({
      ...settings,
      concurrency: this.plan.concurrency,
      work: this.plan.works,
      closeGrace: 2_000,
      limits: { bufferedDeltas },
      storage: this.#connect(process),
      clock: process.clock,
      random: this.#random(name),
      agents: this.#agents(life),
    });
    engine.on("error", ({ error, during }) => {
      const message = error instanceof Error ? error.message : String(error);
      this.#world.recorder.note({ type: "trouble", worker: name, code: codeOf(error), message, during });
    });
    return Object.assign(life, { engine });
  }

  #connect(process: Process): Storage {
    const { database, plan, misfortune, scheduler } = this.#world;
    this.#connection = database.connect();
    const clock = {
      now: () => scheduler.wall,
      turn: () => scheduler.turn(),
      setTimer: (delay: number, fire: () => void) => scheduler.setTimer(undefined, delay, fire),
    };
    const dice = new Dice(plan.seed, `storage of ${process.name}`);
    return new FaultyStorage({ inner: this.#connection, clock, process, style: plan.storage, dice, misfortune });
  }

  #random(name: string): Random {
    const { fraction } = new Dice(this.#world.plan.seed, `engine of ${name}`);
    return { fraction, id: this.#world.nextId };
  }

  #agents(life: Life): Agent[] {
    const { recorder, hanging, misfortune } = this.#world;
    const observer = {
      note: recorder.note.bind(recorder),
      hangs(runId: string): () => void {
        const entry = { runId, process: life.process };
        hanging.add(entry);
        return () => void hanging.delete(entry);
      },
      crash(): void {
        const ms = 1_000;
        recorder.note({ type: "fault", kind: "agent_crash", worker: life.name, port: "", ms });
        misfortune.crash(life.process, ms);
      },
      runs(): () => void {
        life.attempts++;
        return () => {
          life.attempts--;
        };
      },
    };
    const scripted = this.plan.agents.map((name) => scriptedAgent(name, life.process, observer));
    return [...scripted, slotFiller(life.name, this.plan.concurrency)];
  }
}
