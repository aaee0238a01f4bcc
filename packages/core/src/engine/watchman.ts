/**
 * Looks after what nobody else would notice: due work, dead workers, other processes' commits, our own leases.
 * Polling alone is correct; hints and timers only make it fast.
 */

import { threadStream } from "../model/event.js";
import { never } from "../model/run.js";
import type { DueWork } from "../ports/storage.js";
import type { Core } from "./core.js";
import type { Dispatcher } from "./dispatcher.js";
import type { Families } from "./families.js";
import { CheckpointSweeper } from "./sweep-checkpoints.js";

const dueBatch = 100;
/** A worker's death is noticed within this part of the poll interval: its runs shall go on within a second. */
const livesPerPoll = 4;

export class Watchman {
  readonly #core: Core;
  readonly #dispatcher: Dispatcher;
  readonly #families: Families;
  readonly #checkpoints: CheckpointSweeper;
  readonly #undo: (() => void)[] = [];
  #open = false;
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #hinted = false;
  #cancelPoll: (() => void) | undefined;
  #cancelHeartbeat: (() => void) | undefined;
  #cancelLives: (() => void) | undefined;
  #cancelDue: (() => void) | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #workers: readonly string[] = [];
  #sweptAt = Number.NEGATIVE_INFINITY;
  /** The next look also removes what nobody keeps any more. */
  #sweeps = false;
  /** How far the storage's clock is ahead of ours, ms. */
  #skew = 0;

  constructor(core: Core, dispatcher: Dispatcher, families: Families) {
    this.#families = families;
    this.#core = core;
    this.#dispatcher = dispatcher;
    this.#checkpoints = new CheckpointSweeper(core);
  }

  /** Take over what earlier workers left, then keep watch. */
  async open(): Promise<void> {
    this.#open = true;
    await this.#core.storage.work.announce(this.#core.worker);
    this.#undo.push(this.#core.storage.work.watch(() => this.hint()));
    await this.#look();
    this.#schedulePoll();
    this.#scheduleLives();
    this.#scheduleHeartbeat();
  }

