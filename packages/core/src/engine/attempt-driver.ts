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
import { parseJson } from "../model/json.js";
import { backoff, mayRetry } from "../model/retry.js";
import type { RunError, RunPolicy, RunRecord } from "../model/run.js";
import { never, storedPolicy } from "../model/run.js";
import type { Attempt, AttemptResult } from "../ports/executor.js";
import {
  attemptTimedOut,
  canceledError,
  deadlineExceeded,
  engineCloses,
  leaseLost,
  runCanceled,
} from "./attempt-errors.js";
import { AttemptPause } from "./attempt-pause.js";
import { LiveSession, noRest } from "./attempt-session.js";
import type { ChangedValues } from "./attempt-values.js";
import { AttemptValues } from "./attempt-values.js";
import { acceptResult, type Verdict } from "./attempt-verdict.js";
import type { Core, RegisteredAgent } from "./core.js";
import { LazyAbort } from "./lazy-abort.js";
import { liveAttempt } from "./live-attempt.js";
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
  readonly #pause: AttemptPause;
  readonly #session: LiveSession;
  #stop: Stop | undefined;
  #ending = false;
  #codeReturned = false;
  #endNow: ((ending: Ending) => void) | undefined;
  /** What is stored could be read: before that no attempt can go better than this one. */
  #loaded = false;
  #values: AttemptValues | undefined;
  #finished: Promise<void> | undefined;

  /** @param onWaiting told when the attempt begins to do nothing but wait, and when it goes on */
  constructor(core: Core, agent: RegisteredAgent, run: RunRecord, onWaiting: (isWaiting: boolean) => void) {
    this.run = run;
    this.#core = core;
    this.#agent = agent;
    this.#policy = run.policy === agent.policy ? agent.parsedPolicy : storedPolicy(run);
    this.#ref = { runId: run.id, threadId: run.threadId, lineageId: run.lineageId, attempt: run.attempt };
    const { clock, settings } = core;
    const onEnded = (): void => this.#endNow?.({ type: "paused" });
    this.#pause = new AttemptPause({ clock, suspendAfter: settings.suspendAfter, onWaiting, onEnded });
    const hooks = { requireRunning: () => this.#requireRunning(), lost: () => this.loseLease() };
    const [attempt, policy, pause] = [this.#ref, this.#policy, this.#pause];
    this.#session = new LiveSession({ core, agent, run, attempt, policy, pause, hooks });
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
    // It returned, threw, ended itself or was abandoned: what comes first counts.
    const ended = new Promise<Ending>((resolve) => {
      this.#endNow = resolve;
    });
    const code = this.#start();
    this.#finished = this.#end(await ended);
    await this.#finished;
    if (!this.#codeReturned) await code;
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
    else this.#session.tellSteered(run.steered);
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
    this.#session.endSteering();
  }

  #timeOut(stop: "timeout" | "deadline", error: HeddleError): void {
    if (this.#stop !== undefined || this.#ending) return;
    this.#stopWith(stop, error);
    this.#later(this.#policy.cancelGrace, () => this.#abandonNow(leaseLost(this.#ref)));
  }

  #abandonNow(error: HeddleError): void {
    this.#session.abandon(error);
    this.#endNow?.({ type: "abandoned" });
    this.#fence.abort(error);
  }

  #later(delay: number, fire: () => void): void {
    this.#timers.push(this.#core.clock.setTimer(delay, fire, "work"));
  }

  /** Call the code. From a question on, what it makes of that does not count. */
  #start(): Promise<Ending> {
    const code = this.#run();
    void code.then((ending) => {
      if (this.#pause.isGoing) this.#endNow?.(ending);
    });
    this.#startTimers();
    return code;
  }

  /** A run that was handed over only to be ended is not begun. */
  async #run(): Promise<Ending> {
    const error = this.run.cancelRequestedAt === null ? whyFutile(this.run, this.#core.storageNow()) : canceledError;
    if (error !== undefined) return { type: "futile", error };
    try {
      this.#values = AttemptValues.atHand(this.#core, this.#agent, this.run) ?? (await this.#readValues());
      const attempt = this.#attempt(this.#values);
      this.#loaded = true;
      if (this.#session.hasPast) await this.#session.load();
      return { type: "returned", result: await this.#agent.executor.execute(attempt, this.#session) };
    } catch (thrown) {
      return { type: "threw", error: thrown };
    } finally {
      this.#codeReturned = true;
      this.#session.endSteering();
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

  /** @throws HeddleError INVALID_INPUT, INVALID_CONFIG, CORRUPT_DATA */
  #attempt({ visible }: AttemptValues): Attempt {
    const { policy, definition } = this.#agent;
    if (this.run.policy !== policy) parseJson(this.run.policy, "policy");
    return liveAttempt(this.#core, definition, this.run, visible, { abort: this.#abort, fence: this.#fence });
  }

  #readValues(): Promise<AttemptValues> {
    return persist(this.#core, () => AttemptValues.load(this.#core, this.#agent, this.run));
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
    this.#session.endSteering();
    const rest = this.#session.hasWritten ? await this.#session.close(() => leaseLost(this.#ref)) : noRest;
    if (this.#stop === "lease_lost") return rest.settled(leaseLost(this.#ref));
    this.#ending = true;
    if (ending.type === "paused" && !this.#codeReturned) this.#hurryCode();
    try {
      if (this.#session.hasWritten) await this.#session.flush();
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

  #write(ending: Ending, events: readonly NewEvent[]): Promise<unknown> {
    if (ending.type === "abandoned" && this.#stop === "shutdown")
      return this.#release("shutdown", events, { delay: 0 });
    if (ending.type === "futile") return this.#giveUp(ending.error, events);
    if (ending.type === "paused" && !this.#isOutOfTime) return this.#writePause(events);
    const verdict = this.#judge(ending);
    if (verdict.type === "succeeded") return this.#settleSucceeded(verdict, events);
    return this.#fail(verdict.error, verdict.final, events);
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
  #writePause(events: readonly NewEvent[]): Promise<unknown> {
    const questions = this.#session.asked;
    if (questions.length > 0)
      return this.#settle({ status: "interrupted", questions, nextRunId: this.#core.random.id("run") }, events);
    const awaits = this.#pause.suspendedOn.flatMap((wait) => wait.awaits ?? []);
    const until = Math.min(...this.#pause.suspendedOn.map((wait) => wait.until ?? never));
    const why = awaits.length > 0 ? "child" : "sleep";
    return this.#release(why, events, { awaits, ...(until === never ? {} : { until }) });
  }

  #giveUp(error: RunError, events: readonly NewEvent[]): Promise<unknown> {
    return this.#settle({ status: "failed", error, counts: "none" }, events);
  }

  #settleSucceeded(
    { output, changed }: Extract<Verdict, { type: "succeeded" }>,
    events: readonly NewEvent[],
  ): Promise<unknown> {
    const checkpoint = this.#checkpointOf(changed);
    const settled = this.#settle({ status: "succeeded", output }, events, checkpoint);
    if (changed === undefined || checkpoint === undefined) return settled;
    return settled.then(({ status }) => {
      if (status === "succeeded") this.#values?.adopt(changed);
    });
  }

  /** A stateless run writes a checkpoint only where something changed. */
  #checkpointOf(changed: ChangedValues | undefined): NewCheckpoint | undefined {
    if (changed === undefined) return undefined;
    return this.run.threadId === null && changed.checkpoint.encoding === "same" ? undefined : changed.checkpoint;
  }

  #fail(error: RunError, final: boolean, events: readonly NewEvent[]): Promise<unknown> {
    const failures = this.run.failures + 1;
    const { retry } = this.#policy;
    if (!final && mayRetry(retry, failures)) {
      const delay = backoff(retry, failures, this.#core.random.fraction());
      return this.#release("retry", events, { delay, error });
    }
    return this.#settle({ status: "failed", error, counts: "failure" }, events);
  }

  #settle(outcome: Outcome, events: readonly NewEvent[], checkpoint?: NewCheckpoint): Promise<RunRecord> {
    const finalCheckpointId = this.#core.random.id("chk");
    const { taken } = this.#session;
    const intent = { kind: "settle_run", attempt: this.#ref, outcome, events, finalCheckpointId, taken } as const;
    const full = checkpoint === undefined ? intent : { ...intent, checkpoint };
    const { onSettle } = this.#agent.definition;
    if (onSettle === undefined) return persist(this.#core, () => this.#core.committer.commit<"settle_run">(full));
    return settleWithHook(this.#core, this.#agent.definition, full);
  }

  #release(
    why: ReleaseRun["why"],
    events: readonly NewEvent[],
    given: Partial<Pick<ReleaseRun, "delay" | "until" | "awaits" | "error">>,
  ): Promise<unknown> {
    const finalCheckpointId = this.#core.random.id("chk");
    const intent = { kind: "release_run", attempt: this.#ref, why, events, delay: 0, finalCheckpointId } as const;
    return persist(this.#core, () => this.#core.committer.commit<"release_run">({ ...intent, ...given }));
  }
}
