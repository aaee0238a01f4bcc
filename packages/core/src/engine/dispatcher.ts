/**
 * Gives claimed runs to drivers, at most `concurrency` at once. A slot is free, reserved for a claim that is on its way
 * to the storage, or taken by a driver until the attempt's code has returned.
 */

import PQueue from "p-queue";
import type { RunRecord } from "../model/run.js";
import { AttemptDriver } from "./attempt-driver.js";
import type { Core } from "./core.js";

/** Runs of one claim: bounds a transaction where concurrency is unlimited. */
const largestClaim = 256;

export class Dispatcher {
  readonly #core: Core;
  readonly #slots: PQueue;
  readonly #drivers = new Map<string, AttemptDriver>();
  /** What was told of a claimed run before its driver existed. */
  readonly #early = new Map<string, RunRecord>();
  /** Over, save for the turns that their promises take: whoever hears of the end and starts anew finds the slot free. */
  readonly #leaving = new Set<AttemptDriver>();
  /** They do nothing but wait in memory: their slots are free for others. */
  #waiting = 0;
  #reserved = 0;
  readonly #whenClaimsAreOver: (() => void)[] = [];
  #claiming: Promise<void> | undefined;
  #wanted = false;
  #open = false;

  constructor(core: Core) {
    this.#core = core;
    this.#slots = new PQueue({ concurrency: core.settings.concurrency });
    // A slot is free again only now, not yet when the driver's function has returned.
    this.#slots.on("next", () => {
      if (this.#wanted) this.wake();
    });
  }

  open(): void {
    this.#open = true;
    this.wake();
  }

  /** No more claims. */
  stop(): void {
    this.#open = false;
  }

  get drivers(): readonly AttemptDriver[] {
    return [...this.#drivers.values()];
  }

  /** Nothing runs and nothing is being claimed. */
  get idle(): boolean {
    return this.#drivers.size === 0 && this.#claiming === undefined && this.#reserved === 0;
  }

  get hasFreeSlot(): boolean {
    return this.#free() >= 1;
  }

  /** Take a slot for a claim; `launch` or `giveBack` must follow. */
  reserve(): boolean {
    if (!this.#open || this.#free() < 1 || this.#core.agentNames.length === 0) return false;
    this.#reserved++;
    return true;
  }

  giveBack(): void {
    this.#unreserve(1);
    if (this.#wanted) this.wake();
  }

  /** Drive a run that was claimed under a reservation. */
  launch(run: RunRecord): void {
    this.#drive(run);
    this.#unreserve(1);
  }

  /** Something may be claimable. */
  wake(): void {
    this.#wanted = true;
    if (!this.#open || this.#claiming !== undefined || this.#free() < 1) return;
    this.#claiming = this.#claim();
  }

  /** A run's record changed: its driver here may have to stop. */
  observe(run: RunRecord): void {
    const driver = this.#drivers.get(run.id);
    if (driver !== undefined) {
      driver.observe(run);
      if (driver.isOver(run)) this.#leaving.add(driver);
    } else if (run.worker === this.#core.worker) this.#early.set(run.id, run);
  }

  /** Resolves when no claim is on its way any more, neither of its own nor with an acceptance. */
  async claimsOver(): Promise<void> {
    if (this.#reserved > 0) await new Promise<void>((resolve) => this.#whenClaimsAreOver.push(resolve));
    await this.#claiming;
  }

  /** Wait until no driver can write any more. */
  async drain(): Promise<void> {
    await this.claimsOver();
    await Promise.all(this.drivers.map((driver) => driver.done()));
  }

  /** Resolves when every attempt's code has returned. */
  async codeReturned(): Promise<void> {
    await this.claimsOver();
    await this.#slots.onIdle();
  }

  #unreserve(slots: number): void {
    this.#reserved -= slots;
    if (this.#reserved === 0) for (const tell of this.#whenClaimsAreOver.splice(0)) tell();
  }

  /** One that goes on does so at once, though there may be more at work than `concurrency` for a while. */
  #noteWaiting(isWaiting: boolean): void {
    this.#waiting += isWaiting ? 1 : -1;
    this.#slots.concurrency = this.#core.settings.concurrency + this.#waiting;
    if (isWaiting && this.#wanted) this.wake();
  }

  #free(): number {
    const { concurrency, pending, size } = this.#slots;
    return concurrency - (pending - this.#leaving.size) - size - this.#reserved;
  }

  async #claim(): Promise<void> {
    try {
      do {
        // Runs that settled in one commit free their slots in one turn: one claim fills them all.
        await this.#core.clock.turn();
        this.#wanted = false;
        await this.#claimOnce(Math.min(this.#free(), largestClaim));
      } while (this.#wanted && this.#open && this.#free() >= 1);
    } catch (error) {
      this.#core.report(error, "claiming runs");
    } finally {
      this.#claiming = undefined;
    }
  }

  async #claimOnce(limit: number): Promise<void> {
    const { committer, worker, settings, agentNames } = this.#core;
    if (agentNames.length === 0 || limit < 1) return;
    this.#reserved += limit;
    try {
      const runs = await committer.commit<"claim_runs">({
        kind: "claim_runs",
        worker,
        lease: settings.lease,
        agents: agentNames,
        limit,
      });
      for (const run of runs) this.#drive(run);
      if (runs.length === limit) this.#wanted = true;
    } finally {
      this.#unreserve(limit);
    }
  }

  #drive(run: RunRecord): void {
    const agent = this.#core.agents.get(run.agent);
    if (agent === undefined) throw new Error(`claimed run ${run.id} of unknown agent ${run.agent}`);
    const driver = new AttemptDriver(this.#core, agent, run, (isWaiting) => this.#noteWaiting(isWaiting));
    this.#drivers.set(run.id, driver);
    void this.#slots.add(() => this.#driveToEnd(driver), { priority: run.priority });
    const early = this.#early.get(run.id);
    this.#early.delete(run.id);
    if (early !== undefined) driver.observe(early);
  }

  async #driveToEnd(driver: AttemptDriver): Promise<void> {
    try {
      await driver.drive();
    } catch (error) {
      this.#core.report(error, `driving run ${driver.run.id}`);
    } finally {
      this.#leaving.delete(driver);
      if (this.#drivers.get(driver.run.id) === driver) this.#drivers.delete(driver.run.id);
    }
  }
}
