/** Starts second processes and calls them. All are gone when the test is over. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Intent } from "@heddle/core/storage";
import { afterEach } from "vitest";

const script = fileURLToPath(new URL("child-main.mjs", import.meta.url));
const running = new Set<Child>();

afterEach(async () => {
  await Promise.all([...running].map((child) => child.kill()));
});

interface Answer {
  readonly call: number;
  readonly value?: unknown;
  readonly error?: { readonly code?: string; readonly message: string };
}

export class Child {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #calls = 0;

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.on("message", (answer: Answer) => this.#waiting.get(answer.call)?.(answer));
    running.add(this);
  }

  static async start(): Promise<Child> {
    const process = fork(script, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    await once(process, "message");
    return new Child(process);
  }

  open = (path: string) => this.#call("open", path);
  close = () => this.#call("close");
  commit = (intents: readonly Intent[]) => this.#call("commit", intents);
  announce = (worker: string) => this.#call("announce", worker);
  findDead = (workers: readonly string[]) => this.#call("findDead", workers);
  count = (times: number) => this.#call("count", times);
  lock = (path: string) => this.#call("lock", path);
  unlock = () => this.#call("unlock");

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process.kill(signal);
  }

  async kill(): Promise<void> {
    running.delete(this);
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }

  async #call(name: string, ...args: unknown[]): Promise<unknown> {
    const call = ++this.#calls;
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(call, resolve);
      this.#process.send({ call, name, args });
    });
    if (answer.error !== undefined) throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
    return answer.value;
  }
}
