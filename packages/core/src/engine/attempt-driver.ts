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
import type { DeltaFrame } from "../model/event.js";
import { streamOf } from "../model/event.js";
import type { AttemptRef, NewCheckpoint, NewEvent, Outcome, RecordProgress } from "../model/intents/intent.js";
import { whyFutile } from "../model/intents/tend-run.js";
import type { Json, JsonObject } from "../model/json.js";
import { byteLength, copyJson, parseJson } from "../model/json.js";
import { backoff, mayRetry } from "../model/retry.js";
import type { RunError, RunPolicy, RunRecord } from "../model/run.js";
import { storedPolicy } from "../model/run.js";
import { storedReason } from "../model/run-view.js";
import { shown } from "../model/shown.js";
import { parseWith } from "../model/values-schema.js";
import type { Attempt, AttemptResult, AttemptSession } from "../ports/executor.js";
import { Outbox } from "../runtime/outbox.js";
import type { ChangedValues } from "./attempt-values.js";
import { AttemptValues } from "./attempt-values.js";
import { checkId } from "./check-input.js";
import type { Core, RegisteredAgent } from "./core.js";
import { persist } from "./persist.js";
import { runErrorOf } from "./run-error.js";
import { settleWithHook } from "./settle-with-hook.js";

/** Why the signal aborted. */
type Stop = "cancel" | "timeout" | "deadline" | "lease_lost" | "shutdown";
type Ending =
  | { readonly type: "returned"; readonly result: AttemptResult }
  | { readonly type: "threw"; readonly error: unknown }
  | { readonly type: "futile"; readonly error: RunError }
  | { readonly type: "abandoned" };

export class AttemptDriver {
  readonly run: RunRecord;
  readonly #core: Core;
  readonly #agent: RegisteredAgent;
  readonly #policy: RunPolicy;
  readonly #ref: AttemptRef;
  readonly #abort = new AbortController();
  readonly #fence = new AbortController();
  readonly #timers: (() => void)[] = [];
  readonly #outbox: Outbox;
  #stop: Stop | undefined;
  #ending = false;
  #codeReturned = false;
  #abandon: (() => void) | undefined;
  /** What is stored could be read: before that no attempt can go better than this one. */
  #loaded = false;
  #values: AttemptValues | undefined;
  #checkpoints: Promise<unknown> = Promise.resolve();
  #writing: Promise<unknown> = Promise.resolve();
  #deltas = 0;
  /** The newest event of this attempt that is committed: what a delta that is sent now follows. */
  #lastSeq: number;
  #finished: Promise<void> | undefined;

  constructor(core: Core, agent: RegisteredAgent, run: RunRecord) {
    this.run = run;
    this.#core = core;
    this.#agent = agent;
    this.#policy = storedPolicy(run);
    this.#ref = { runId: run.id, threadId: run.threadId, lineageId: run.lineageId, attempt: run.attempt };
    this.#lastSeq = run.lastSeq;
    this.#outbox = new Outbox(
      (events) => this.#record(events),
      (delta) => core.deltas.publish(streamOf(run), delta, this.#lastSeq),
    );
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
    const error = new HeddleError("ENGINE_CLOSED", "The engine is closing: the run goes on after the next start.");
    this.#stopWith(this.#stop ?? "shutdown", error);
    this.#abandonNow(error);
  }

  #cancel(run: RunRecord): void {
    if (this.#stop !== undefined) return;
    const reason = storedReason(run);
    const error = new HeddleError("RUN_CANCELED", `Run "${run.id}" was canceled (${reason.kind}).`, {
      details: { runId: run.id, reason },
    });
    this.#stopWith("cancel", error);
    const grace = Math.max(0, (run.graceUntil ?? 0) - (run.cancelRequestedAt ?? 0));
    // One more: a timer and the clock may round differently, and an abandoned run settles after its grace.
    this.#later(grace + 1, () => this.#abandonNow(leaseLost(this.#ref)));
  }

  /** Abort the signal; whoever comes first says why. */
  #stopWith(stop: Stop, error: HeddleError): void {
    this.#stop = stop;
    if (!this.#abort.signal.aborted) this.#abort.abort(error);
  }

  #timeOut(stop: "timeout" | "deadline", error: HeddleError): void {
    if (this.#stop !== undefined || this.#ending) return;
    this.#stopWith(stop, error);
    this.#later(this.#policy.cancelGrace, () => this.#abandonNow(leaseLost(this.#ref)));
  }

