/**
 * Drives one attempt from its claim to its end. It is always in one of these stages:
 *
 * | stage    | entered when                                     | true in it                                         |
 * |---|---|---|
 * | loading  | the run was claimed                              | nothing of the agent has run                       |
 * | running  | the executor was called                          | the lease is ours, the session takes writes        |
 * | stopping | the signal aborted (cancel, timeout, deadline)   | as running, but a grace period ends it             |
 * | ending   | the code returned, or its grace is over          | the session is fenced; one last intent is committed|
 * | done     | that intent is committed, or the lease was lost  | nothing of this attempt can write any more         |
 *
 * `drive` resolves when the attempt is done *and* its code has returned: an abandoned attempt keeps its slot.
 */

import { HeddleError } from "../errors.js";
import type { AttemptRef, NewCheckpoint, NewEvent, Outcome, ReleaseRun } from "../model/intents/intent.js";
import { whyFutile } from "../model/intents/tend-run.js";
import type { JsonObject } from "../model/json.js";
import { parseJson } from "../model/json.js";
import { backoff, mayRetry } from "../model/retry.js";
import type { RunError, RunPolicy, RunRecord } from "../model/run.js";
import { never, storedPolicy } from "../model/run.js";
import { parseWith } from "../model/values-schema.js";
import type { Attempt, AttemptResult, AttemptSession } from "../ports/executor.js";
import { AttemptChildren } from "./attempt-children.js";
import {
  attemptTimedOut,
  canceledError,
  deadlineExceeded,
  engineCloses,
  leaseLost,
  runCanceled,
} from "./attempt-errors.js";
import { AttemptMemory } from "./attempt-memory.js";
import { AttemptPause } from "./attempt-pause.js";
import { AttemptQuestions } from "./attempt-questions.js";
import { attemptSession } from "./attempt-session.js";
import { AttemptSleep } from "./attempt-sleep.js";
import { AttemptSteering } from "./attempt-steering.js";
import { AttemptSteps } from "./attempt-steps.js";
import type { ChangedValues } from "./attempt-values.js";
import { AttemptValues } from "./attempt-values.js";
import { acceptResult, type Verdict } from "./attempt-verdict.js";
import { AttemptWriter } from "./attempt-writer.js";
import type { Core, RegisteredAgent } from "./core.js";
import { LazyAbort } from "./lazy-abort.js";
import { persist } from "./persist.js";
import { runErrorOf } from "./run-error.js";
import { settleWithHook } from "./settle-with-hook.js";

/** Why the attempt must stop. */
type Stop = "cancel" | "timeout" | "deadline" | "lease_lost" | "shutdown";
type Ending =
  | { readonly type: "returned"; readonly result: AttemptResult }
  | { readonly type: "threw"; readonly error: unknown }
  | { readonly type: "futile"; readonly error: RunError }
  /** From inside: see `attempt-pause.ts`. */
  | { readonly type: "paused" }
  | { readonly type: "abandoned" };

export class AttemptDriver {
  readonly run: RunRecord;
  readonly #core: Core;
  readonly #agent: RegisteredAgent;
  readonly #policy: RunPolicy;
  readonly #ref: AttemptRef;
  readonly #abort = new LazyAbort();
  readonly #fence = new LazyAbort();
  readonly #timers: (() => void)[] = [];
  readonly #writer: AttemptWriter;
  readonly #pause: AttemptPause;
  readonly #steering: AttemptSteering;
  #stop: Stop | undefined;
  #ending = false;
  #codeReturned = false;
  #abandon: (() => void) | undefined;
  /** What is stored could be read: before that no attempt can go better than this one. */
  #loaded = false;
  #values: AttemptValues | undefined;
  #questions: AttemptQuestions | undefined;
  #finished: Promise<void> | undefined;

