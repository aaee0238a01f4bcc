/**
 * What the agent of one attempt may do meanwhile. Each part is made when it is first used: most agents use few of them, and
 * making all of them was a tenth of a trivial run.
 */

import type { AttemptRef, NewEvent } from "../model/intents/intent.js";
import type { Json, JsonObject } from "../model/json.js";
import type { RunPolicy, RunRecord } from "../model/run.js";
import type { ChildOptions, ChildRef } from "../ports/agent-calls.js";
import type { AskOptions, AttemptSession, Remembered, SteeredMessage, Wake } from "../ports/executor.js";
import { AttemptChildren } from "./attempt-children.js";
import { AttemptMemory } from "./attempt-memory.js";
import type { AttemptPause } from "./attempt-pause.js";
import { AttemptQuestions } from "./attempt-questions.js";
import { AttemptSleep } from "./attempt-sleep.js";
import { AttemptSteering } from "./attempt-steering.js";
import { AttemptSteps } from "./attempt-steps.js";
import type { WriterHooks } from "./attempt-writer.js";
import { AttemptWriter } from "./attempt-writer.js";
import type { Core, RegisteredAgent } from "./core.js";
import type { DeltaOptions, EmitOptions } from "./frames.js";

export interface SessionParts {
  readonly core: Core;
  readonly agent: RegisteredAgent;
  readonly run: RunRecord;
  readonly attempt: AttemptRef;
  readonly policy: RunPolicy;
  readonly pause: AttemptPause;
  readonly hooks: WriterHooks;
}

/** Events that were not on their way yet when the attempt ended, to be written with its end. */
export interface Rest {
  readonly events: readonly NewEvent[];
  /** Those who sent them are told. */
  settled(failure?: unknown): void;
}

export const noRest: Rest = { events: [], settled: () => {} };
const none: readonly never[] = [];

export class LiveSession implements AttemptSession {
  readonly #parts: SessionParts;
  #madeWriter: AttemptWriter | undefined;
  #madeMemory: AttemptMemory | undefined;
  #madeQuestions: AttemptQuestions | undefined;
  #madeSteps: AttemptSteps | undefined;
  #madeSleeps: AttemptSleep | undefined;
  #madeChildren: AttemptChildren | undefined;
  #madeSteering: AttemptSteering | undefined;
  #abandoned: Error | undefined;
  #steeringIsOver = false;

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** Is there anything that earlier attempts or runs of the lineage left, or others handed to the run? */
  get hasPast(): boolean {
    const { run } = this.#parts;
    return run.attempt > 1 || run.id !== run.lineageId || run.steered > 0;
  }

  /** Read what there is, before the agent begins. */
  async load(): Promise<void> {
    const { core, run, pause } = this.#parts;
    this.#madeMemory = await AttemptMemory.load(core, run);
    this.#madeQuestions = await AttemptQuestions.load(core, run, this.#madeMemory, pause);
    await this.#steering.load();
  }

  emit(type: string, payload: unknown, options?: EmitOptions): Promise<void> {
    return this.#parts.pause.call(() => this.#writer.emit(type, payload, options));
  }

