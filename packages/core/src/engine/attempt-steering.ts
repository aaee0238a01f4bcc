/**
 * Runs that were handed to the live run, as messages for its attempt. What the attempt took settles with the run; an
 * attempt that ends in any other way has consumed nothing, and the next one gets them again.
 */

import type { JsonObject } from "../model/json.js";
import { parseJson } from "../model/json.js";
import type { RunRecord } from "../model/run.js";
import { parseWith } from "../model/values-schema.js";
import type { SteeredMessage } from "../ports/executor.js";
import type { RunFilter } from "../ports/storage.js";
import type { Core, RegisteredAgent } from "./core.js";
import { persist } from "./persist.js";

const pageSize = 500;

type Waiter = (message: SteeredMessage | undefined) => void;

export class AttemptSteering {
  readonly #core: Core;
  readonly #agent: RegisteredAgent;
  readonly #run: RunRecord;
  readonly #messages: SteeredMessage[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #seen = new Set<string>();
  readonly #taken: string[] = [];
  /** How many were handed to the run, as far as was told; and when it was looked for them last. */
  #told: number;
  #looked = 0;
  #looking: Promise<void> | undefined;
  #earlier: Promise<void> | undefined;
  #isOver = false;

  constructor(core: Core, agent: RegisteredAgent, run: RunRecord) {
    this.#core = core;
    this.#agent = agent;
    this.#run = run;
    this.#told = run.steered;
  }

  /** Ids of the runs that the attempt took. */
  get taken(): readonly string[] {
    return this.#taken;
  }

  /** Before the agent begins: what earlier attempts were given, and what earlier runs of the lineage had taken. */
  async load(): Promise<void> {
    await this.#loadEarlier();
    await this.#look();
  }

  /** @param steered as the run's record says now */
  tell(steered: number): void {
    this.#told = Math.max(this.#told, steered);
    void this.#look();
  }

  /** All that wait to be taken. */
  async take(): Promise<SteeredMessage[]> {
    await this.#look();
    if (this.#isOver) return [];
    return this.#messages.splice(0).map((message) => this.#took(message));
  }

  /** The next one, as soon as there is one; `undefined` at the end of the attempt. */
  async next(): Promise<SteeredMessage | undefined> {
    await this.#look();
    if (this.#isOver) return undefined;
    const message = this.#messages.shift();
    if (message !== undefined) return this.#took(message);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Nothing is taken any more: what nobody took becomes a run of its own. */
  end(): void {
    this.#isOver = true;
    for (const resolve of this.#waiters.splice(0)) resolve(undefined);
  }

  #took(message: SteeredMessage): SteeredMessage {
    this.#taken.push(message.runId);
    return message;
  }

  #look(): Promise<void> {
    if (this.#looking !== undefined) return this.#looking;
    if (this.#looked >= this.#told || this.#isOver) return Promise.resolve();
    this.#looking = this.#lookUntilCurrent().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** What earlier runs of the lineage had taken: it comes first, also where something else is handed over meanwhile. */
  #loadEarlier(): Promise<void> {
    this.#earlier ??= this.#run.id === this.#run.lineageId ? Promise.resolve() : this.#readEarlier();
    return this.#earlier;
  }

  async #readEarlier(): Promise<void> {
    const earlier = await this.#list({ status: ["interrupted"] });
    // They settled one after the other, in the order in which they came.
    this.#add(earlier.sort((a, b) => a.lastSeq - b.lastSeq));
  }

  async #lookUntilCurrent(): Promise<void> {
    try {
      await this.#loadEarlier();
      while (this.#looked < this.#told && !this.#isOver) {
        const told = this.#told;
        const waiting = await this.#list({ status: ["pending"] });
        this.#add(waiting.sort((a, b) => (a.queuePosition ?? 0) - (b.queuePosition ?? 0)));
        this.#looked = told;
      }
    } catch (error) {
      this.#core.report(error, `looking for what was handed to run ${this.#run.id}`);
    }
  }

  async #list(filter: Pick<RunFilter, "status">): Promise<RunRecord[]> {
    const runs: RunRecord[] = [];
    for (;;) {
      const last = runs.at(-1);
      const query = {
        ...filter,
        steers: this.#run.lineageId,
        sortBy: "createdAt",
        order: "asc",
        limit: pageSize,
        ...(last === undefined ? {} : { after: { value: last.createdAt, id: last.id } }),
      } as const;
      const page = await persist(this.#core, () => this.#core.storage.runs.list(query));
      runs.push(...page);
      if (page.length < pageSize) return runs;
    }
  }

  #add(runs: readonly RunRecord[]): void {
    for (const run of runs) {
      if (this.#seen.has(run.id)) continue;
      this.#seen.add(run.id);
      const message = this.#messageOf(run);
      if (message === undefined || this.#isOver) continue;
      const waiter = this.#waiters.shift();
      if (waiter === undefined) this.#messages.push(message);
      else waiter(this.#took(message));
    }
  }

  /** One that the agent's schema does not take any more is left: as a run of its own it fails and says why. */
  #messageOf(run: RunRecord): SteeredMessage | undefined {
    const { input: schema } = this.#agent.definition;
    try {
      const inputJson = parseJson(run.input, "input");
      return {
        runId: run.id,
        input: schema === undefined ? inputJson : parseWith(schema, inputJson, "INVALID_INPUT", "input"),
        inputJson,
        metadata: parseJson(run.metadata, "metadata") as JsonObject,
      };
    } catch (error) {
      this.#core.report(error, `handing run ${run.id} to run ${this.#run.id}`);
      return undefined;
    }
  }
}
