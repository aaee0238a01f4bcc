/**
 * Containers that are started before their run comes: created, attached to, and waiting for their first frame. Each is
 * used for one run, by a program that has heard nothing yet; another takes its place.
 */

import type { ContainerProgram } from "./container-program.js";

export class WarmPool {
  readonly #size: number;
  readonly #start: () => Promise<ContainerProgram>;
  readonly #waiting: Promise<ContainerProgram | undefined>[] = [];
  #isOpen = false;

  constructor(size: number, start: () => Promise<ContainerProgram>) {
    this.#size = size;
    this.#start = start;
  }

  open(): void {
    this.#isOpen = true;
    this.#fill();
  }

  /** One that waits, if there is any that still lives. */
  async take(): Promise<ContainerProgram | undefined> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const program = await next;
      if (program !== undefined && !program.isOver) {
        this.#fill();
        return program;
      }
      await program?.kill();
    }
    this.#fill();
    return undefined;
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    await Promise.all(this.#waiting.splice(0).map(async (waiting) => (await waiting)?.kill()));
  }

  #fill(): void {
    while (this.#isOpen && this.#waiting.length < this.#size) {
      // What cannot be started now is told to the run that starts one for itself.
      this.#waiting.push(this.#start().catch(() => undefined));
    }
  }
}
