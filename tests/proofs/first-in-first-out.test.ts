/**
 * First in, first out: whoever started earlier in a thread runs earlier, in every interleaving of clients that start,
 * steer, interrupt, roll back and cancel with workers that claim, fail and settle. Each message is consumed once.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { RunRecord, Storage } from "@heddle/core/storage";
import { HeddleError, threadStream } from "@heddle/core/storage";
import type { AcceptOptions } from "@heddle/core/testing";
import { checkInvariants, manualClock, StorageDriver, seededRandom } from "@heddle/core/testing";
import { expect, test } from "vitest";
import { onEveryStorage } from "../storages.js";
import { startProgress } from "./support/progress.js";
import { minutes, sized } from "./support/size.js";
import { printTable } from "./support/table.js";

/** Of one database: what is in it is checked as a whole at the end. */
const atOnce = 8;

/** A start that was accepted, with the ticks between which that happened. */
interface Start {
  readonly run: RunRecord;
  readonly strategy: Strategy;
  readonly asked: number;
  readonly answered: number;
}

type Strategy = "enqueue" | "steer" | "interrupt" | "rollback";

onEveryStorage("first in, first out", (kind) => {
  // Fewer may lack one of the meetings that must have happened.
  const interleavings = Math.max(40, Math.ceil(sized({ quick: 150, full: 2_500, long: 10_000 }) * kind.fullShare));

  test(`in ${interleavings} random interleavings`, { timeout: 30 * minutes }, async () => {
    const database = await kind.create();
    const clock = manualClock();
    const connections = [database.storage, database.connect()];
    for (const storage of connections) await storage.open({ clock });
    const seen = { starts: 0, ran: 0, taken: 0, superseded: 0, overtook: 0 };
    const progress = startProgress(`first in, first out, ${kind.name}`, interleavings);
    let begun = 0;
    let done = 0;
    const lane = async (): Promise<void> => {
      while (begun < interleavings) {
        const seed = ++begun;
        await new Interleaving(connections, seed).play(seen).catch((error: unknown) => {
          throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
        });
        progress.at(++done);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    if (interleavings <= 1_000) await checkInvariants(database.storage);
    for (const storage of connections) await storage.close();
    await database.cleanup();
    printTable(`first in, first out, ${kind.name}`, Object.entries({ interleavings, ...seen }));
    for (const [what, count] of Object.entries(seen)) expect(count, `${what}: it did not happen`).toBeGreaterThan(0);
  });
});

class Interleaving {
  readonly #drivers: readonly StorageDriver[];
  readonly #fraction: () => number;
  readonly #threadId: string;
  readonly #agent: string;
  readonly #starts: Start[] = [];
  #ticks = 0;
  #clients = 3;

  constructor(storages: readonly Storage[], seed: number) {
    this.#drivers = storages.map((storage) => new StorageDriver(storage));
    const random = seededRandom(seed);
    this.#fraction = () => random.fraction();
    this.#threadId = `thread ${seed}`;
    this.#agent = `agent ${seed}`;
  }

  async play(seen: Record<string, number>): Promise<void> {
    const clients = Array.from({ length: this.#clients }, () => this.#client());
    await Promise.all([...clients, this.#worker(), this.#worker()]);
    await this.#judge(seen);
  }

  get #driver(): StorageDriver {
    return this.#pick(this.#drivers);
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.#fraction() * items.length)] as Item;
  }

  async #pause(most: number): Promise<void> {
    for (let turns = Math.floor(this.#fraction() * most); turns > 0; turns--) await nextTurn();
  }

  async #client(): Promise<void> {
    for (let command = 0; command < 5; command++) {
      await this.#pause(4);
      if (this.#fraction() < 0.15) await this.#cancel();
      else
        await this.#start(
          this.#pick(["enqueue", "enqueue", "enqueue", "steer", "steer", "steer", "interrupt", "rollback"]),
        );
    }
    this.#clients--;
  }

  async #start(strategy: Strategy): Promise<void> {
    const asked = ++this.#ticks;
    const options: AcceptOptions = { threadId: this.#threadId, agent: this.#agent, whenBusy: strategy };
    const { run } = await patiently(() => this.#driver.accept(options));
    this.#starts.push({ run, strategy, asked, answered: ++this.#ticks });
  }

  async #cancel(): Promise<void> {
    if (this.#starts.length === 0) return;
    const { run } = this.#pick(this.#starts);
    const kind = this.#pick(["user", "user", "rolled_back"] as const);
    await patiently(() => this.#driver.cancel(run, { reason: { kind } }));
  }

  /** Claims, takes some of what it was handed, and ends what it claimed, until nothing is left to do. */
  async #worker(): Promise<void> {
    for (let idle = 0; idle < 3 || this.#clients > 0 || (await this.#isUnderWay()); ) {
      await this.#pause(3);
      const [run] = await patiently(() => this.#driver.claim(1, [this.#agent]));
      if (run !== undefined) {
        await this.#pause(6);
        await this.#end(run);
      }
      idle = run === undefined ? idle + 1 : 0;
      expect(idle, "nobody can claim what is left").toBeLessThan(1_000);
    }
  }

  /** Two that claim at once may skip what the other one has locked, and both find nothing. */
  #isUnderWay(): Promise<boolean> {
    const status = ["pending", "running"] as const;
    return this.#driver.storage.runs.count({ threadId: this.#threadId, status }).then((count) => count > 0);
  }

  async #end(run: RunRecord): Promise<void> {
    const { storage } = this.#driver;
    const page = { sortBy: "createdAt", order: "asc", limit: 100 } as const;
    const handed = await storage.runs.list({ steers: run.lineageId, status: ["pending"], ...page });
    const taken = handed.filter(() => this.#fraction() < 0.6).map(({ id }) => id);
    await this.#pause(3);
    const how = this.#fraction();
    if (how < 0.15) await patiently(() => this.#driver.release(run));
    else if (how < 0.3) await patiently(() => this.#driver.fail(run));
    else await patiently(() => this.#driver.settle(run, { taken }));
  }

  async #judge(seen: Record<string, number>): Promise<void> {
    const { storage } = this.#driver;
    const began = new Map<string, number>();
    const ended = new Map<string, number>();
    for (let after = 0; ; ) {
      const events = await storage.events.read({ stream: threadStream(this.#threadId), after, limit: 500 });
      for (const { type, runId, seq } of events) {
        if (runId === null) continue;
        if (type === "run_started" && !began.has(runId)) began.set(runId, seq);
        if (/^run_(succeeded|failed|canceled)$/.test(type)) ended.set(runId, seq);
      }
      if (events.length === 0) break;
      after = events.at(-1)?.seq as number;
    }
    const runs = new Map<string, RunRecord>();
    for (const { run } of this.#starts) runs.set(run.id, (await storage.runs.get(run.id)) as RunRecord);
    const seq = (of: ReadonlyMap<string, number>, { run }: Start): number => of.get(run.id) ?? Number.NaN;

    for (const start of this.#starts) {
      const run = runs.get(start.run.id) as RunRecord;
      expect(["succeeded", "failed", "canceled"], `${run.id} is not settled`).toContain(run.status);
      expect(ended.has(run.id)).toBe(true);
      expect(run.takenBy !== null && began.has(run.id), `${run.id} was taken and ran`).toBe(false);
      count(seen, "starts");
      if (began.has(run.id)) count(seen, "ran");
      if (run.takenBy !== null) count(seen, "taken");
      if (run.cancelReason?.includes("superseded")) count(seen, "superseded");
    }
    for (const first of this.#starts) {
      for (const second of this.#starts) {
        if (first.answered >= second.asked) continue;
        const [a, b] = [runs.get(first.run.id) as RunRecord, runs.get(second.run.id) as RunRecord];
        const order = `${a.id} (${first.strategy}) was accepted before ${b.id} (${second.strategy})`;
        const isHandedOver = (start: Start) => start.run.steers !== null;
        const bothRan = began.has(a.id) && began.has(b.id);
        const haveOneLive = first.run.steers === second.run.steers;
        if (bothRan && haveOneLive) expect(seq(began, first), order).toBeLessThan(seq(began, second));
        if (a.takenBy !== null && a.takenBy === b.takenBy)
          expect(seq(ended, first), order).toBeLessThan(seq(ended, second));
        // What was there when it took the thread over does not come after it.
        const takesOver = second.strategy === "interrupt" || second.strategy === "rollback";
        if (takesOver && bothRan) expect(seq(began, first), order).toBeLessThan(seq(began, second));
        // Nobody took it: it is next, ahead of whoever was waiting.
        if (bothRan && !isHandedOver(first) && isHandedOver(second)) {
          const live = this.#starts.find(({ run }) => run.lineageId === second.run.steers) as Start;
          if (seq(began, first) > seq(ended, live)) expect(seq(began, second), order).toBeLessThan(seq(began, first));
          if (seq(began, first) > seq(ended, live)) count(seen, "overtook");
        }
      }
    }
  }
}

/** Another connection may hold the database for a moment. */
async function patiently<Answer>(ask: () => Promise<Answer>): Promise<Answer | never> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!HeddleError.is(error, "STORAGE_BUSY")) throw error;
      await nextTurn();
    }
  }
}

function count(seen: Record<string, number>, what: string): void {
  seen[what] = (seen[what] ?? 0) + 1;
}