  /** @param onWaiting told when the attempt begins to do nothing but wait, and when it goes on */
  constructor(core: Core, agent: RegisteredAgent, run: RunRecord, onWaiting: (isWaiting: boolean) => void) {
    this.run = run;
    this.#core = core;
    this.#agent = agent;
    this.#policy = storedPolicy(run);
    this.#ref = { runId: run.id, threadId: run.threadId, lineageId: run.lineageId, attempt: run.attempt };
    this.#writer = new AttemptWriter(core, run, this.#ref, {
      requireRunning: () => this.#requireRunning(),
      lost: () => this.loseLease(),
    });
    this.#steering = new AttemptSteering(core, agent, run);
    this.#pause = new AttemptPause({ clock: core.clock, suspendAfter: core.settings.suspendAfter, onWaiting });
  }

  get attempt(): AttemptRef {
    return this.#ref;
  }

  /** Still needs its lease. */
  get holdsLease(): boolean {
    return this.#stop !== "lease_lost";
  }

  /** The run as it now is tells that this attempt wrote its last word, and its code has returned. */
  isOver(run: RunRecord): boolean {
    return this.#codeReturned && run.status !== "running";
  }

  /** Resolves when the attempt is done and its code has returned. Never rejects. */
  async drive(): Promise<void> {
    const code = this.#start();
    this.#finished = this.#end(await code.ended);
    await this.#finished;
    await code.returned;
    this.#clearTimers();
    // Whoever still knows the driver shall not keep a large tree alive.
    this.#values = undefined;
  }

  /** Resolves when nothing of this attempt can write any more. */
  async done(): Promise<void> {
    await this.#finished;
  }

  /** The run's record changed, by whoever's commit. */
  observe(run: RunRecord): void {
    // A transaction's effects are told late: by then the run that it accepted may have been claimed.
    if (this.#ending || run.attempt < this.run.attempt) return;
    if (run.attempt !== this.run.attempt || run.status !== "running") this.#overtaken(run);
    else if (run.cancelRequestedAt !== null) this.#cancel(run);
    else this.#steering.tell(run.steered);
  }

  /** Somebody else took or ended the run: the end of a cancel's grace, if that is what it waited for. */
  #overtaken(run: RunRecord): void {
    if (this.#stop !== "cancel" || run.status !== "canceled") return this.loseLease();
    this.#tellAbandoned();
    this.#stop = "lease_lost";
    this.#abandonNow(leaseLost(this.#ref));
  }

  loseLease(): void {
    if (this.#stop === "lease_lost" || this.#ending) return;
    const error = leaseLost(this.#ref);
    this.#stopWith("lease_lost", error);
    this.#core.lifecycle.emit("lease_lost", { runId: this.run.id, attempt: this.run.attempt });
    this.#abandonNow(error);
  }

  /** Hand the run back, to go on elsewhere or later. */
  shutDown(): void {
    if (this.#ending || this.#stop === "lease_lost") return;
    const error = engineCloses();
    this.#stopWith(this.#stop ?? "shutdown", error);
    this.#abandonNow(error);
  }

  #cancel(run: RunRecord): void {
    if (this.#stop !== undefined) return;
    this.#stopWith("cancel", runCanceled(run));
    const grace = Math.max(0, (run.graceUntil ?? 0) - (run.cancelRequestedAt ?? 0));
    // One more: a timer and the clock may round differently, and an abandoned run settles after its grace.
    this.#later(grace + 1, () => this.#abandonNow(leaseLost(this.#ref)));
  }

  /** Abort the signal; whoever comes first says why. */
  #stopWith(stop: Stop, error: HeddleError): void {
    this.#stop = stop;
    this.#abort.abort(error);
    this.#pause.stopWaits(error);
    this.#steering.end();
  }

  #timeOut(stop: "timeout" | "deadline", error: HeddleError): void {
    if (this.#stop !== undefined || this.#ending) return;
    this.#stopWith(stop, error);
    this.#later(this.#policy.cancelGrace, () => this.#abandonNow(leaseLost(this.#ref)));
  }

  #abandonNow(error: HeddleError): void {
    this.#writer.outbox.abandon(error);
    this.#abandon?.();
    this.#fence.abort(error);
  }

  #later(delay: number, fire: () => void): void {
    this.#timers.push(this.#core.clock.setTimer(delay, fire, "work"));
  }

  /** Call the code. `ended`: it returned, threw, or was abandoned. `returned`: it has really returned. */
  #start(): { readonly ended: Promise<Ending>; readonly returned: Promise<unknown> } {
    const abandoned = new Promise<Ending>((resolve) => {
      this.#abandon = () => resolve({ type: "abandoned" });
    });
    const returned = this.#run();
    const paused = this.#pause.ended.then((): Ending => ({ type: "paused" }));
    // From the question on, what the code makes of it does not count.
    const counts = returned.then((ending) => (this.#pause.isGoing ? ending : paused));
    this.#startTimers();
    return { ended: Promise.race([counts, paused, abandoned]), returned };
  }

  /** A run that was handed over only to be ended is not begun. */
  async #run(): Promise<Ending> {
    const error = this.run.cancelRequestedAt === null ? whyFutile(this.run, this.#core.storageNow()) : canceledError;
    if (error !== undefined) return { type: "futile", error };
    try {
      return { type: "returned", result: await this.#execute() };
    } catch (thrown) {
      return { type: "threw", error: thrown };
    } finally {
      this.#codeReturned = true;
      this.#steering.end();
    }
  }

  #startTimers(): void {
    const { attemptTimeout } = this.#policy;
    if (attemptTimeout !== undefined) {
      this.#later(attemptTimeout, () => this.#timeOut("timeout", attemptTimedOut(this.#ref, attemptTimeout)));
    }
    if (this.run.deadlineAt === null) return;
    const left = Math.max(0, this.run.deadlineAt - this.#core.storageNow());
    this.#later(left, () => this.#timeOut("deadline", deadlineExceeded(this.run)));
  }

  async #execute(): Promise<AttemptResult> {
    const attempt = await this.#load();
    this.#loaded = true;
    return await this.#agent.executor.execute(attempt, await this.#session());
  }

  async #load(): Promise<Attempt> {
    const { run } = this;
    parseJson(run.policy, "policy");
    const { definition } = this.#agent;
    const { values: cache, settings } = this.#core;
    const [abort, fence] = [this.#abort, this.#fence];
    this.#values = await persist(this.#core, () => AttemptValues.load(cache, this.#agent, run, settings.limits.values));
    const inputJson = parseJson(run.input, "input");
    const config = run.config === null ? undefined : parseJson(run.config, "config");
    return {
      runId: run.id,
      threadId: run.threadId,
      lineageId: run.lineageId,
      agent: definition,
      attempt: run.attempt,
      input:
        definition.input === undefined ? inputJson : parseWith(definition.input, inputJson, "INVALID_INPUT", "input"),
      inputJson,
      config:
        definition.config === undefined ? config : parseWith(definition.config, config, "INVALID_CONFIG", "config"),
      metadata: parseJson(run.metadata, "metadata") as JsonObject,
      values: this.#values.visible,
      resumed: run.id !== run.lineageId,
      get signal() {
        return abort.signal;
      },
      get fence() {
        return fence.signal;
      },
      clock: this.#core.clock,
      random: this.#core.random,
    };
  }

  async #session(): Promise<AttemptSession> {
    const parts = { core: this.#core, run: this.run, pause: this.#pause, writer: this.#writer };
    const memory = await AttemptMemory.load(this.#core, this.run);
    this.#questions = await AttemptQuestions.load(this.#core, this.run, memory, this.#pause);
    await this.#steering.load();
    const { breakpoints } = this.#policy;
    const { limits } = this.#core.settings;
    const steps = new AttemptSteps({ ...parts, memory, questions: this.#questions, limits, breakpoints });
    return attemptSession({
      ...parts,
      steps,
      questions: this.#questions,
      sleeps: new AttemptSleep({ ...parts, memory }),
      children: new AttemptChildren({ ...parts, memory, attempt: this.#ref, lost: () => this.loseLease() }),
      steering: this.#steering,
    });
  }

  #requireRunning(): AttemptValues {
    if (this.#values === undefined || this.#ending || this.#stop === "lease_lost") throw leaseLost(this.#ref);
    return this.#values;
  }

  /** The last word of the attempt. */
  async #end(ending: Ending): Promise<void> {
    this.#clearTimers();
    if (ending.type === "abandoned" && this.#stop !== "shutdown") this.#tellAbandoned();
    this.#pause.close(() => leaseLost(this.#ref));
    this.#steering.end();
    const rest = await this.#writer.outbox.close(() => leaseLost(this.#ref));
    await this.#writer.checkpointsWritten();
    if (this.#stop === "lease_lost") return rest.settled(leaseLost(this.#ref));
    this.#ending = true;
    if (ending.type === "paused" && !this.#codeReturned) this.#hurryCode();
    try {
      await this.#writer.flush();
      await this.#write(ending, rest.events);
      rest.settled();
    } catch (error) {
      rest.settled(error);
      if (HeddleError.is(error, "LEASE_LOST")) this.#lostAtTheEnd();
      else this.#core.report(error, `the end of run ${this.run.id}`);
    }
  }

  /** It paused, and its code runs on: nothing of that counts. */
  #hurryCode(): void {
    this.#abort.abort(this.#pause.signal);
    this.#later(this.#policy.cancelGrace, () => this.#fence.abort(this.#pause.signal));
  }

  #tellAbandoned(): void {
    if (this.#stop === "lease_lost") return;
    this.#core.lifecycle.emit("attempt_abandoned", { runId: this.run.id, attempt: this.run.attempt });
  }

  #lostAtTheEnd(): void {
    this.#stopWith("lease_lost", leaseLost(this.#ref));
    this.#core.lifecycle.emit("lease_lost", { runId: this.run.id, attempt: this.run.attempt });
    // Perhaps it is our own settle that settled the run, and only its answer was lost.
    this.#core.catchUp();
  }

  #clearTimers(): void {
    for (const clear of this.#timers.splice(0)) clear();
  }

  async #write(ending: Ending, events: readonly NewEvent[]): Promise<void> {
    if (ending.type === "abandoned" && this.#stop === "shutdown")
      return this.#release("shutdown", events, { delay: 0 });
    if (ending.type === "futile") return this.#giveUp(ending.error, events);
    if (ending.type === "paused" && !this.#isOutOfTime) return this.#writePause(events);
    const verdict = this.#judge(ending);
    if (verdict.type === "succeeded") return this.#settleSucceeded(verdict, events);
    await this.#fail(verdict.error, verdict.final, events);
  }

  get #isOutOfTime(): boolean {
    return this.#stop === "timeout" || this.#stop === "deadline";
  }

  /** Succeeded, or failed and why. A stop that was announced counts, whatever the code made of it. */
  #judge(ending: Exclude<Ending, { type: "futile" }>): Verdict {
    if (this.#isOutOfTime) {
      return { type: "failed", error: runErrorOf(this.#abort.reason), final: this.#stop === "deadline" };
    }
    if (ending.type === "abandoned" || ending.type === "paused") {
      return { type: "failed", error: runErrorOf(leaseLost(this.#ref)), final: false };
    }
    if (ending.type === "threw") {
      return { type: "failed", error: runErrorOf(ending.error), final: !this.#loaded };
    }
    try {
      return acceptResult(this.#core, this.#agent, this.#values, ending.result);
    } catch (error) {
      return { type: "failed", error: runErrorOf(error), final: false };
    }
  }

  /** It asked, or it goes on when what it waits for is there. */
  async #writePause(events: readonly NewEvent[]): Promise<void> {
    const questions = this.#questions?.asked ?? [];
    if (questions.length > 0) {
      await this.#settle({ status: "interrupted", questions, nextRunId: this.#core.random.id("run") }, events);
      return;
    }
    const awaits = this.#pause.suspendedOn.flatMap((wait) => wait.awaits ?? []);
    const until = Math.min(...this.#pause.suspendedOn.map((wait) => wait.until ?? never));
    const why = awaits.length > 0 ? "child" : "sleep";
    await this.#release(why, events, { awaits, ...(until === never ? {} : { until }) });
  }

  async #giveUp(error: RunError, events: readonly NewEvent[]): Promise<void> {
    await this.#settle({ status: "failed", error, counts: "none" }, events);
  }

  async #settleSucceeded(
    { output, changed }: Extract<Verdict, { type: "succeeded" }>,
    events: readonly NewEvent[],
  ): Promise<void> {
    const checkpoint = this.#checkpointOf(changed);
    const settled = await this.#settle({ status: "succeeded", output }, events, checkpoint);
    if (settled.status === "succeeded" && changed !== undefined && checkpoint !== undefined)
      this.#values?.adopt(changed);
  }

  /** A stateless run writes a checkpoint only where something changed. */
  #checkpointOf(changed: ChangedValues | undefined): NewCheckpoint | undefined {
    if (changed === undefined) return undefined;
    return this.run.threadId === null && changed.checkpoint.encoding === "same" ? undefined : changed.checkpoint;
  }

  async #fail(error: RunError, final: boolean, events: readonly NewEvent[]): Promise<void> {
    const failures = this.run.failures + 1;
    const { retry } = this.#policy;
    if (!final && mayRetry(retry, failures)) {
      const delay = backoff(retry, failures, this.#core.random.fraction());
      return this.#release("retry", events, { delay, error });
    }
    await this.#settle({ status: "failed", error, counts: "failure" }, events);
  }

  async #settle(outcome: Outcome, events: readonly NewEvent[], checkpoint?: NewCheckpoint): Promise<RunRecord> {
    const finalCheckpointId = this.#core.random.id("chk");
    const { taken } = this.#steering;
    const intent = { kind: "settle_run", attempt: this.#ref, outcome, events, finalCheckpointId, taken } as const;
    const full = checkpoint === undefined ? intent : { ...intent, checkpoint };
    const { onSettle } = this.#agent.definition;
    if (onSettle === undefined) return persist(this.#core, () => this.#core.committer.commit<"settle_run">(full));
    return settleWithHook(this.#core, this.#agent.definition, full);
  }

  async #release(
    why: ReleaseRun["why"],
    events: readonly NewEvent[],
    given: Partial<Pick<ReleaseRun, "delay" | "until" | "awaits" | "error">>,
  ): Promise<void> {
    const finalCheckpointId = this.#core.random.id("chk");
    const intent = { kind: "release_run", attempt: this.#ref, why, events, delay: 0, finalCheckpointId } as const;
    await persist(this.#core, () => this.#core.committer.commit<"release_run">({ ...intent, ...given }));
  }
}
