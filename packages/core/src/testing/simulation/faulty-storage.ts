/**
 * A worker's connection to the shared database, and everything that can go wrong on it. Each call waits on its way there
 * and back, as the plan's style says; and some calls meet a fault. Nothing here corrupts: every fault is one that a
 * storage contract allows, so whatever breaks is the engine's fault.
 */

import { HeddleError } from "../../errors.js";
import type { Intent, IntentKind } from "../../model/intents/intent.js";
import type { Clock } from "../../ports/clock.js";
import type { Storage, StorageTransaction } from "../../ports/storage.js";
import type { Dice } from "../history/dice.js";
import type { Committed } from "../intercepted-storage.js";
import { InterceptedStorage } from "../intercepted-storage.js";
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

export class FaultyStorage extends InterceptedStorage {
  readonly lookAgainAfter?: number;
  readonly #options: FaultyOptions;
  #isOpen = false;

  constructor(options: FaultyOptions) {
    super(options.inner);
    this.#options = options;
    const { hints } = options.style;
    if (hints !== "sure") this.lookAgainAfter = hints === "none" ? 0 : 2_000;
    // One whose hints are not sure by themselves says so.
    else if ("lookAgainAfter" in options.inner)
      Object.defineProperty(this, "lookAgainAfter", { get: () => options.inner.lookAgainAfter });
  }

  override open(): Promise<void> {
    const { clock } = this.#options;
    return this.call("open", async () => {
      if (!this.#isOpen) await this.inner.open({ clock });
      this.#isOpen = true;
    });
  }

  override async close(): Promise<void> {
    await this.#way();
    this.#isOpen = false;
    await this.#options.process.waitFor(this.inner.close());
  }

  override commit(intents: readonly Intent[]): ReturnType<Storage["commit"]> {
    const commit = (): ReturnType<Storage["commit"]> => this.inner.commit(intents);
    return this.#meet("commit", commit, { again: isRepeatable(intents), isCommit: true });
  }

  override transaction<Result>(body: (tx: StorageTransaction<unknown>) => Promise<Result>): Promise<Committed<Result>> {
    return this.#meet("transaction", () => this.inner.transaction(body), { again: false, isCommit: true });
  }

  protected override call<Answer>(port: string, carryOut: () => Promise<Answer>): Promise<Answer> {
    return this.#meet(port, carryOut, { again: true, isCommit: false });
  }

  protected override async findDead(workers: readonly string[]): Promise<readonly string[]> {
    return this.#options.style.provesDeath ? this.inner.work.findDead(workers) : [];
  }

  /** A hint may be late or doubled; where nobody relies on it, it may be lost. */
  protected override watch(hint: () => void): () => void {
    return this.inner.work.watch(() => void this.#deliver(hint));
  }

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

  async #meet<Answer>(
    port: string,
    carryOut: () => Promise<Answer>,
    { again, isCommit }: { readonly again: boolean; readonly isCommit: boolean },
  ): Promise<Answer> {
    const { misfortune, process } = this.#options;
    const fault = misfortune.next(port, isCommit, process);
    await this.#way();
    await this.#before(fault);
    const answer = await process.waitFor(carryOut());
    if (fault?.kind === "duplicate" && again) await process.waitFor(carryOut()).catch(() => undefined);
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
