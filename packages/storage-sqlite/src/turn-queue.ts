/**
 * Who may use a connection: one transaction at a time, first come first served. A turn that ends is handed straight to
 * the next in line, so nobody who comes later overtakes those who wait.
 *
 * Reads take no turn of their own, for they are done in one go: they wait in the same line while a transaction is open,
 * and run between two turns. While the holder of the turn waits for another process's lock (`pause`), nothing of ours is
 * open and reads pass.
 */
export class TurnQueue {
  readonly #waiting: Waiting[] = [];
  #state: "free" | "taken" | "paused" = "free";

  /** May statements run that belong to no transaction? */
  get isOpen(): boolean {
    return this.#state !== "taken";
  }

  async enter(): Promise<void> {
    if (this.#state === "free") this.#state = "taken";
    else await new Promise<void>((resolve) => this.#waiting.push({ take: resolve }));
  }

  leave(): void {
    this.#state = "free";
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next.take === undefined) next.read();
      else {
        this.#state = "taken";
        next.take();
        return;
      }
    }
  }

  /** Run `work`, which must be synchronous and leave no transaction open, as soon as none is. */
  async read<Result>(work: () => Result): Promise<Result> {
    if (this.isOpen) return work();
    return new Promise<Result>((resolve, reject) => {
      const read = () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.push({ read });
    });
  }

  /** The holder waits, without a transaction: reads may pass until `resume`. */
  pause(): void {
    this.#state = "paused";
    const others = this.#waiting.splice(0);
    for (const one of others) {
      if (one.take === undefined) one.read();
      else this.#waiting.push(one);
    }
  }

  resume(): void {
    this.#state = "taken";
  }
}

type Waiting =
  | { readonly take: () => void; readonly read?: undefined }
  | { readonly read: () => void; readonly take?: undefined };
