/**
 * A worker's connection to the shared database, and everything that can go wrong on it. Each call waits on its way there
 * and back, as the plan's style says; and some calls meet a fault. Nothing here corrupts: every fault is one that a
 * storage contract allows, so whatever breaks is the engine's fault.
 */

import { HeddleError } from "../../errors.js";
import type { Effect, Intent, IntentKind } from "../../model/intents/intent.js";
import type { Clock } from "../../ports/clock.js";
import type {
  CheckpointReader,
  EventReader,
  LineageReader,
  RunReader,
  Storage,
  StorageTransaction,
  ThreadReader,
  WorkReader,
} from "../../ports/storage.js";
import type { Dice } from "../history/dice.js";
import type { Fault, StorageStyle } from "./plan.js";
import type { Process } from "./process.js";

/** What befalls the next call, and what it does to the world beyond that call. */
export interface Misfortune {
  /** The fault of this call, if it meets one. */
  next(port: string, isCommit: boolean, process: Process): Fault | undefined;
  /** Nothing goes wrong any more, whatever was to befall a call that is under way. */
  readonly isOver: boolean;
  /** @param after ms until a new engine takes its place */
  crash(process: Process, after: number): void;
}

export interface FaultyOptions {
  readonly inner: Storage;
  /** The simulation's own clock: hints outlive the process whose commit caused them. */
  readonly clock: Clock;
  readonly process: Process;
  readonly style: StorageStyle;
  readonly dice: Dice;
  readonly misfortune: Misfortune;
}

/** Sent twice they do what they do once, whoever else comes between. */
const repeatable: ReadonlySet<IntentKind> = new Set([
  "extend_leases",
  "settle_run",
  "release_run",
  "tend_run",
  "cancel_run",
  "update_thread",
  "collect_checkpoints",
]);

export class FaultyStorage implements Storage {
  readonly name: string;
  readonly deltas: "all" | "local";
  readonly lookAgainAfter?: number;
  readonly #options: FaultyOptions;
  #isOpen = false;

  constructor(options: FaultyOptions) {
    this.#options = options;
    this.name = options.inner.name;
    this.deltas = options.inner.deltas;
    const { hints } = options.style;
    if (hints !== "sure") this.lookAgainAfter = hints === "none" ? 0 : 2_000;
  }

