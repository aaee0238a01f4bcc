/**
 * A process that can die or be stopped at any time. All that an engine waits for it waits for here: once the process is
 * dead no turn, timer or answer of the storage comes any more; while it is paused they are held back.
 */

import type { Clock } from "../../ports/clock.js";
import type { Owner, Scheduler, Task } from "./scheduler.js";

export class Process implements Owner {
  readonly name: string;
  /** Resolves when it dies. */
  readonly died: Promise<void>;
  readonly #scheduler: Scheduler;
  #isDead = false;
  #pausedUntil = 0;
  #held: Task[] = [];
  #onDeath: () => void = () => {};

  constructor(name: string, scheduler: Scheduler) {
    this.name = name;
    this.#scheduler = scheduler;
    this.died = new Promise((resolve) => {
      this.#onDeath = resolve;
    });
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get isPaused(): boolean {
    return this.#scheduler.time < this.#pausedUntil;
  }

  kill(): void {
    this.#isDead = true;
    this.#held = [];
    this.#onDeath();
  }

  /** As SIGSTOP, and SIGCONT after `ms`. */
  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#scheduler.time + ms);
    this.#scheduler.setTimer(undefined, ms, () => this.#goOn());
  }

  /** Go on at once. */
  resume(): void {
    this.#pausedUntil = 0;
    this.#goOn();
  }

  hold(task: Task): void {
    this.#held.push(task);
  }

  /** What the outside world takes its time for goes on whatever becomes of the process. */
  waitFor<Answer>(call: Promise<Answer>): Promise<Answer> {
    return this.#scheduler.waitFor(call);
  }

  turn(): Promise<void> {
    return this.#scheduler.turn(this);
  }

  sleep(ms: number): Promise<void> {
    return this.#scheduler.sleep(ms, this);
  }

  /** What its engine takes for the time. */
  readonly clock: Clock = {
    now: () => this.#scheduler.wall,
    turn: () => this.turn(),
    setTimer: (delay, fire) => this.#scheduler.setTimer(this, delay, fire),
  };

  #goOn(): void {
    if (this.isPaused) return;
    for (const task of this.#held.splice(0)) this.#scheduler.enqueue(task);
  }
}