  #abandonNow(error: HeddleError): void {
    this.#outbox.abandon(error);
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
    this.#startTimers();
    return { ended: Promise.race([returned, abandoned]), returned };
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
    return await this.#agent.executor.execute(attempt, this.#session());
  }

  async #load(): Promise<Attempt> {
    const { run } = this;
    parseJson(run.policy, "policy");
    const { definition } = this.#agent;
    const { values: cache, settings } = this.#core;
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
      signal: this.#abort.signal,
      fence: this.#fence.signal,
    };
  }

  #session(): AttemptSession {
    return {
      emit: (type, payload, options) => this.#emit(type, payload, options?.key),
      delta: (type, payload, options) => this.#delta(type, payload, options),
      checkpoint: (values) => this.#checkpoint(values),
    };
  }

  #emit(type: string, payload: unknown, key: string | undefined): Promise<void> {
    try {
      const { limits } = this.#core.settings;
      const event = newEvent(type, payload, limits.event);
      return this.#outbox.emit(key === undefined ? event : { ...event, key: checkId("event key", key, limits) });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #delta(type: string, payload: unknown, options: { readonly messageId?: string } = {}): void {
    requireOwnType(type);
    // Before its number is given out: a refused delta leaves no gap.
    const copy = copyJson(payload ?? null, "delta");
    const frame: DeltaFrame = {
      kind: "delta",
      runId: this.run.id,
      attempt: this.run.attempt,
      sequenceNumber: ++this.#deltas,
      type,
      ...(options.messageId === undefined ? {} : { messageId: options.messageId }),
      payload: copy,
    };
    this.#outbox.delta(frame);
  }

  /** One after the other: each is against the one before. */
  #checkpoint(update: Readonly<Record<string, unknown>>): Promise<JsonObject> {
    const written = this.#checkpoints.then(() => this.#writeCheckpoint(update));
    this.#checkpoints = written.catch(() => {});
    return written;
  }

  async #writeCheckpoint(update: Readonly<Record<string, unknown>>): Promise<JsonObject> {
    await this.#outbox.drain();
    const values = this.#requireRunning();
    const changed = values.change(update, this.#core.random.id("chk"));
    if (changed.checkpoint.encoding === "same") return values.visible;
    await this.#commitHeld({ events: [], checkpoint: changed.checkpoint });
    values.adopt(changed);
    return values.visible;
  }

  #requireRunning(): AttemptValues {
    if (this.#values === undefined || this.#ending || this.#stop === "lease_lost") throw leaseLost(this.#ref);
    return this.#values;
  }

  async #record(events: readonly NewEvent[]): Promise<void> {
    await this.#commitHeld({ events });
  }

  /** One after the other: each says behind which event it comes, so that it may be sent again when its answer got lost. */
  #commitHeld(progress: Omit<RecordProgress, "kind" | "attempt">): Promise<void> {
    const written = this.#writing.then(() => this.#commitNext(progress));
    this.#writing = written.catch(() => {});
    return written;
  }

  async #commitNext(progress: Omit<RecordProgress, "kind" | "attempt">): Promise<void> {
    const intent = { kind: "record_progress", attempt: this.#ref, after: this.#lastSeq, ...progress } as const;
    try {
      const { lastSeq } = await persist(this.#core, () => this.#core.committer.commit<"record_progress">(intent));
      this.#lastSeq = lastSeq;
    } catch (error) {
      if (HeddleError.is(error, "LEASE_LOST")) this.loseLease();
      throw error;
    }
  }

  /** The last word of the attempt. */
  async #end(ending: Ending): Promise<void> {
    this.#clearTimers();
    if (ending.type === "abandoned" && this.#stop !== "shutdown") this.#tellAbandoned();
    const rest = await this.#outbox.close(() => leaseLost(this.#ref));
    await this.#checkpoints;
    if (this.#stop === "lease_lost") return rest.settled(leaseLost(this.#ref));
    this.#ending = true;
    try {
      await this.#write(ending, rest.events);
      rest.settled();
    } catch (error) {
      rest.settled(error);
      if (HeddleError.is(error, "LEASE_LOST")) this.#lostAtTheEnd();
      else this.#core.report(error, `the end of run ${this.run.id}`);
    }
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
    if (ending.type === "abandoned" && this.#stop === "shutdown") return this.#release("shutdown", events, 0);
    if (ending.type === "futile") return this.#giveUp(ending.error, events);
    const verdict = this.#judge(ending);
    if (verdict.type === "succeeded") return this.#settleSucceeded(verdict, events);
    await this.#fail(verdict.error, verdict.final, events);
  }

  /** Succeeded, or failed and why. A stop that was announced counts, whatever the code made of it. */
  #judge(ending: Exclude<Ending, { type: "futile" }>): Verdict {
    if (this.#stop === "timeout" || this.#stop === "deadline") {
      return { type: "failed", error: runErrorOf(this.#abort.signal.reason), final: this.#stop === "deadline" };
    }
    if (ending.type === "abandoned") return { type: "failed", error: runErrorOf(leaseLost(this.#ref)), final: false };
    if (ending.type === "threw") {
      return { type: "failed", error: runErrorOf(ending.error), final: !this.#loaded };
    }
    try {
      return this.#accept(ending.result);
    } catch (error) {
      return { type: "failed", error: runErrorOf(error), final: false };
    }
  }

  #accept(result: AttemptResult): Verdict {
    if (typeof result !== "object" || result === null) {
      throw new HeddleError("INVALID_OUTPUT", "The agent must return an object { output, values } or nothing.");
    }
    const { output: schema } = this.#agent.definition;
    const given =
      schema === undefined ? (result.output ?? null) : parseWith(schema, result.output, "INVALID_OUTPUT", "output");
    const output = JSON.stringify(copyJson(given ?? null, "output"));
    requireSize("output", output, this.#core.settings.limits.output);
    if (result.values === undefined) return { type: "succeeded", output, changed: undefined };
    const changed = this.#values?.change(result.values, this.#core.random.id("chk"));
    return { type: "succeeded", output, changed };
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
      return this.#release("retry", events, delay, error);
    }
    await this.#settle({ status: "failed", error, counts: "failure" }, events);
  }

  async #settle(outcome: Outcome, events: readonly NewEvent[], checkpoint?: NewCheckpoint): Promise<RunRecord> {
    const finalCheckpointId = this.#core.random.id("chk");
    const intent = { kind: "settle_run", attempt: this.#ref, outcome, events, finalCheckpointId } as const;
    const full = checkpoint === undefined ? intent : { ...intent, checkpoint };
    const { onSettle } = this.#agent.definition;
    if (onSettle === undefined) return persist(this.#core, () => this.#core.committer.commit<"settle_run">(full));
    return settleWithHook(this.#core, this.#agent.definition, full);
  }

  async #release(
    why: "retry" | "shutdown",
    events: readonly NewEvent[],
    delay: number,
    error?: RunError,
  ): Promise<void> {
    const finalCheckpointId = this.#core.random.id("chk");
    const intent = { kind: "release_run", attempt: this.#ref, why, events, delay, finalCheckpointId } as const;
    const full = error === undefined ? intent : { ...intent, error };
    await persist(this.#core, () => this.#core.committer.commit<"release_run">(full));
  }
}

/** Never stored: a run whose cancel was requested settles as canceled. */
const canceledError: RunError = { code: "RUN_CANCELED", message: "The run was canceled before this attempt." };

type Verdict =
  | { readonly type: "succeeded"; readonly output: string; readonly changed: ChangedValues | undefined }
  | { readonly type: "failed"; readonly error: RunError; readonly final: boolean };

function newEvent(type: string, payload: unknown, limit: number): NewEvent {
  requireOwnType(type);
  const text = JSON.stringify(copyJson(payload ?? null, `event ${type}`) satisfies Json);
  requireSize(`event ${type}`, text, limit);
  return { type, payload: text };
}

/** Lifecycle frames are the engine's own: a reader must be able to trust them. */
function requireOwnType(type: unknown): void {
  const fits = typeof type === "string" && type.length > 0 && type.length <= 100 && !reserved.test(type);
  if (fits) return;
  throw new HeddleError(
    "INVALID_ARGUMENT",
    `"${shown(type)}" cannot be a frame's type: 1 to 100 characters, and "run_…", "thread_…" and "values_updated" are the engine's.`,
    { details: { field: "type" } },
  );
}

const reserved = /^(run_|thread_|values_updated$|snapshot$|dropped$)/;

function requireSize(what: string, text: string, limit: number): void {
  const size = text.length * 3 <= limit ? 0 : byteLength(text);
  if (size <= limit) return;
  throw new HeddleError("TOO_LARGE", `The ${what} has ${size} bytes of JSON; the limit is ${limit}.`, {
    details: { what, size, limit },
  });
}

function leaseLost({ runId, attempt }: AttemptRef): HeddleError {
  const message = `Attempt ${attempt} of run "${runId}" no longer holds the run; nothing it does now is written.`;
  return new HeddleError("LEASE_LOST", message, { details: { runId, attempt } });
}

function attemptTimedOut({ runId, attempt }: AttemptRef, limit: number): HeddleError {
  const message = `Attempt ${attempt} of run "${runId}" took longer than ${limit} ms.`;
  return new HeddleError("ATTEMPT_TIMEOUT", message, { details: { runId, attempt, limit } });
}

function deadlineExceeded(run: RunRecord): HeddleError {
  const message = `Run "${run.id}" was not done by its deadline.`;
  return new HeddleError("DEADLINE_EXCEEDED", message, { details: { runId: run.id, deadlineAt: run.deadlineAt } });
}
