/** The worker processes: hired one by one, and sent home in good order. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Worker {
  readonly name: string;
  state: "starts" | "works" | "leaves" | "left";
  /** What it weaves at the moment. */
  pieces: readonly number[];
}

const file = fileURLToPath(new URL("./worker.ts", import.meta.url));

export class Fleet {
  readonly workers: Worker[] = [];
  readonly #processes = new Map<Worker, ChildProcess>();

  /** Resolves when it works. */
  async hire(): Promise<Worker> {
    const worker: Worker = { name: `worker ${this.workers.length + 1}`, state: "starts", pieces: [] };
    const child = fork(file, { env: { ...process.env, WORKER: worker.name } });
    this.workers.push(worker);
    this.#processes.set(worker, child);
    child.on("message", (pieces: number[]) => {
      worker.pieces = pieces;
    });
    child.once("exit", () => Object.assign(worker, { state: "left", pieces: [] }));
    await once(child, "message");
    worker.state = "works";
    return worker;
  }

  /** It takes nothing new, ends what it has, and goes. */
  async dismiss(worker: Worker | undefined): Promise<void> {
    const child = worker && this.#processes.get(worker);
    if (child === undefined || worker === undefined || worker.state !== "works") return;
    worker.state = "leaves";
    child.send("leave");
    await once(child, "exit");
  }

  /** Whatever happened. */
  kill(): void {
    for (const child of this.#processes.values()) child.kill("SIGKILL");
  }
}
