/**
 * A place that some process always fills: one that dies is followed by the next. States: *starting* until it says that
 * it is ready, *up*, *stopped* by SIGSTOP, *down* between two processes, *retired* for good.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { HistoryFile } from "@heddle/core/testing";
import type { Message, Program } from "../proofs/support/program.js";

export type SeatState = "starting" | "up" | "stopped" | "down" | "retired";

type AnyProgram<Told extends Message, Command extends Message> = Program<Told, Command>;

export interface SeatOptions<Told extends Message, Command extends Message> {
  /** `worker3`: its processes are `worker3.1`, `worker3.2`, … */
  readonly name: string;
  start(name: string): AnyProgram<Told, Command>;
  /** Where its end, and what is done to it, is noted. */
  readonly recorder: HistoryFile;
  onTold(told: Told): void;
  /** A process ended that nobody had told to. */
  onSurprise(what: string): void;
}

export class Seat<Told extends Message = Message, Command extends Message = Message> {
  readonly name: string;
  readonly #options: SeatOptions<Told, Command>;
  #program: AnyProgram<Told, Command> | undefined;
  #state: SeatState = "down";
  #generation = 0;
  #closing = false;

  constructor(options: SeatOptions<Told, Command>) {
    this.name = options.name;
    this.#options = options;
    this.#fill();
  }

  get state(): SeatState {
    return this.#state;
  }

  get #process(): string {
    return `${this.name}.${this.#generation}`;
  }

  send(command: Command): void {
    this.#program?.send(command);
  }

  /** SIGKILL. */
  kill(): void {
    this.#note("kill", 0);
    this.#program?.signal("SIGKILL");
  }

  /** SIGSTOP, and SIGCONT after `ms`. */
  async stop(ms: number): Promise<void> {
    const program = this.#program;
    this.#note("stop", ms);
    this.#state = "stopped";
    program?.signal("SIGSTOP");
    await sleep(ms);
    program?.signal("SIGCONT");
    if (this.#program === program && this.#state === "stopped") this.#state = "up";
  }

  /** In good order, as when a new version is rolled out. */
  async close(command: Command): Promise<void> {
    this.#note("close", 0);
    this.#closing = true;
    this.send(command);
    await this.#program?.gone;
  }

  /** The last one goes. */
  async retire(): Promise<void> {
    this.#state = "retired";
    await this.#program?.kill();
  }

  #note(kind: string, ms: number): void {
    this.#options.recorder.note({ type: "fault", kind, worker: this.#process, port: "", ms });
  }

  #fill(): void {
    this.#generation++;
    this.#closing = false;
    this.#state = "starting";
    const program = this.#options.start(this.#process);
    this.#program = program;
    program.on((told) => {
      if (told.type === "ready" && this.#state === "starting") this.#state = "up";
      this.#options.onTold(told);
    });
    void program.gone.then(() => this.#follow(program.ended ?? ""));
  }

  /** @param how a signal, or an exit code */
  #follow(how: string): void {
    if (this.#state === "retired") return;
    const closed = this.#closing && how === "0";
    this.#options.recorder.note({ type: "worker_ended", worker: this.#process, how: closed ? "closed" : "crashed" });
    if (!closed && how !== "SIGKILL") this.#options.onSurprise(`${this.#process} ended by itself (${how})`);
    this.#state = "down";
    this.#fill();
  }
}
