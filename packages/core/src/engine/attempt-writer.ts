/**
 * What one attempt writes while it runs: events, deltas, memos, checkpoints. One commit comes after the other, each
 * fenced by the attempt's number.
 */

import { HeddleError } from "../errors.js";
import { streamOf } from "../model/event.js";
import type { AttemptRef, NewCheckpoint, NewEvent, NewMemo, RecordProgress } from "../model/intents/intent.js";
import type { JsonObject } from "../model/json.js";
import { copyJson } from "../model/json.js";
import type { Durability, RunRecord } from "../model/run.js";
import { shown } from "../model/shown.js";
import { Outbox } from "../runtime/outbox.js";
import type { AttemptValues, ChangedValues } from "./attempt-values.js";
import { checkId, checkJson, checkText, requireOptions } from "./check-input.js";
import type { Core } from "./core.js";
import type { DeltaOptions, EmitOptions } from "./frames.js";
import { mergeCheckpoints } from "./merge-checkpoints.js";
import { persist } from "./persist.js";

export interface WriterHooks {
  /** The attempt's values, while it may write. @throws HeddleError LEASE_LOST */
  requireRunning(): AttemptValues;
  /** The storage refused: somebody else has the run. */
  lost(): void;
}

export interface WriterOptions extends WriterHooks {
  /** Of checkpoints in the middle of the run. */
  readonly durability: Durability;
}

export class AttemptWriter {
  readonly outbox: Outbox;
  readonly #core: Core;
  readonly #ref: AttemptRef;
  readonly #hooks: WriterHooks;
  readonly #durability: Durability;
  #checkpoints: Promise<unknown> = Promise.resolve();
  /** Taken and not on its way to the storage yet: with durability `async` or `exit`. */
  #pending: NewCheckpoint | undefined;
  #flushing: Promise<void> | undefined;
  #writing: Promise<unknown> = Promise.resolve();
  #deltas = 0;
  /** Of the last one. */
  #deltaType: unknown = noneYet;
  /** The newest event of this attempt that is committed: what a delta that is sent now follows. */
  #lastSeq: number;

  constructor(core: Core, run: RunRecord, ref: AttemptRef, options: WriterOptions) {
    this.#core = core;
    this.#ref = ref;
    this.#hooks = options;
    this.#lastSeq = run.lastSeq;
    this.#durability = options.durability;
    const stream = streamOf(run);
    this.outbox = new Outbox(
      (events) => this.#commitHeld({ events }),
      (delta) => core.deltas.publish(stream, delta, this.#lastSeq),
    );
  }

  emit(type: string, payload: unknown, options: EmitOptions = noOptions): Promise<void> {
    try {
      requireOptions("options", options);
      const { key } = options;
      const { limits } = this.#core.settings;
      const event = newEvent(type, payload, limits.event);
      return this.outbox.emit(key === undefined ? event : { ...event, key: checkId("event key", key, limits) });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  delta(type: string, payload: unknown, options: DeltaOptions = noOptions): void {
    // Tokens come by the thousand, of one type.
    if (type !== this.#deltaType) requireOwnType(type);
    this.#deltaType = type;
    // Before its number is given out: a refused delta leaves no gap.
    requireOptions("options", options);
    const { messageId } = options;
    checkText("messageId", messageId);
    const copy = copyJson(payload ?? null, "delta");
    const { runId, attempt } = this.#ref;
    const frame = { kind: "delta", runId, attempt, sequenceNumber: ++this.#deltas, type, payload: copy } as const;
    this.outbox.delta(messageId === undefined ? frame : { ...frame, messageId });
  }

  /** One after the other: each is against the one before. */
  checkpoint(update: Readonly<Record<string, unknown>>): Promise<JsonObject> {
    const written = this.#checkpoints.then(() => this.#writeCheckpoint(update));
    this.#checkpoints = written.catch(() => {});
    return written;
  }

  /** Resolves when the lineage remembers it. */
  async remember(memo: NewMemo): Promise<void> {
    await this.outbox.drain();
    this.#hooks.requireRunning();
    await this.#commitHeld({ events: [], memos: [memo] });
  }

  /** No checkpoint is under way any more. */
  async checkpointsWritten(): Promise<void> {
    await this.#checkpoints;
    await this.#flushing;
  }

  /** Write what was kept back. @throws HeddleError LEASE_LOST, STORAGE_… */
  async flush(): Promise<void> {
    await this.outbox.drain();
    const checkpoint = this.#pending;
    if (checkpoint === undefined) return;
    this.#pending = undefined;
    await this.#commitHeld({ events: [], checkpoint });
  }

  async #writeCheckpoint(update: Readonly<Record<string, unknown>>): Promise<JsonObject> {
    if (this.#durability === "sync") await this.outbox.drain();
    const values = this.#hooks.requireRunning();
    const changed = values.change(update, this.#core.random.id("chk"));
    if (changed.checkpoint.encoding === "same") return values.visible;
    if (this.#durability === "sync") await this.#commitHeld({ events: [], checkpoint: changed.checkpoint });
    else this.#keepBack(changed);
    values.adopt(changed);
    return values.visible;
  }

  /** What comes while one is being written is merged, so however fast they come, two are in memory at most. */
  #keepBack(changed: ChangedValues): void {
    this.#pending = mergeCheckpoints(this.#pending, changed);
    if (this.#durability === "exit") return;
    this.#flushing ??= this.#flushAll().finally(() => {
      this.#flushing = undefined;
    });
  }

  async #flushAll(): Promise<void> {
    try {
      while (this.#pending !== undefined) await this.flush();
    } catch (error) {
      if (!HeddleError.is(error, "LEASE_LOST")) this.#core.report(error, "a checkpoint in the background");
    }
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
      if (HeddleError.is(error, "LEASE_LOST")) this.#hooks.lost();
      throw error;
    }
  }
}

const noOptions = {};
/** No frame's type, whatever an agent sends. */
const noneYet = Symbol("none yet");

function newEvent(type: string, payload: unknown, limit: number): NewEvent {
  requireOwnType(type);
  return { type, payload: checkJson(`event ${type}`, payload, limit) };
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
