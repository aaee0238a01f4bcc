/** One run, as its starter and everyone who looks it up holds it. */

import { HeddleError } from "../errors.js";
import type { RunFrame } from "../model/event.js";
import { streamOf } from "../model/event.js";
import type { JsonObject } from "../model/json.js";
import { parseJson } from "../model/json.js";
import type { CancelReason, RunError, RunRecord } from "../model/run.js";
import { isSettled } from "../model/run.js";
import type { Run } from "../model/run-view.js";
import { storedError, storedReason, viewRun } from "../model/run-view.js";
import type { Artifact } from "./artifacts.js";
import { readArtifacts } from "./artifacts.js";
import { cancelOnDisconnect } from "./cancel-on-disconnect.js";
import { checkCancelOptions, checkReaderOptions } from "./check-input.js";
import type { Core } from "./core.js";
import type { AskedQuestion, EngineEvents } from "./frames.js";
import { runGone, runNotFound } from "./not-found.js";
import type { FrameStream, StreamOptions } from "./open-stream.js";
import { runFrames } from "./open-stream.js";
import type { Question } from "./question-view.js";
import { viewQuestion } from "./question-view.js";
import type { Asked } from "./resume.js";
import { answerWith, resumeWith } from "./resume.js";

/** How a run ended. */
export type RunOutcome<Output = unknown> =
  | { readonly status: "succeeded"; readonly output: Output }
  | { readonly status: "failed"; readonly error: RunError }
  | { readonly status: "canceled"; readonly reason: CancelReason }
  /** The questions as they were asked; none once the run is deleted. */
  | { readonly status: "interrupted"; readonly questions: readonly AskedQuestion[] };

export interface WaitOptions {
  /** Aborting it ends the wait (rejects with its reason), not the run. */
  readonly signal?: AbortSignal;
  /** `cancel`: aborting the signal cancels the run too. Default `continue`. */
  readonly onDisconnect?: "continue" | "cancel";
}

export interface CancelOptions {
  /** Resolve only when the run is settled and nothing of it can write any more. */
  readonly wait?: boolean;
  /** ms that a running agent gets to stop. Default: the engine's `cancelGrace`. */
  readonly grace?: number;
  /** Kept with the run. At most 1,000 characters. */
  readonly note?: string;
  /** Take back what the run did to its thread: the values are again those from before it. Default `false`. */
  readonly rollback?: boolean;
}

export interface CancelResult {
  /** `late`: the run had settled before. `requested`: it runs, its signal is aborted. */
  readonly outcome: "canceled" | "requested" | "late";
  /** With `wait`: whether the agent's code returned, or was fenced off after its grace. */
  readonly stopped?: true | "abandoned";
}

export class RunHandle<Output = unknown> {
  readonly id: string;
  /** `undefined`: a stateless run. */
  readonly threadId: string | undefined;
  readonly agent: string;
  readonly #core: Core;
  #settled: RunRecord | undefined;
  #watching: Promise<RunRecord | undefined> | undefined;

  /** @internal */
  constructor(core: Core, run: RunRecord, settled?: Promise<RunRecord | undefined>) {
    this.id = run.id;
    this.threadId = run.threadId ?? undefined;
    this.agent = run.agent;
    this.#core = core;
    if (isSettled(run.status)) this.#settled = run;
    this.#watching = settled;
  }

  /**
   * The output, once the run has succeeded.
   * @throws HeddleError RUN_FAILED, RUN_CANCELED, RUN_INTERRUPTED, RUN_GONE; the signal's reason
   */
  async result(options: WaitOptions = {}): Promise<Output> {
    const run = this.#there(await this.#wait(options));
    const outcome = run.status === "interrupted" ? await this.#interrupted(run) : outcomeOf<Output>(run);
    if (outcome.status === "succeeded") return outcome.output;
    throw unsuccessful(this.id, outcome);
  }