  async close(): Promise<void> {
    this.#open = false;
    for (const undo of this.#undo.splice(0)) undo();
    this.#cancelPoll?.();
    this.#cancelLives?.();
    this.#cancelHeartbeat?.();
    this.#cancelDue?.();
    await this.#looking?.catch(() => {});
  }

  /**
   * Something that will be due later was committed here: wake in time for it.
   * @param at epoch ms by the storage's clock
   */
  expect(at: number): void {
    if (!this.#open || at >= this.#dueAt || at >= never) return;
    this.#cancelDue?.();
    this.#dueAt = at;
    const delay = Math.max(0, at - this.storageNow());
    this.#cancelDue = this.#core.clock.setTimer(delay, () => this.#fallDue(), "work");
  }

  /** As `expect`, for what the dispatcher takes without being told where it is due already. */
  expectLater(at: number): void {
    if (at > this.storageNow()) this.expect(at);
  }

  /** Epoch ms; before the first look our own clock's. */
  storageNow(): number {
    return this.#core.clock.now() + this.#skew;
  }

  /** Forget what was expected and ask the storage instead: runs that settled meanwhile no longer wait for time. */
  async refresh(): Promise<void> {
    this.#cancelDue?.();
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.look();
    await this.#looking;
  }

  get idle(): boolean {
    return this.#looking === undefined;
  }

  #fallDue(): void {
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.look();
  }

  /** Somebody else may have committed, or an answer of ours was lost. */
  hint(): void {
    this.#hinted = true;
    this.look();
  }

  /** A commit of ours may have been done without an answer: the next look, a poll's at the latest, sees to its effects. */
  suspect(): void {
    this.#hinted = true;
  }

  /** Look now, or once more when a look is under way. */
  look(): void {
    if (!this.#open) return;
    if (this.#looking !== undefined) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = this.#lookUntilQuiet().finally(() => {
      this.#looking = undefined;
    });
  }

  async #lookUntilQuiet(): Promise<void> {
    do {
      this.#lookAgain = false;
      try {
        await this.#look();
      } catch (error) {
        this.#core.report(error, "looking for due work");
      }
    } while (this.#lookAgain && this.#open);
  }

  async #look(): Promise<void> {
    if (this.#hinted) await this.#heed();
    const { due, deadWorkers } = await this.#due(this.#takeSweep());
    // One that cannot be tended must not keep the others from it.
    await Promise.all(
      due.tend.map((run) =>
        this.#tend(run, deadWorkers).catch((error: unknown) => this.#core.report(error, `tending run ${run.runId}`)),
      ),
    );
    await this.#families.tend(due);
    if (Math.max(due.tend.length, due.wake.length, due.orphans.length) >= dueBatch) this.#lookAgain = true;
    if (due.claimable) this.#dispatcher.wake();
    if (due.nextAt !== null) this.expect(Math.max(due.nextAt, due.now + 1));
  }

  /** What is due, after a look at whether the workers that hold leases are alive. */
  async #due(sweeps: boolean): Promise<{ readonly due: DueWork; readonly deadWorkers: readonly string[] }> {
    const { storage, worker, agentNames } = this.#core;
    const query = { worker, limit: dueBatch, agents: agentNames };
    const deadWorkers = await storage.work.findDead(this.#workers);
    const askedAt = this.#core.clock.now();
    const due = await storage.work.due({ ...query, deadWorkers, purge: sweeps });
    this.#compareClocks(askedAt, due.now);
    if (sweeps) this.#sweep();
    const newcomers = due.workers.filter((id) => !this.#workers.includes(id));
    this.#workers = due.workers;
    const newlyDead = newcomers.length === 0 ? [] : await storage.work.findDead(newcomers);
    if (newlyDead.length === 0) return { due, deadWorkers };
    const dead = [...deadWorkers, ...newlyDead];
    return { due: await storage.work.due({ ...query, deadWorkers: dead }), deadWorkers: dead };
  }

  /** A storage on another machine has a clock of its own. */
  #compareClocks(askedAt: number, storageNow: number): void {
    const answeredAt = this.#core.clock.now();
    const agrees = askedAt - 1 <= storageNow && storageNow <= answeredAt;
    this.#skew = agrees ? 0 : storageNow - (askedAt + answeredAt) / 2;
  }

  async #tend(run: DueWork["tend"][number], deadWorkers: readonly string[]): Promise<void> {
    const { committer, random } = this.#core;
    await committer.commit<"tend_run">({
      kind: "tend_run",
      runId: run.runId,
      threadId: run.threadId,
      deadWorkers,
      finalCheckpointId: random.id("chk"),
    });
  }

