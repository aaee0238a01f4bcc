/**
 * How an attempt ends from inside: it asked a question, or all it does is wait for what takes long.
 *
 * | state  | entered when                                                        | true in it                                    |
 * |---|---|---|
 * | going  | the attempt begins                                                  | calls are taken                               |
 * | ending | a question was asked; nothing but waits for `suspendAfter`          | only questions and ends of steps are taken    |
 * | ended  | no step is in flight, and the event loop has turned once since then | nothing is taken                              |
 */

import type { Clock } from "../ports/clock.js";
import { AttemptEnded } from "../ports/executor.js";
import { endless } from "./settings.js";

/** What a call waits for; with neither, for something that this process alone knows. */
export interface Wait {
  /** Epoch ms by the storage's clock. */
  readonly until?: number;
  /** The lineage of a child. */
  readonly awaits?: string;
}

interface Waiter extends Wait {
  reject(error: unknown): void;
}

export interface PauseOptions {
  readonly clock: Clock;
  /** ms; `Infinity`: waits stay in memory. */
  readonly suspendAfter: number;
  /** Told when the attempt begins to do nothing but wait, and when it goes on. */
  onWaiting(isWaiting: boolean): void;
  /** Told once the attempt has ended from inside. */
  onEnded(): void;
}

export class AttemptPause {
  #signal: AttemptEnded | undefined;
  #closed: (() => Error) | undefined;
  readonly #options: PauseOptions;
  #state: "going" | "ending" | "ended" = "going";
  #steps = 0;
  #calls = 0;
  #turning = false;
  #isWaiting = false;
  #cancelTimer: (() => void) | undefined;
  readonly #waits = new Set<Waiter>();
  #suspendedOn: readonly Wait[] = [];
  /** Why nothing is waited for any more. */
  #stopped: Error | undefined;

  constructor(options: PauseOptions) {
    this.#options = options;
  }

  get isGoing(): boolean {
    return this.#state === "going";
  }

  /** What calls get once the attempt ends from inside. Made when needed: an error with its stack took an eighth of a trivial run. */
  get signal(): AttemptEnded {
    this.#signal ??= new AttemptEnded();
    return this.#signal;
  }

  /** What calls get that are not taken any more. */
  get refusal(): Error {
    return this.#closed?.() ?? this.signal;
  }

  /** What a suspended attempt waited for. */
  get suspendedOn(): readonly Wait[] {
    return this.#suspendedOn;
  }

  /** A call of the agent. Rejects without doing `work` unless the attempt is going. */
  call<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.#state !== "going") return Promise.reject(this.refusal);
    this.#calls++;
    this.#look();
    const over = (): void => {
      this.#calls--;
      this.#look();
    };
    const result = work();
    result.then(over, over);
    return result;
  }

  stepBegins(): void {
    this.#steps++;
    this.#look();
  }

  stepEnds(): void {
    this.#steps--;
    this.#look();
  }

  /** A wait of the agent: the attempt may be suspended meanwhile. Rejects then, and at the end. */
  wait<Value>(what: Wait, done: Promise<Value>): Promise<Value> {
    if (this.#state !== "going") return Promise.reject(this.refusal);
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { ...what, reject };
      this.#waits.add(waiter);
      done.then(resolve, reject).finally(() => {
        this.#waits.delete(waiter);
        // The agent goes on, if only for a moment.
        this.#stopWaiting();
        this.#look();
      });
      this.#look();
    });
  }

  /** The attempt has to stop: its waits, too, end with the reason. */
  stopWaits(reason: Error): void {
    this.#stopped ??= reason;
    this.#dropWaits(() => reason);
  }

  /** A question is asked. @throws where the attempt has ended already */
  beginToEnd(): void {
    if (this.#state === "ended") throw this.refusal;
    if (this.#state === "going") this.#beginToEnd();
  }

  /**
   * The attempt is over.
   * @param refusal what later calls get where it did not end from inside; made only when needed
   */
  close(refusal: () => Error): void {
    if (this.#state === "going") this.#closed = refusal;
    this.#state = "ended";
    this.#dropWaits(() => this.refusal);
  }

  #beginToEnd(): void {
    this.#state = "ending";
    this.#dropWaits(() => this.refusal);
    this.#look();
  }

  #dropWaits(reason: () => Error): void {
    this.#stopWaiting();
    for (const waiter of this.#waits) waiter.reject(reason());
    this.#waits.clear();
  }

  #look(): void {
    if (this.#state === "going") this.#lookAtWaits();
    if (this.#state === "ending" && this.#steps === 0 && !this.#turning) void this.#turn();
  }

  #lookAtWaits(): void {
    const isWaiting = this.#waits.size > 0 && this.#calls === 0 && this.#steps === 0;
    if (!isWaiting) return this.#stopWaiting();
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    const { clock, suspendAfter, onWaiting } = this.#options;
    onWaiting(true);
    if (suspendAfter < endless) this.#cancelTimer = clock.setTimer(suspendAfter, () => this.#suspend(), "work");
  }

  #stopWaiting(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#cancelTimer?.();
    this.#options.onWaiting(false);
  }

  #suspend(): void {
    if (this.#state !== "going") return;
    this.#suspendedOn = [...this.#waits].map(({ until, awaits }) => ({
      ...(until === undefined ? {} : { until }),
      ...(awaits === undefined ? {} : { awaits }),
    }));
    this.#beginToEnd();
  }

  /** Others that ran at the same time may ask too, or begin nothing: one turn shows. */
  async #turn(): Promise<void> {
    this.#turning = true;
    await this.#options.clock.turn();
    this.#turning = false;
    if (this.#state !== "ending" || this.#steps > 0) return;
    this.#state = "ended";
    this.#options.onEnded();
  }
}
