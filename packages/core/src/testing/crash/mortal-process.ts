/**
 * The process that a test's engine lives in. All that an engine waits for it waits for here: once the process is dead no
 * turn, timer or answer comes any more, and nothing is carried out on its behalf.
 */

import { HeddleError } from "../../errors.js";
import type { Clock } from "../../ports/clock.js";

export class MortalProcess {
  readonly clock: Clock;
  readonly #onDeath = new Set<() => void>();
  readonly #death = new AbortController();

  constructor(clock: Clock) {
    this.clock = this.#mortalClock(clock);
  }

  get isDead(): boolean {
    return this.signal.aborted;
  }

  /** Aborts when it dies. */
  get signal(): AbortSignal {
    return this.#death.signal;
  }

  /** From one moment to the next. */
  kill(): void {
    this.#death.abort();
    for (const die of this.#onDeath) die();
    this.#onDeath.clear();
  }

  /** Call `die` when the process dies, or now where it is dead. Returns its undo. */
  onDeath(die: () => void): () => void {
    if (this.isDead) die();
    else this.#onDeath.add(die);
    return () => void this.#onDeath.delete(die);
  }

  /** For what runs in the process: it is not begun, and does not end, once the process is dead. */
  async inside<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    if (this.isDead) return never();
    try {
      return await work();
    } finally {
      if (this.isDead) await never();
    }
  }

  /** For who waits outside: it ends with `ENGINE_CLOSED` when the process dies. */
  outside<Answer>(work: PromiseLike<Answer>): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      const undo = this.onDeath(() => reject(crashed()));
      void work.then(resolve, reject).then(undo);
    });
    // Who does not wait for it need not hear of the death.
    answer.catch(() => {});
    return answer;
  }

  #mortalClock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      turn: () => this.inside(() => clock.turn()),
      setTimer: (delay, fire, purpose) => {
        const stop = clock.setTimer(
          delay,
          () => {
            forget();
            fire();
          },
          purpose,
        );
        const forget = this.onDeath(stop);
        return () => {
          forget();
          stop();
        };
      },
    };
  }
}

export function never(): Promise<never> {
  return new Promise(() => {});
}

export function crashed(): HeddleError {
  return new HeddleError(
    "ENGINE_CLOSED",
    "The engine's process died before it answered: what it was asked may have been done or not. Restart it, and ask anew: handles of the dead engine stay dead.",
  );
}
