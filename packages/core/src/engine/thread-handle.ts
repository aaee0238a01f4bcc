/** One thread, as its users hold it. A handle is a name: it reads anew at each call. */

import type { z } from "zod";
import type { CheckpointHead } from "../model/checkpoint.js";
import type { ThreadFrame } from "../model/event.js";
import { isOwnCheckpoint } from "../model/intents/checkpoint-ref.js";
import type { JsonObject } from "../model/json.js";
import type { BusyStrategy, RunRecord } from "../model/run.js";
import { busyStrategies } from "../model/run.js";
import type { Run } from "../model/run-view.js";
import { viewRun } from "../model/run-view.js";
import type { ThreadRecord } from "../model/thread.js";
import type { Thread } from "../model/thread-view.js";
import { viewThread } from "../model/thread-view.js";
import { isHandedOver, isQueued } from "../model/unit-of-work.js";
import type { ThreadUsage, Usage } from "../ports/storage.js";
import type { AgentLike, ConfigOf, InputOf, OutputOf } from "./agent.js";
import { checkBoolean, checkId, checkMetadata, checkMetadataPatch, checkTitle, requireOptions } from "./check-input.js";
import type { Core } from "./core.js";
import { type EditedValues, editValues } from "./edit-values.js";
import { findCheckpoint } from "./find-checkpoint.js";
import { loadHead } from "./load-head.js";
import { threadNotFound } from "./not-found.js";
import type { FrameStream, StreamOptions } from "./open-stream.js";
import { threadFrames } from "./open-stream.js";
import { checkLimit } from "./page.js";
import { type Keeping, pruneCheckpoints } from "./prune-checkpoints.js";
import type { Question } from "./question-view.js";
import { viewQuestion } from "./question-view.js";
import { answerWith, openQuestions, resumeWith } from "./resume.js";
import { RunHandle } from "./run-handle.js";
import { startRun } from "./runs.js";
import { invalidArgument, requireDuration, requireNumber } from "./settings.js";
import type { ThreadStartOptions } from "./start-run.js";
import { oneOf } from "./start-run.js";

export interface ThreadUpdate {
  /** `null` removes the title. */
  readonly title?: string | null;
  /** Merged into the metadata; `null` removes a key (RFC 7396, on the top level). */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Archived threads are hidden from lists, yet accept runs. */
  readonly archived?: boolean;
  /** What its runs do while it is busy, unless they say it themselves. `null`: what their agent says. */
  readonly whenBusy?: BusyStrategy | null;
}

export interface CopyOptions {
  /** Fork from this checkpoint, on whatever branch it is. Default: the head. */
  readonly at?: string;
  readonly id?: string;
  /** Default: the source's. */
  readonly title?: string | null;
  /** Default: the source's. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface UpdateValuesOptions {
  /** Whose schema checks the values: an agent of this engine, or its name. */
  readonly agent?: AgentLike | string;
  /** Edit the values as they were at this checkpoint: a branch. Default: the head. */
  readonly at?: string;
}

/** At least one of them. */
export interface PruneOptions {
  /** Keep the head and the newest others, that many in all. 1: the latest only. */
  readonly keep?: number;
  /** Remove what is older than this many ms, except the head. */
  readonly olderThan?: number;
}

/** Rows and bytes by kind. Bytes are those of the stored texts (UTF-8); ids, numbers and indexes come on top. */
export interface ThreadStorage extends ThreadUsage {
  readonly total: Usage;
}

/** A checkpoint in a thread's history. */
export interface Checkpoint {
  readonly id: string;
  readonly parentId: string | undefined;
  /** The run that wrote it; `undefined`: the values that the thread was created with, or an edit. */
  readonly runId: string | undefined;
  readonly kind: CheckpointHead["kind"];
  readonly attempt: number;
  /** The last event of the thread's log when it was written. */
  readonly seq: number;
  /** JSON bytes of the whole values; `undefined`: unchanged since the parent. */
  readonly valuesBytes: number | undefined;
  /** Bytes that this checkpoint stores. */
  readonly storedBytes: number;
  readonly createdAt: Date;
}

