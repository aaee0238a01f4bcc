/**
 * Containers that are started before their run comes: created, attached to, and waiting for their first frame. Each is
 * used for one run, by a program that has heard nothing yet; another takes its place.
 */

import type { ContainerProgram } from "./container-program.js";
import { longestWait } from "./ownership.js";

interface Waiting {
  readonly since: number;
  /** `undefined`: it could not be started. */
  readonly program: Promise<ContainerProgram | undefined>;
}

/** How often what has waited too long is replaced, ms. */
const lookEvery = 60_000;

export class WarmPool {
  readonly #size: number;
  readonly #start: () => Promise<ContainerProgram>;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(size: number, start: () => Promise<ContainerProgram>) {
    this.#size = size;
    this.#start = start;
  }

  open(): void {
    if (this.#size === 0) return;
    this.#timer ??= setInterval(() => this.#renew(), lookEvery);
    this.#timer.unref();
    this.#fill();
  }

  /** One that waits, if there is any that still lives. */
  async take(): Promise<ContainerProgram | undefined> {
    try {
      return await this.#takeLiving();
    } finally {
      this.#fill();
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#drop(() => true);
  }

  async #takeLiving(): Promise<ContainerProgram | undefined> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const program = await next.program;
      if (program !== undefined && !program.isOver) return program;
      await program?.kill();
    }
    return undefined;
  }

  #renew(): void {
    void this.#drop(({ since }) => Date.now() - since > longestWait);
    this.#fill();
  }

  async #drop(isDropped: (waiting: Waiting) => boolean): Promise<void> {
    const dropped = this.#waiting.filter(isDropped);
    this.#waiting = this.#waiting.filter((each) => !dropped.includes(each));
    await Promise.all(dropped.map(async ({ program }) => (await program)?.kill()));
  }

  #fill(): void {
    while (this.#timer !== undefined && this.#waiting.length < this.#size) {
      // What cannot be started now is told to the run that starts one for itself.
      this.#waiting.push({ since: Date.now(), program: this.#start().catch(() => undefined) });
    }
  }
}
