/**
 * The one scheduler of a simulation. Everything that waits, waits here: for a turn, or for a time. Between two steps all
 * promises that can go on do so (the engine awaits nothing but its ports and promises); then the seed says which of the
 * waiting goes next. Time moves only when nothing else is ready, straight to the next timer.
 */

import type { Dice } from "../history/dice.js";

/** Who waits. A paused owner's turns and timers are held back, a dead one's never come. */
export interface Owner {
  readonly isDead: boolean;
  readonly isPaused: boolean;
  hold(task: Task): void;
}

export interface Task {
  readonly owner: Owner | undefined;
  readonly go: () => void;
}

interface Timer extends Task {
  readonly at: number;
}

export interface SchedulerStyle {
  /** Of several ready tasks any may go first; otherwise in the order of their coming. */
  readonly shuffles: boolean;
  /** All that are ready go in one turn of the loop, as they would in a real one; otherwise one by one. */
  readonly bursts: boolean;
}

/** Real ms that a database may take to answer. */
const patience = 30_000;
/** Where every simulation begins. */
const begin = Date.UTC(2030, 0, 1);

export class Scheduler {
  readonly #dice: Dice;
  readonly #style: SchedulerStyle;
  readonly #timers = new Set<Timer>();
  /** Calls to a real database that have not come back. */
  readonly #away = new Set<Promise<unknown>>();
  #ready: Task[] = [];
  #time = 0;
  #jumped = 0;
  #latest = begin;
  /** Steps so far: what a simulation that chases its own tail is recognised by. */
  steps = 0;

  constructor(dice: Dice, style: SchedulerStyle) {
    this.#dice = dice;
    this.#style = style;
  }

  /** Time that has passed, ms. */
  get time(): number {
    return this.#time;
  }

  /** What the clock on the wall says: it may jump. */
  get wall(): number {
    return begin + this.#time + this.#jumped;
  }

  jump(ms: number): void {
    this.#latest = Math.max(this.#latest, this.wall);
    this.#jumped += ms;
  }

  /** Set the clock past all that it ever said: what was to wait until then need wait no longer. */
  catchUp(): void {
    if (this.#latest > this.wall) this.jump(this.#latest - this.wall + 60_000);
  }

  turn(owner?: Owner): Promise<void> {
    return new Promise((resolve) => this.enqueue({ owner, go: resolve }));
  }

  enqueue(task: Task): void {
    this.#ready.push(task);
  }

  /** Returns its undo. */
  setTimer(owner: Owner | undefined, delay: number, fire: () => void): () => void {
    let undone = false;
    const go = (): void => {
      if (!undone) fire();
    };
    const timer: Timer = { owner, go, at: this.#time + Math.max(Math.ceil(delay), 0) };
    if (delay <= 0) this.enqueue(timer);
    else this.#timers.add(timer);
    return () => {
      undone = true;
      this.#timers.delete(timer);
    };
  }

  sleep(ms: number, owner?: Owner): Promise<void> {
    return new Promise((resolve) => this.setTimer(owner, ms, resolve));
  }

  /** What takes real time takes no virtual time: nothing else goes on until it comes back. */
  waitFor<Answer>(call: Promise<Answer>): Promise<Answer> {
    const back = (): void => void this.#away.delete(call);
    this.#away.add(call);
    call.then(back, back);
    return call;
  }

  /** Step until `isDone`, or until the time or the steps are over. Answers whether it is done. */
  async run(isDone: () => boolean, limits: { readonly time: number; readonly steps: number }): Promise<boolean> {
    const lastStep = this.steps + limits.steps;
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#away.size > 0) await this.#allBack();
      if (isDone()) return true;
      if (this.steps++ > lastStep) return false;
      if (this.#ready.length > 0) this.#letGo();
      else if (!this.#moveTime(limits.time)) return false;
    }
  }

  async #allBack(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the database does not answer within ${patience} ms`)), patience);
    });
    try {
      while (this.#away.size > 0) {
        await Promise.race([Promise.allSettled(this.#away), tooLate]);
        // What goes on with an answer may call again.
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #letGo(): void {
    const together = this.#style.bursts ? this.#ready.length : 1;
    const shuffles = this.#style.shuffles && this.#ready.length > 1;
    for (let count = 0; count < together; count++) {
      const at = shuffles ? this.#dice.between(0, this.#ready.length - 1) : 0;
      const [task] = this.#ready.splice(at, 1);
      if (task !== undefined) release(task);
    }
  }

  /** To the next timer; timers of one moment go in an order that the seed chooses. */
  #moveTime(limit: number): boolean {
    let due: Timer[] = [];
    let at = Number.POSITIVE_INFINITY;
    for (const timer of this.#timers) {
      if (timer.owner?.isDead) this.#timers.delete(timer);
      else if (timer.at < at) [at, due] = [timer.at, [timer]];
      else if (timer.at === at) due.push(timer);
    }
    if (at > limit) {
      this.#time = limit;
      return false;
    }
    this.#time = at;
    for (const timer of due) {
      this.#timers.delete(timer);
      this.enqueue(timer);
    }
    return true;
  }
}

function release(task: Task): void {
  if (task.owner?.isDead) return;
  if (task.owner?.isPaused) task.owner.hold(task);
  else task.go();
}