export interface HistoryOptions {
  /** Checkpoints, at most 100. Default 50. */
  readonly limit?: number;
  /** Only ancestors of this checkpoint: the `id` of the last one of the page before. With `branches`: only older ones. */
  readonly before?: string;
  /** Every checkpoint that the thread has, whatever branch it is on, not only the head's ancestors. Default `false`. */
  readonly branches?: boolean;
}

export class ThreadHandle {
  readonly #core: Core;

  /** @internal */
  constructor(
    core: Core,
    readonly id: string,
  ) {
    this.#core = core;
  }

  /**
   * Start a run in this thread.
   * @throws HeddleError THREAD_BUSY (with the active run), QUEUE_FULL, THREAD_NOT_FOUND, INVALID_INPUT, …
   */
  async start<Of extends AgentLike>(
    agent: Of,
    input: InputOf<Of>,
    options: ThreadStartOptions<ConfigOf<Of>> = {},
  ): Promise<RunHandle<OutputOf<Of>>> {
    return startRun<OutputOf<Of>>(this.#core, agent, this.id, input, options);
  }

  /** @throws HeddleError THREAD_NOT_FOUND */
  async info(): Promise<Thread> {
    return viewThread(await this.#record());
  }

  /** The current values: a frozen tree. With an agent: typed, with its schema's defaults. */
  async values(): Promise<JsonObject>;
  async values<Of extends AgentLike>(agent: Of): Promise<ValuesOf<Of>>;
  async values(agent?: AgentLike): Promise<unknown> {
    this.#core.requireOpen();
    if (agent !== undefined && typeof agent?.name !== "string") throw invalidArgument("agent", agent, "an agent");
    const { tree } = await loadHead(this.#core, this.id);
    if (agent === undefined) return tree;
    const schema = this.#core.agents.get(agent.name)?.values;
    return schema === undefined ? tree : schema.visible(schema.fillDefaults(tree));
  }

  /** The values as they were at any checkpoint of this thread, on whatever branch. @throws HeddleError CHECKPOINT_NOT_FOUND */
  async valuesAt(checkpointId: string): Promise<JsonObject> {
    this.#core.requireOpen();
    const { id } = await findCheckpoint(this.#core, this.id, checkpointId);
    const { tree } = await this.#core.values.load(id, `${this.id}@${id}`);
    return tree;
  }

  /** The head and its ancestors, newest first; with `branches` all that the thread has. @throws HeddleError CHECKPOINT_NOT_FOUND */
  async history(options: HistoryOptions = {}): Promise<readonly Checkpoint[]> {
    requireOptions("options", options);
    const { headCheckpointId } = await this.#record();
    const { page, maxPage } = this.#core.settings.limits;
    const limit = checkLimit(options.limit, page, maxPage);
    const { before, branches = false } = options;
    if (checkBoolean("branches", branches)) return (await this.#tree(before, limit)).map(viewCheckpoint);
    if (before !== undefined) return (await this.#historyBefore(before, limit)).map(viewCheckpoint);
    if (headCheckpointId === null) return [];
    return (await this.#core.storage.checkpoints.history(headCheckpointId, limit)).map(viewCheckpoint);
  }

  /** Waiting runs: handed to the live run, queued in the order of their turn, delayed. @throws HeddleError THREAD_NOT_FOUND */
  async queue(): Promise<readonly Run[]> {
    const { queueLength } = await this.#record();
    const waiting = await this.#core.storage.runs.list({
      threadId: this.id,
      status: ["pending"],
      // One more for the active run, which is pending too while it waits for a retry.
      limit: queueLength + 1,
      sortBy: "createdAt",
      order: "asc",
    });
    return waiting
      .filter((run) => !run.active)
      .sort(byTurn)
      .map(viewRun);
  }

  /** Questions that wait for an answer, oldest first; expired ones too, which say so. */
  async questions(): Promise<readonly Question[]> {
    await this.#record();
    const open = await openQuestions(this.#core, { threadId: this.id });
    return open.map((question) => viewQuestion(question, this.#core.storageNow()));
  }

  /**
   * Answer the one open question of this thread. The next run of the lineage starts: at once, or first in the queue.
   * @param answer JSON; default `null`
   * @returns that run
   * @throws HeddleError QUESTION_NOT_FOUND, QUESTION_CLOSED, INVALID_ANSWER, INVALID_JSON; INVALID_ARGUMENT (with the ids)
   *   where several are open
   */
  async resume(answer?: unknown): Promise<RunHandle> {
    return new RunHandle(this.#core, await resumeWith(this.#core, { threadId: this.id }, answer));
  }

  /** Answer questions of one lineage by id or key: some or all. @throws as `resume` */
  async answer(answers: Readonly<Record<string, unknown>>): Promise<RunHandle> {
    return new RunHandle(this.#core, await answerWith(this.#core, { threadId: this.id }, answers));
  }

  /** Frames of all runs: a snapshot first, or from behind `after`; until the thread is deleted. */
  events(options: Omit<StreamOptions, "onDisconnect"> = {}): FrameStream<ThreadFrame> {
    return threadFrames(this.#core, this.id, options);
  }

  /** @throws HeddleError THREAD_NOT_FOUND, INVALID_ARGUMENT, TOO_LARGE */
  async update(update: ThreadUpdate): Promise<Thread> {
    this.#core.requireOpen();
    requireOptions("update", update);
    const { limits } = this.#core.settings;
    const metadata = checkMetadataPatch(update.metadata, limits);
    const thread = await this.#core.committer.commit<"update_thread">({
      kind: "update_thread",
      id: this.id,
      maxMetadata: limits.metadata,
      ...(update.title === undefined ? {} : { title: checkTitle(update.title) }),
      ...(metadata === undefined ? {} : { metadata }),
      ...(update.whenBusy === undefined ? {} : { whenBusy: checkWhenBusy(update.whenBusy) }),
      ...(update.archived === undefined ? {} : { archived: checkBoolean("archived", update.archived) }),
    });
    return viewThread(thread);
  }

  /**
   * A new thread with this one's values and history; constant time, nothing is copied. Events stay here.
   * @throws HeddleError THREAD_NOT_FOUND, CHECKPOINT_NOT_FOUND, THREAD_EXISTS, INVALID_ID, TOO_LARGE
   */
  async copy(options: CopyOptions = {}): Promise<ThreadHandle> {
    this.#core.requireOpen();
    requireOptions("options", options);
    const { limits } = this.#core.settings;
    const id = options.id === undefined ? this.#core.random.id("thr") : checkId("thread id", options.id, limits);
    const at = options.at === undefined ? undefined : await findCheckpoint(this.#core, this.id, options.at);
    await this.#core.committer.commit<"copy_thread">({
      kind: "copy_thread",
      from: this.id,
      id,
      ...(at && { at }),
      ...(options.title === undefined ? {} : { title: checkTitle(options.title) }),
      ...(options.metadata === undefined ? {} : { metadata: checkMetadata(options.metadata, limits) }),
    });
    return new ThreadHandle(this.#core, id);
  }

  /**
   * Change the values from outside of any run: given top-level keys replace, `REMOVE` removes. Makes a checkpoint, a child
   * of `at`, else of the head, and moves the head there. They are checked by the schema of `agent`, else of the agent
   * whose run was active last, else (there is none, or this engine does not have it) as JSON only.
   * @throws HeddleError THREAD_BUSY, INVALID_VALUES, INVALID_JSON, TOO_LARGE, CHECKPOINT_NOT_FOUND, UNKNOWN_AGENT
   */
  async updateValues(
    values: Readonly<Record<string, unknown>>,
    options: UpdateValuesOptions = {},
  ): Promise<EditedValues> {
    this.#core.requireOpen();
    requireOptions("options", options);
    const { agent } = options;
    const at = options.at === undefined ? undefined : await findCheckpoint(this.#core, this.id, options.at);
    return editValues(this.#core, this.id, { values, agent, at });
  }

  /**
   * Go on from another checkpoint of this thread: its head moves there, in constant time. What was behind the old head
   * stays, as a branch: no later run sees it.
   * @throws HeddleError THREAD_BUSY, CHECKPOINT_NOT_FOUND
   */
  async branch(checkpointId: string): Promise<void> {
    this.#core.requireOpen();
    const to = await findCheckpoint(this.#core, this.id, checkpointId);
    await this.#core.committer.commit<"move_head">({ kind: "move_head", threadId: this.id, to });
  }

  /**
   * Remove old checkpoints. The head stays, and so does what copies of this thread and its unsettled runs need; what is
   * kept reads back as before.
   * @throws HeddleError INVALID_ARGUMENT
   */
  async prune(options: PruneOptions): Promise<{ readonly removed: number }> {
    this.#core.requireOpen();
    return pruneCheckpoints(this.#core, this.id, checkPruning(options));
  }

  /** What is stored for this thread. @throws HeddleError THREAD_NOT_FOUND */
  async storage(): Promise<ThreadStorage> {
    await this.#record();
    const usage = await this.#core.storage.threads.usage(this.id);
    const all = Object.values(usage) as readonly Usage[];
    const sum = (field: keyof Usage): number => all.reduce((total, one) => total + one[field], 0);
    return { ...usage, total: { rows: sum("rows"), bytes: sum("bytes") } };
  }

  /** Delete the thread with its runs, checkpoints and events. Unsettled runs are canceled without grace. */
  async delete(): Promise<void> {
    this.#core.requireOpen();
    const keepTombstone = this.#core.settings.retention.keys;
    await this.#core.committer.commit<"delete_thread">({ kind: "delete_thread", id: this.id, keepTombstone });
  }

  async #record(): Promise<ThreadRecord> {
    this.#core.requireOpen();
    const thread = await this.#core.storage.threads.get(this.id);
    if (thread === undefined) throw threadNotFound(this.id);
    return thread;
  }

  async #historyBefore(before: string, limit: number): Promise<readonly CheckpointHead[]> {
    await findCheckpoint(this.#core, this.id, before);
    const [, ...ancestors] = await this.#core.storage.checkpoints.history(before, limit + 1);
    return ancestors;
  }

  /** All of the tree, newest first: its own, then those that it shares with its origin. */
  async #tree(before: string | undefined, limit: number): Promise<readonly CheckpointHead[]> {
    const { checkpoints } = this.#core.storage;
    const thread = await this.#record();
    const ref = before === undefined ? undefined : await findCheckpoint(this.#core, this.id, before);
    if (ref?.isShared) return this.#historyBefore(ref.id, limit);
    const after = ref && (await checkpoints.get(ref.id));
    const page = await checkpoints.ofThread(this.id, { limit, ...(after && { after }) });
    const own = page.filter((checkpoint) => isOwnCheckpoint(checkpoint, thread));
    if (own.length === limit || thread.originCheckpointId === null) return own;
    return [...own, ...(await checkpoints.history(thread.originCheckpointId, limit - own.length))];
  }
}

function byTurn(a: RunRecord, b: RunRecord): number {
  const group = (run: RunRecord): number => (isHandedOver(run) ? 0 : isQueued(run) ? 1 : 2);
  const place = (run: RunRecord): number => run.queuePosition ?? run.availableAt;
  return group(a) - group(b) || place(a) - place(b);
}

function checkWhenBusy(value: unknown): BusyStrategy | null {
  return value === null ? null : (oneOf("whenBusy", value, busyStrategies) ?? null);
}

export type ValuesOf<Of extends AgentLike> =
  Of extends AgentLike<z.ZodType, infer Values> ? z.output<Values> : JsonObject;

function checkPruning(options: PruneOptions): Keeping {
  requireOptions("options", options);
  const { keep, olderThan } = options;
  if (keep === undefined && olderThan === undefined) throw invalidArgument("keep", keep, "given, or else olderThan");
  return {
    keep: keep === undefined ? Number.POSITIVE_INFINITY : requireNumber("keep", keep, 1),
    maxAge: olderThan === undefined ? undefined : requireDuration("olderThan", olderThan),
  };
}

function viewCheckpoint(checkpoint: CheckpointHead): Checkpoint {
  return {
    id: checkpoint.id,
    parentId: checkpoint.parentId ?? undefined,
    runId: checkpoint.runId ?? undefined,
    kind: checkpoint.kind,
    attempt: checkpoint.attempt,
    seq: checkpoint.seq,
    valuesBytes: checkpoint.valuesBytes ?? undefined,
    storedBytes: checkpoint.bodyBytes,
    createdAt: new Date(checkpoint.createdAt),
  };
}
