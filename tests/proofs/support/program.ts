/**
 * A child program, as the proof that started it holds it. The child tells what it does over a pipe of its own (see
 * `tell.ts`), written synchronously: what it told before a SIGKILL arrives. Commands go the other way over Node's IPC.
 */

import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { onTestFinished } from "vitest";
import { compiledProgram } from "./compile.js";

export interface Message {
  readonly type: string;
}

export class Program<Told extends Message, Command extends Message> {
  readonly pid: number;
  /** Resolves when the process is gone and all that it told was read. */
  readonly gone: Promise<void>;
  readonly #child: ChildProcess;
  readonly #listeners = new Set<(message: Told) => void>();
  #ended: string | undefined;

  constructor(child: ChildProcess) {
    if (child.pid === undefined) throw new Error("the program did not start");
    this.pid = child.pid;
    this.#child = child;
    const lines = createInterface({ input: child.stdio[3] as Readable });
    lines.on("line", (line) => this.#hear(line));
    const exited = new Promise<string>((resolve) => child.once("exit", (code, signal) => resolve(`${signal ?? code}`)));
    const drained = new Promise<void>((resolve) => lines.once("close", resolve));
    this.gone = Promise.all([exited, drained]).then(([how]) => {
      this.#ended = how;
    });
  }

  /** How the process ended; `undefined` while it lives. */
  get ended(): string | undefined {
    return this.#ended;
  }

  /** Returns its undo. */
  on(listener: (message: Told) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The next message of this type that fits. Rejects when the program ends without it. */
  next<Type extends Told["type"]>(
    type: Type,
    fits: (message: Extract<Told, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<Told, { type: Type }>> {
    return new Promise((resolve, reject) => {
      const undo = this.on((message) => {
        if (message.type !== type || !fits(message as Extract<Told, { type: Type }>)) return;
        undo();
        resolve(message as Extract<Told, { type: Type }>);
      });
      void this.gone.then(() => reject(new Error(`the program ended (${this.#ended}) without telling "${type}"`)));
    });
  }

  send(command: Command): void {
    // A program that was killed meanwhile cannot be told anything: its end is seen elsewhere.
    this.#child.send(command, () => {});
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.gone;
  }

  #hear(line: string): void {
    const message = JSON.parse(line) as Told;
    for (const listener of [...this.#listeners]) listener(message);
  }
}

/**
 * Start `proofs/programs/<name>.ts`. It is killed at the end of the test, should it still live.
 * @param wrapper a program and arguments that shall run it
 */
export function startProgram<Told extends Message, Command extends Message>(
  name: string,
  args: readonly string[],
  wrapper: readonly string[] = [],
): Program<Told, Command> {
  const program = spawnProgram<Told, Command>(`proofs/programs/${name}`, args, wrapper);
  onTestFinished(() => program.kill());
  return program;
}

/**
 * Whoever starts it ends it.
 * @param name see `compiledProgram`
 */
export function spawnProgram<Told extends Message, Command extends Message>(
  name: string,
  args: readonly string[],
  wrapper: readonly string[] = [],
): Program<Told, Command> {
  const [command = "", ...rest] = [...wrapper, process.execPath, compiledProgram(name), ...args];
  const child = spawn(command, rest, { stdio: ["ignore", "inherit", "inherit", "pipe", "ipc"] });
  return new Program<Told, Command>(child);
}