  /**
   * How the run ended, whichever way. Rejects only where there is nothing to wait for.
   * @throws HeddleError RUN_GONE; the signal's reason
   */
  async settled(options: WaitOptions = {}): Promise<RunOutcome<Output>> {
    const run = this.#there(await this.#wait(options));
    return run.status === "interrupted" ? this.#interrupted(run) : outcomeOf<Output>(run);
  }

  /** Frames from the run's first event to its terminal one. */
  events(options: StreamOptions = {}): FrameStream<RunFrame> {
    return runFrames(this.#core, this.id, options);
  }

  /** The run as it is now. @throws HeddleError RUN_NOT_FOUND */
  async info(): Promise<Run> {
    return viewRun(await this.#record());
  }

  /** The values after this run's newest checkpoint: of a stateless run its own, else its thread's as the run left them. */
  async values(): Promise<JsonObject> {
    const run = await this.#record();
    const { tree } = await this.#core.values.load(run.headCheckpointId, run.threadId ?? run.lineageId);
    return tree;
  }

  /** The files that the run has left so far, by name. @throws HeddleError RUN_NOT_FOUND */
  async artifacts(): Promise<Artifact[]> {
    return readArtifacts(this.#core, await this.#record());
  }

  /** @throws HeddleError RUN_NOT_FOUND */
  async cancel(options: CancelOptions = {}): Promise<CancelResult> {
    const { grace, reason } = checkCancelOptions(options);
    const { outcome } = await this.#core.cancel({ id: this.id, threadId: this.threadId ?? null }, reason, grace);
    if (outcome === "late") return { outcome: "late" };
    const answer = outcome === "settled" ? "canceled" : "requested";
    if (options.wait !== true) return { outcome: answer };
    if (outcome === "settled") return { outcome: answer, stopped: true };
    return { outcome: "canceled", stopped: await this.#waitStopped() };
  }

  /** All questions of the run's lineage, by key. @throws HeddleError RUN_NOT_FOUND */
  async questions(): Promise<readonly Question[]> {
    const { lineageId } = await this.#record();
    const questions = await this.#core.storage.lineages.questions(lineageId);
    return questions.map((question) => viewQuestion(question, this.#core.storageNow()));
  }

  /**
   * Answer the one open question of the run's lineage. The next run of the lineage starts from the top, with the same
   * input, and gets the answer where this one asked.
   * @param answer JSON; default `null`
   * @returns that run
   * @throws HeddleError QUESTION_NOT_FOUND, QUESTION_CLOSED, INVALID_ANSWER, INVALID_JSON, RUN_NOT_FOUND; INVALID_ARGUMENT
   *   (with the ids) where several are open
   */
  async resume(answer?: unknown): Promise<RunHandle<Output>> {
    return new RunHandle<Output>(this.#core, await resumeWith(this.#core, await this.#asker(), answer));
  }

  /** Answer questions of the lineage by id or key: some or all. @throws as `resume` */
  async answer(answers: Readonly<Record<string, unknown>>): Promise<RunHandle<Output>> {
    return new RunHandle<Output>(this.#core, await answerWith(this.#core, await this.#asker(), answers));
  }

  async #asker(): Promise<Asked> {
    const { lineageId, threadId } = await this.#record();
    return { lineageId, threadId };
  }

  #there(run: RunRecord | undefined): RunRecord {
    if (run === undefined) throw runGone(this.id);
    this.#settled = run;
    return run;
  }

  async #interrupted(run: RunRecord): Promise<Extract<RunOutcome, { status: "interrupted" }>> {
    return { status: "interrupted", questions: await this.#asked(run) };
  }

  /** From the terminal event: the questions' own rows tell what became of them. */
  async #asked(run: RunRecord): Promise<readonly AskedQuestion[]> {
    const query = { stream: streamOf(run), after: run.lastSeq - 1, limit: 1 };
    const [event] = await this.#core.storage.events.read(query);
    if (event?.payload == null) return [];
    return (parseJson(event.payload, `questions of run ${run.id}`) as unknown as EngineEvents["run_interrupted"])
      .questions;
  }

  /** Delete the settled run. @throws HeddleError RUN_ACTIVE, RUN_NOT_FOUND */
  async delete(): Promise<void> {
    this.#core.requireOpen();
    const threadId = this.threadId ?? null;
    await this.#core.committer.commit<"delete_run">({ kind: "delete_run", runId: this.id, threadId });
  }

  async #record(): Promise<RunRecord> {
    this.#core.requireOpen();
    const run = await this.#core.storage.runs.get(this.id);
    if (run === undefined) throw runNotFound(this.id);
    return run;
  }

  /** Code that had not returned by the end of its grace was fenced off, by whichever process noticed. */
  async #waitStopped(): Promise<true | "abandoned"> {
    const run = await this.#whenSettled();
    const graceWasOver = run?.graceUntil != null && (run.settledAt ?? 0) >= run.graceUntil;
    return graceWasOver ? "abandoned" : true;
  }

  #wait(options: WaitOptions): Promise<RunRecord | undefined> {
    checkReaderOptions(options);
    const { signal, onDisconnect } = options;
    if (signal === undefined) return this.#whenSettled();
    signal.throwIfAborted();
    return this.#raceSignal(signal, onDisconnect);
  }

  #raceSignal(signal: AbortSignal, onDisconnect: WaitOptions["onDisconnect"]): Promise<RunRecord | undefined> {
    return new Promise((resolve, reject) => {
      const left = (): void => {
        if (onDisconnect === "cancel") {
          void cancelOnDisconnect(this.#core, { id: this.id, threadId: this.threadId ?? null });
        }
        reject(signal.reason);
      };
      signal.addEventListener("abort", left, { once: true });
      this.#whenSettled()
        .then(resolve, reject)
        .finally(() => signal.removeEventListener("abort", left));
    });
  }

  #whenSettled(): Promise<RunRecord | undefined> {
    if (this.#settled !== undefined) return Promise.resolve(this.#settled);
    if (this.#watching !== undefined) return this.#watching;
    this.#core.requireOpen();
    // Listen before the look, so that nothing settles unseen.
    this.#watching = this.#core.tracker.wait(this.id);
    return this.#lookAndWait(this.#watching);
  }

  async #lookAndWait(settled: Promise<RunRecord | undefined>): Promise<RunRecord | undefined> {
    const now = await this.#core.storage.runs.get(this.id);
    if (now === undefined) this.#core.tracker.gone(this.id);
    else if (isSettled(now.status)) this.#core.tracker.settled(now);
    return settled;
  }
}

export function outcomeOf<Output>(run: RunRecord): Exclude<RunOutcome<Output>, { status: "interrupted" }> {
  switch (run.status) {
    case "succeeded":
      return { status: "succeeded", output: parseJson(run.output ?? "null", `output of run ${run.id}`) as Output };
    case "failed":
      return { status: "failed", error: storedError(run) };
    default:
      return { status: "canceled", reason: storedReason(run) };
  }
}

export function unsuccessful(runId: string, outcome: Exclude<RunOutcome, { status: "succeeded" }>): HeddleError {
  switch (outcome.status) {
    case "failed": {
      const { error } = outcome;
      const message = `Run "${runId}" failed: ${error.code}: ${error.message}`;
      return new HeddleError("RUN_FAILED", message, { details: { runId, error } });
    }
    case "canceled":
      return new HeddleError("RUN_CANCELED", `Run "${runId}" was canceled (${outcome.reason.kind}).`, {
        details: { runId, reason: outcome.reason },
      });
    default:
      return new HeddleError("RUN_INTERRUPTED", `Run "${runId}" waits for an answer.`, {
        details: { runId, questions: outcome.questions },
      });
  }
}