  /** A hint counts until it was followed to the end: while the storage is away nobody gives another. */
  async #heed(): Promise<void> {
    this.#hinted = false;
    try {
      await this.#catchUp();
    } catch (error) {
      this.#hinted = true;
      throw error;
    }
  }

  /** Another process may have committed: see what became of our runs, waiters and readers. */
  async #catchUp(): Promise<void> {
    const { storage, worker, tracker, lineages, hub } = this.#core;
    // Before the read: a run that is claimed during it is not missing from it.
    const { drivers } = this.#dispatcher;
    if (drivers.length > 0) {
      const held = new Map((await storage.work.heldBy(worker)).map((run) => [run.id, run]));
      for (const driver of drivers) {
        const run = held.get(driver.run.id) ?? (await storage.runs.get(driver.run.id));
        if (run === undefined) driver.loseLease();
        else driver.observe(run);
      }
    }
    await tracker.recheck();
    await lineages.recheck();
    hub.staleAll();
    await this.#endDeletedStreams();
  }

  async #endDeletedStreams(): Promise<void> {
    const { hub, storage } = this.#core;
    for (const stream of hub.streams()) {
      const id = stream.slice(2);
      const owner = stream === threadStream(id) ? await storage.threads.get(id) : await storage.runs.get(id);
      if (owner === undefined) hub.end(stream);
    }
  }

  /** Where hints may be lost, a poll also looks for what was committed elsewhere. */
  #schedulePoll(): void {
    const { clock, settings, storage } = this.#core;
    const { lookAgainAfter } = storage;
    this.#cancelPoll = clock.setTimer(
      Math.max(settings.poll, lookAgainAfter ?? 0),
      () => {
        this.#sweeps = clock.now() - this.#sweptAt >= settings.retention.sweep;
        if (lookAgainAfter === undefined) this.look();
        else this.hint();
        if (this.#open) this.#schedulePoll();
      },
      "upkeep",
    );
  }

  /** Between polls: did a worker die that holds runs? Where others hold none, and where nobody can prove it, costs nothing. */
  #scheduleLives(): void {
    const { clock, settings } = this.#core;
    this.#cancelLives = clock.setTimer(
      settings.poll / livesPerPoll,
      () => {
        if (!this.#open) return;
        this.#scheduleLives();
        this.#checkLives().catch((error: unknown) => this.#core.report(error, "looking for dead workers"));
      },
      "upkeep",
    );
  }

  async #checkLives(): Promise<void> {
    if (this.#workers.length === 0 || this.#looking !== undefined) return;
    const dead = await this.#core.storage.work.findDead(this.#workers);
    if (dead.length > 0) this.look();
  }

  #scheduleHeartbeat(): void {
    const { clock, settings } = this.#core;
    const expected = clock.now() + settings.heartbeat;
    this.#cancelHeartbeat = clock.setTimer(
      settings.heartbeat,
      () => {
        const delay = clock.now() - expected;
        if (delay > settings.heartbeat) this.#core.lifecycle.emit("loop_delayed", { delay });
        if (!this.#open) return;
        this.#scheduleHeartbeat();
        this.#beat().catch((error: unknown) => this.#core.report(error, "a heartbeat"));
      },
      "upkeep",
    );
  }

  async #beat(): Promise<void> {
    const { committer, settings, worker } = this.#core;
    const drivers = this.#dispatcher.drivers.filter((driver) => driver.holdsLease);
    if (drivers.length === 0) return;
    const states = await committer.commit<"extend_leases">({
      kind: "extend_leases",
      worker,
      lease: settings.lease,
      attempts: drivers.map((driver) => driver.attempt),
    });
    states.forEach((state, index) => {
      const driver = drivers[index];
      if (state.run === undefined) driver?.loseLease();
      else driver?.observe(state.run);
    });
  }

  /** One that fails is not tried again before the next is due: it must not keep looks from what else is due. */
  #takeSweep(): boolean {
    const sweeps = this.#sweeps;
    this.#sweeps = false;
    if (sweeps) this.#sweptAt = this.#core.clock.now();
    return sweeps;
  }

  #sweep(): void {
    this.#removeOld().catch((error: unknown) => this.#core.report(error, "the retention sweep"));
  }

  async #removeOld(): Promise<void> {
    const { storage, committer, settings } = this.#core;
    await this.#checkpoints.sweep();
    const { maxAge } = settings.retention;
    if (maxAge === undefined) return;
    const settledBefore = this.storageNow() - maxAge;
    for (;;) {
      const old = await storage.runs.list({
        threadId: null,
        settledBefore,
        status: ["succeeded", "failed", "canceled", "interrupted"],
        limit: dueBatch,
        sortBy: "createdAt",
        order: "asc",
      });
      await Promise.all(
        old.map((run) => committer.commit<"delete_run">({ kind: "delete_run", runId: run.id, threadId: null })),
      );
      if (old.length < dueBatch) return;
    }
  }
}
