/** Carries out a plan's faults: counts the calls of all workers, and strikes at those that the plan names. */

import type { Recorder } from "../history/recorder.js";
import type { Misfortune } from "./faulty-storage.js";
import type { Fault } from "./plan.js";
import type { Process } from "./process.js";
import type { Scheduler } from "./scheduler.js";
import type { SimWorker } from "./sim-worker.js";

export class BadLuck implements Misfortune {
  readonly #scheduler: Scheduler;
  readonly #recorder: Recorder;
  readonly #faults = new Map<string, Fault>();
  #workers: readonly SimWorker[] = [];
  #calls = 0;
  #commits = 0;
  #isOver = false;
  #quietFrom = 0;

  constructor(faults: readonly Fault[], scheduler: Scheduler, recorder: Recorder) {
    this.#scheduler = scheduler;
    this.#recorder = recorder;
    for (const fault of faults) this.#faults.set(`${fault.among} ${fault.at}`, fault);
  }

  befall(workers: readonly SimWorker[]): void {
    this.#workers = workers;
  }

  /** From then on no call is held back any more, virtual ms. */
  get quietFrom(): number {
    return this.#quietFrom;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** No more of it. */
  end(): void {
    this.#isOver = true;
  }

  next(port: string, isCommit: boolean, process: Process): Fault | undefined {
    this.#calls++;
    if (isCommit) this.#commits++;
    const fault =
      (isCommit ? this.#faults.get(`commits ${this.#commits}`) : undefined) ?? this.#faults.get(`calls ${this.#calls}`);
    if (this.#isOver || fault === undefined) return undefined;
    this.#recorder.note({ type: "fault", kind: fault.kind, worker: process.name, port, ms: fault.ms });
    // Its way there takes time too.
    if (fault.kind === "delay") this.#quietFrom = Math.max(this.#quietFrom, this.#scheduler.time + fault.ms + 5_000);
    if (fault.kind === "jump") this.#scheduler.jump(fault.ms);
    if (fault.kind === "close") this.#close(process, fault);
    return fault;
  }

  crash(process: Process, after: number): void {
    const worker = this.#workerOf(process);
    if (worker === undefined || process.isDead) return;
    worker.crash();
    this.#replace(worker, after);
  }

  #close(process: Process, fault: Fault): void {
    const worker = this.#workerOf(process);
    if (worker?.life === undefined) return;
    // Its process may die while it closes: what takes its place is then started by the crash.
    void worker.close(fault.ms).then((isClosed) => isClosed && this.#replace(worker, fault.ms));
  }

  #workerOf(process: Process): SimWorker | undefined {
    return this.#workers.find((worker) => worker.process === process);
  }

  #replace(worker: SimWorker, after: number): void {
    this.#scheduler.setTimer(undefined, after, () => void worker.start());
  }
}