  open(): Promise<void> {
    const { inner, clock } = this.#options;
    return this.#call("open", async () => {
      if (!this.#isOpen) await inner.open({ clock });
      this.#isOpen = true;
    });
  }

  async close(): Promise<void> {
    await this.#way();
    this.#isOpen = false;
    await this.#options.inner.close();
  }

  commit(intents: readonly Intent[]): ReturnType<Storage["commit"]> {
    const { inner } = this.#options;
    const commit = (): ReturnType<Storage["commit"]> => inner.commit(intents);
    return this.#call("commit", commit, { again: isRepeatable(intents), isCommit: true });
  }

  transaction<Result>(
    body: (tx: StorageTransaction<unknown>) => Promise<Result>,
  ): Promise<{ readonly result: Result; readonly effects: readonly Effect[] }> {
    return this.#call("transaction", () => this.#options.inner.transaction(body), { again: false, isCommit: true });
  }

  readonly runs: RunReader = {
    get: (id) => this.#call("runs.get", () => this.#options.inner.runs.get(id)),
    list: (query) => this.#call("runs.list", () => this.#options.inner.runs.list(query)),
    count: (filter) => this.#call("runs.count", () => this.#options.inner.runs.count(filter)),
  };

  readonly threads: ThreadReader = {
    get: (id) => this.#call("threads.get", () => this.#options.inner.threads.get(id)),
    isDeleted: (id) => this.#call("threads.isDeleted", () => this.#options.inner.threads.isDeleted(id)),
    list: (query) => this.#call("threads.list", () => this.#options.inner.threads.list(query)),
    count: (filter) => this.#call("threads.count", () => this.#options.inner.threads.count(filter)),
    usage: (id) => this.#call("threads.usage", () => this.#options.inner.threads.usage(id)),
  };

  readonly checkpoints: CheckpointReader = {
    get: (id) => this.#call("checkpoints.get", () => this.#options.inner.checkpoints.get(id)),
    chain: (id, since) => this.#call("checkpoints.chain", () => this.#options.inner.checkpoints.chain(id, since)),
    history: (id, limit) => this.#call("checkpoints.history", () => this.#options.inner.checkpoints.history(id, limit)),
    ofThread: (threadId, page) =>
      this.#call("checkpoints.ofThread", () => this.#options.inner.checkpoints.ofThread(threadId, page)),
  };

  readonly events: EventReader = {
    read: (query) => this.#call("events.read", () => this.#options.inner.events.read(query)),
  };

  readonly lineages: LineageReader = {
    memo: (ref) => this.#call("lineages.memo", () => this.#options.inner.lineages.memo(ref)),
    memos: (lineageId, limit) =>
      this.#call("lineages.memos", () => this.#options.inner.lineages.memos(lineageId, limit)),
    questions: (lineageId) => this.#call("lineages.questions", () => this.#options.inner.lineages.questions(lineageId)),
    openQuestions: (threadId, limit) =>
      this.#call("lineages.openQuestions", () => this.#options.inner.lineages.openQuestions(threadId, limit)),
  };

  readonly work: WorkReader = {
    due: (query) => this.#call("work.due", () => this.#options.inner.work.due(query)),
    heldBy: (worker) => this.#call("work.heldBy", () => this.#options.inner.work.heldBy(worker)),
    announce: (worker) => this.#call("work.announce", () => this.#options.inner.work.announce(worker)),
    findDead: (workers) => this.#call("work.findDead", () => this.#findDead(workers)),
    watch: (hint) => this.#options.inner.work.watch(() => void this.#deliver(hint)),
    purge: () => this.#call("work.purge", () => this.#options.inner.work.purge()),
  };

  async #findDead(workers: readonly string[]): Promise<readonly string[]> {
    return this.#options.style.provesDeath ? this.#options.inner.work.findDead(workers) : [];
  }

  /** A hint may be late or doubled; where nobody relies on it, it may be lost. */
  async #deliver(hint: () => void): Promise<void> {
    const { process, dice, style } = this.#options;
    if (style.hints === "none" || (style.hints === "lossy" && dice.chance(0.5))) return;
    await process.turn();
    await this.#way();
    hint();
    if (!dice.chance(0.05)) return;
    await this.#way();
    hint();
  }

  async #call<Answer>(
    port: string,
    carryOut: () => Promise<Answer>,
    { again = true, isCommit = false }: { readonly again?: boolean; readonly isCommit?: boolean } = {},
  ): Promise<Answer> {
    const { misfortune, process } = this.#options;
    const fault = misfortune.next(port, isCommit, process);
    await this.#way();
    await this.#before(fault);
    const answer = await carryOut();
    if (fault?.kind === "duplicate" && again) await carryOut().catch(() => undefined);
    await this.#after(fault);
    await this.#way();
    return answer;
  }

  async #before(fault: Fault | undefined): Promise<void> {
    const { process, misfortune } = this.#options;
    if (misfortune.isOver) return;
    if (fault?.kind === "error_before") throw unavailable("the connection was refused");
    if (fault?.kind === "error_unclear") throw unavailable("the connection broke", { outcome: "unknown" });
    if (fault?.kind === "delay") await process.sleep(fault.ms);
    if (fault?.kind !== "crash_before") return;
    misfortune.crash(process, fault.ms);
    await new Promise<never>(() => {});
  }

  async #after(fault: Fault | undefined): Promise<void> {
    if (!this.#options.misfortune.isOver) this.#strike(fault);
    const { process } = this.#options;
    // Dead or paused: what is under way does not go on within this turn.
    if (process.isDead || process.isPaused) await process.turn();
  }

  #strike(fault: Fault | undefined): void {
    const { process, misfortune } = this.#options;
    if (fault?.kind === "error_after")
      throw unavailable("the connection broke before the answer came", { outcome: "unknown" });
    if (fault?.kind === "pause") process.pause(fault.ms);
    if (fault?.kind === "crash_after") misfortune.crash(process, fault.ms);
  }

  /** One way, there or back. */
  async #way(): Promise<void> {
    const { process, style, dice } = this.#options;
    for (let turns = dice.between(0, style.turns); turns > 0; turns--) await process.turn();
    if (style.delay > 0 && dice.chance(0.3)) await process.sleep(dice.between(1, style.delay));
    if (process.isDead || process.isPaused) await process.turn();
  }
}

/** A start that was refused must not be accepted by its own echo: alone it cannot, in a batch what follows may make room. */
function isRepeatable(intents: readonly Intent[]): boolean {
  if (intents.length === 1 && intents[0]?.kind === "accept_run") return true;
  return intents.every(({ kind }) => repeatable.has(kind));
}

function unavailable(why: string, details: { readonly outcome?: "unknown" } = {}): HeddleError {
  return new HeddleError("STORAGE_UNAVAILABLE", `Simulated: ${why}.`, { details });
}
