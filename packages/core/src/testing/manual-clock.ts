/**
 * A clock that stands still until it is told to move. Timers fire one by one in the order of their times, and between
 * two of them the event loop turns until everything that is ready has run, so tests never sleep and never race.
 */

import { requireOptions } from "../engine/check-input.js";
import { requireNumber } from "../engine/settings.js";
import type { Clock, TimerPurpose } from "../ports/clock.js";
import { requireFinite } from "./check-arguments.js";

export interface ManualClock extends Clock {
  /** Move on by `ms`, firing what falls due on the way. */
  advance(ms: number): Promise<void>;
  /** As `advance`, to a point in time. A past one fires nothing. */
  advanceTo(time: Date | number): Promise<void>;
  /** When the next timer will fire, epoch ms; of one purpose where it is given. */
  nextTimer(purpose?: TimerPurpose): number | undefined;
  /** Let the event loop turn until nobody waits for a turn any more. */
  settle(): Promise<void>;
  /**
   * Virtual time waits for `work`, which takes real time: a call to a server. Not for ever: what hangs is left behind.
   */
  waitFor(work: Promise<unknown>): void;
  /** Set the wall clock forward or back without firing anything, as an administrator would. */
  jump(ms: number): void;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
  readonly purpose: TimerPurpose;
}

/** More turns than this in one `settle`: something asks for turns for ever. */
const maxTurns = 10_000;
/** Real ms without an end of anything waited for, after which all of it counts as hanging. */
const leastPatience = 500;
const mostPatience = 5_000;
/** On a busy machine everything takes longer: so many times what calls took lately. */
const patiencePerCall = 10;

/**
 * @param options.now where it begins; default 2030-01-01T00:00:00Z
 * @throws HeddleError INVALID_ARGUMENT
 */
export function manualClock(options: { readonly now?: Date | number } = {}): ManualClock {
  requireOptions("options", options);
  return new StandingClock(requireFinite("now", options.now ?? Date.UTC(2030, 0, 1)));
}

class StandingClock implements ManualClock {
  #now: number;
  /** How far `jump` moved the wall clock: timers follow the time that passes, not what the clock says. */
  #jumped = 0;
  #order = 0;
  #waitingForTurn = 0;
  readonly #timers = new Set<Timer>();
  readonly #work = new Set<Promise<void>>();
  /** Real ms that the slower calls took lately. */
  #pace = 0;

  constructor(now: number) {
    this.#now = now;
  }

  now(): number {
    return this.#now + this.#jumped;
  }

  setTimer(delay: number, fire: () => void, purpose: TimerPurpose): () => void {
    const timer: Timer = { at: this.#now + Math.max(delay, 0), order: this.#order++, fire, purpose };
    this.#timers.add(timer);
    if (timer.at === this.#now) void this.turn().then(() => this.#fire(timer));
    return () => void this.#timers.delete(timer);
  }

  async turn(): Promise<void> {
    this.#waitingForTurn++;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#waitingForTurn--;
  }

  async settle(): Promise<void> {
    for (let turns = 0; turns < maxTurns; turns++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#work.size > 0 && (await this.#someWorkEnds())) turns = 0;
      else if (this.#waitingForTurn === 0) return;
    }
    throw new Error(`the event loop is not idle after ${maxTurns} turns`);
  }

  waitFor(work: Promise<unknown>): void {
    const begunAt = performance.now();
    const ended = (): void => {
      this.#work.delete(done);
      const took = performance.now() - begunAt;
      // One that was left behind waited for something else than the machine.
      if (took < this.#patience) this.#pace = Math.max(took, this.#pace * 0.9);
    };
    const done = Promise.resolve(work).then(ended, ended);
    this.#work.add(done);
  }

  get #patience(): number {
    return Math.min(Math.max(leastPatience, this.#pace * patiencePerCall), mostPatience);
  }

  /** @returns false when all of it hangs */
  async #someWorkEnds(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), this.#patience);
    });
    const ended = Promise.race([...this.#work]).then(() => true);
    return Promise.race([ended, tooLong]).finally(() => clearTimeout(timer));
  }

  nextTimer(purpose?: TimerPurpose): number | undefined {
    const timer = this.#next(purpose);
    return timer && timer.at + this.#jumped;
  }

  async advanceTo(time: Date | number): Promise<void> {
    await this.advance(Math.max(requireFinite("time", time) - this.now(), 0));
  }

  async advance(ms: number): Promise<void> {
    const target = this.#now + requireNumber("ms", requireFinite("ms", ms), 0);
    await this.settle();
    for (let timer = this.#next(); timer !== undefined && timer.at <= target; timer = this.#next()) {
      this.#now = Math.max(this.#now, timer.at);
      this.#fire(timer);
      await this.settle();
    }
    this.#now = Math.max(this.#now, target);
    await this.settle();
  }

  jump(ms: number): void {
    this.#jumped += requireFinite("ms", ms);
  }

  #fire(timer: Timer): void {
    if (this.#timers.delete(timer)) timer.fire();
  }

  #next(purpose?: TimerPurpose): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (purpose !== undefined && timer.purpose !== purpose) continue;
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    return next;
  }
}