  delta(type: string, payload: unknown, options?: DeltaOptions): void {
    if (this.#parts.pause.isGoing) this.#writer.delta(type, payload, options);
  }

  checkpoint(values: Readonly<Record<string, unknown>>): Promise<JsonObject> {
    return this.#parts.pause.call(() => this.#writer.checkpoint(values));
  }

  beginStep(key: string): Promise<Remembered | undefined> {
    return this.#parts.pause.call(() => this.#steps.begin(key));
  }

  endStep(key: string, result: unknown): Promise<Remembered> {
    return this.#steps.end(key, result);
  }

  failStep(key: string): void {
    this.#steps.fail(key);
  }

  ask(key: string, payload: unknown, options?: AskOptions): Promise<Json> {
    return this.#questions.ask(key, payload, options);
  }

  sleep(wake: Wake, key?: string): Promise<void> {
    return this.#sleeps.sleep(wake, key);
  }

  startChild(key: string, agent: string, input: unknown, options?: ChildOptions): Promise<ChildRef> {
    return this.#children.start(key, agent, input, options);
  }

  childResult(key: string): Promise<Json> {
    return this.#children.result(key);
  }

  takeSteered(): Promise<readonly SteeredMessage[]> {
    return this.#parts.pause.call(() => this.#steering.take());
  }

  nextSteered(): Promise<SteeredMessage | undefined> {
    return this.#parts.pause.call(() => this.#steering.next());
  }

  /** What the agent asked, to be stored by the settle. */
  get asked(): AttemptQuestions["asked"] {
    return this.#madeQuestions?.asked ?? none;
  }

  /** Runs that were handed to this one and that the agent took. */
  get taken(): readonly string[] {
    return this.#madeSteering?.taken ?? none;
  }

  /** @param steered how many runs were handed to this one so far */
  tellSteered(steered: number): void {
    if (steered > 0) this.#steering.tell(steered);
  }

  /** Nothing is taken any more. */
  endSteering(): void {
    this.#steeringIsOver = true;
    this.#madeSteering?.end();
  }

  /** Fence: what is not committed is refused. */
  abandon(error: Error): void {
    this.#abandoned = error;
    this.#madeWriter?.outbox.abandon(error);
  }

  /** Did the agent send or write anything that may be under way? */
  get hasWritten(): boolean {
    return this.#madeWriter !== undefined;
  }

  /** No more is taken, and no commit is under way. @param error what later calls get */
  async close(error: () => Error): Promise<Rest> {
    if (this.#madeWriter === undefined) return noRest;
    const rest = await this.#madeWriter.outbox.close(error);
    await this.#madeWriter.checkpointsWritten();
    return rest;
  }

  /** Write what was kept back. @throws HeddleError LEASE_LOST, STORAGE_… */
  async flush(): Promise<void> {
    await this.#madeWriter?.flush();
  }

  get #writer(): AttemptWriter {
    this.#madeWriter ??= this.#makeWriter();
    return this.#madeWriter;
  }

  #makeWriter(): AttemptWriter {
    const { core, run, attempt, policy, hooks } = this.#parts;
    const writer = new AttemptWriter(core, run, attempt, { ...hooks, durability: policy.durability ?? "sync" });
    if (this.#abandoned !== undefined) writer.outbox.abandon(this.#abandoned);
    return writer;
  }

  get #memory(): AttemptMemory {
    const { core, run } = this.#parts;
    this.#madeMemory ??= AttemptMemory.blank(core, run.lineageId);
    return this.#madeMemory;
  }

  get #questions(): AttemptQuestions {
    const { core, pause } = this.#parts;
    this.#madeQuestions ??= AttemptQuestions.unanswered(core, this.#memory, pause);
    return this.#madeQuestions;
  }

  get #steps(): AttemptSteps {
    this.#madeSteps ??= this.#makeSteps();
    return this.#madeSteps;
  }

  #makeSteps(): AttemptSteps {
    const { core, policy, pause } = this.#parts;
    const { limits } = core.settings;
    const { breakpoints } = policy;
    const [memory, questions, writer] = [this.#memory, this.#questions, this.#writer];
    return new AttemptSteps({ memory, questions, writer, pause, limits, breakpoints });
  }

  get #sleeps(): AttemptSleep {
    const { core, run, pause } = this.#parts;
    this.#madeSleeps ??= new AttemptSleep({ core, run, pause, memory: this.#memory, writer: this.#writer });
    return this.#madeSleeps;
  }

  get #children(): AttemptChildren {
    this.#madeChildren ??= this.#makeChildren();
    return this.#madeChildren;
  }

  #makeChildren(): AttemptChildren {
    const { core, run, attempt, pause, hooks } = this.#parts;
    return new AttemptChildren({ core, run, attempt, pause, memory: this.#memory, lost: hooks.lost });
  }

  get #steering(): AttemptSteering {
    this.#madeSteering ??= this.#makeSteering();
    return this.#madeSteering;
  }

  #makeSteering(): AttemptSteering {
    const { core, agent, run } = this.#parts;
    const steering = new AttemptSteering(core, agent, run);
    if (this.#steeringIsOver) steering.end();
    return steering;
  }
}
