/** The executors of one engine, from its start to its close. */

import type { Executor, ExecutorHost } from "../ports/executor.js";
import type { Core } from "./core.js";

export class Executors {
  readonly #core: Core;
  readonly #host: ExecutorHost;
  #open: Executor[] = [];

  constructor(core: Core) {
    this.#core = core;
    this.#host = {
      worker: core.worker,
      holds: (runId, attempt) => this.#holds(runId, attempt),
      report: (error, during) => core.report(error, during),
    };
  }

  /** Only where their agents are worked for. */
  async open(): Promise<void> {
    const { agents, agentNames } = this.#core;
    const executors = new Set(agentNames.flatMap((name) => agents.get(name)?.executor ?? []));
    for (const executor of executors) {
      this.#open.push(executor);
      await executor.open?.(this.#host);
    }
  }

  async close(): Promise<void> {
    for (const executor of this.#open.splice(0)) {
      try {
        await executor.close?.(this.#host);
      } catch (error) {
        this.#core.report(error, `closing executor ${executor.name}`);
      }
    }
  }

  async #holds(runId: string, attempt: number): Promise<boolean | undefined> {
    const run = await this.#core.storage.runs.get(runId);
    return run === undefined ? undefined : run.status === "running" && run.attempt === attempt;
  }
}
