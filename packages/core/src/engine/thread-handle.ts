/** One thread, as its users hold it. A handle is a name: it reads anew at each call. */

import type { z } from "zod";
import type { CheckpointHead } from "../model/checkpoint.js";
import type { ThreadFrame } from "../model/event.js";
import type { JsonObject } from "../model/json.js";
import type { BusyStrategy, RunRecord } from "../model/run.js";
import { busyStrategies } from "../model/run.js";
import type { Run } from "../model/run-view.js";
import { viewRun } from "../model/run-view.js";
import { shown } from "../model/shown.js";
import type { ThreadRecord } from "../model/thread.js";
import type { Thread } from "../model/thread-view.js";
import { viewThread } from "../model/thread-view.js";
import { isHandedOver, isQueued } from "../model/unit-of-work.js";
import { checkpointNotFound } from "../runtime/values-cache.js";
import type { AgentLike, ConfigOf, InputOf, OutputOf } from "./agent.js";
import {
  checkBoolean,
  checkId,
  checkMetadata,
  checkMetadataPatch,
  checkTitle,
  isId,
  requireOptions,
} from "./check-input.js";
import type { Core } from "./core.js";
import { loadHead } from "./load-head.js";
import { threadNotFound } from "./not-found.js";
import type { FrameStream, StreamOptions } from "./open-stream.js";
import { threadFrames } from "./open-stream.js";
import { checkLimit } from "./page.js";
import type { RunHandle } from "./run-handle.js";
import { startRun } from "./runs.js";
import { invalidArgument } from "./settings.js";
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
  readonly id?: string;
  /** Default: the source's. */
  readonly title?: string | null;
  /** Default: the source's. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** A checkpoint in a thread's history. */
export interface Checkpoint {
  readonly id: string;
  readonly parentId: string | undefined;
  /** The run that wrote it; `undefined`: the values that the thread was created with. */
  readonly runId: string | undefined;
  readonly kind: CheckpointHead["kind"];
  readonly attempt: number;
  /** JSON bytes of the whole values; `undefined`: unchanged since the parent. */
  readonly valuesBytes: number | undefined;
  /** Bytes that this checkpoint stores. */
  readonly storedBytes: number;
  readonly createdAt: Date;
}

export interface HistoryOptions {
  /** Checkpoints, at most 100. Default 50. */
  readonly limit?: number;
  /** Only ancestors of this checkpoint: the `id` of the last one of the page before. */
  readonly before?: string;
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

  /** The values as they were at a checkpoint of this thread's history. @throws HeddleError CHECKPOINT_NOT_FOUND */
  async valuesAt(checkpointId: string): Promise<JsonObject> {
    await this.#requireReachable(checkpointId);
    const { tree } = await this.#core.values.load(checkpointId, `${this.id}@${checkpointId}`);
    return tree;
  }

  /** Checkpoints, newest first. */
  async history(options: HistoryOptions = {}): Promise<readonly Checkpoint[]> {
    requireOptions("options", options);
    const { headCheckpointId } = await this.#record();
    const { page, maxPage } = this.#core.settings.limits;
    const limit = checkLimit(options.limit, page, maxPage);
    if (options.before !== undefined) return this.#historyBefore(options.before, limit);
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

  /** A new thread with this one's values and history; constant time, nothing is copied. Events stay here. */
  async copy(options: CopyOptions = {}): Promise<ThreadHandle> {
    this.#core.requireOpen();
    requireOptions("options", options);
    const { limits } = this.#core.settings;
    const id = options.id === undefined ? this.#core.random.id("thr") : checkId("thread id", options.id, limits);
    await this.#core.committer.commit<"copy_thread">({
      kind: "copy_thread",
      from: this.id,
      id,
      ...(options.title === undefined ? {} : { title: checkTitle(options.title) }),
      ...(options.metadata === undefined ? {} : { metadata: checkMetadata(options.metadata, limits) }),
    });
    return new ThreadHandle(this.#core, id);
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

  async #historyBefore(before: string, limit: number): Promise<readonly Checkpoint[]> {
    await this.#requireReachable(before);
    const [, ...ancestors] = await this.#core.storage.checkpoints.history(before, limit + 1);
    return ancestors.map(viewCheckpoint);
  }

  /** A checkpoint of this thread, or one that it shares with the thread it was copied from. */
  async #requireReachable(checkpointId: string): Promise<void> {
    const thread = await this.#record();
    const { checkpoints } = this.#core.storage;
    const checkpoint = isId(checkpointId) ? await checkpoints.get(checkpointId) : undefined;
    if (checkpoint === undefined) throw checkpointNotFound(shown(checkpointId));
    const isOwn = checkpoint.threadId === this.id;
    if (isOwn && checkpoint.createdAt > thread.createdAt) return;
    // One as old as the thread may be its first, or that of a deleted thread of the same id, which a copy still needs.
    const from = isOwn ? thread.headCheckpointId : thread.originCheckpointId;
    if (!(await isAncestor(checkpoints, checkpointId, from))) throw checkpointNotFound(checkpointId);
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

async function isAncestor(
  checkpoints: Core["storage"]["checkpoints"],
  wanted: string,
  from: string | null,
): Promise<boolean> {
  let next = from;
  while (next !== null) {
    const page: readonly CheckpointHead[] = await checkpoints.history(next, 500);
    if (page.some((checkpoint) => checkpoint.id === wanted)) return true;
    next = page.at(-1)?.parentId ?? null;
  }
  return false;
}

export type ValuesOf<Of extends AgentLike> =
  Of extends AgentLike<z.ZodType, infer Values> ? z.output<Values> : JsonObject;

function viewCheckpoint(checkpoint: CheckpointHead): Checkpoint {
  return {
    id: checkpoint.id,
    parentId: checkpoint.parentId ?? undefined,
    runId: checkpoint.runId ?? undefined,
    kind: checkpoint.kind,
    attempt: checkpoint.attempt,
    valuesBytes: checkpoint.valuesBytes ?? undefined,
    storedBytes: checkpoint.bodyBytes,
    createdAt: new Date(checkpoint.createdAt),
  };
}
