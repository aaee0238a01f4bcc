/**
 * What one attempt sends, in the order in which it sent it.
 *
 * Events are committed in segments; a delta that follows an event waits for that event's commit, and an event that
 * follows a delta starts the next segment. Segments are committed one after the other, so a reader never sees a frame
 * overtake another of the same attempt.
 */

import type { DeltaFrame } from "../model/event.js";
import type { NewEvent } from "../model/intents/intent.js";

interface Segment {
  readonly events: NewEvent[];
  readonly deltas: DeltaFrame[];
  readonly committed: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

export class Outbox {
  readonly #commit: (events: readonly NewEvent[]) => Promise<void>;
  readonly #publish: (delta: DeltaFrame) => void;
  readonly #segments: Segment[] = [];
  /** The first of them, once it is on its way: it takes no more. */
  #sent: Segment | undefined;
  #committing: Promise<void> | undefined;
  #closed: (() => Error) | undefined;

  constructor(commit: (events: readonly NewEvent[]) => Promise<void>, publish: (delta: DeltaFrame) => void) {
    this.#commit = commit;
    this.#publish = publish;
  }

  /** Resolves when the event is committed. */
  emit(event: NewEvent): Promise<void> {
    if (this.#closed !== undefined) return rejected(this.#closed());
    const segment = this.#openSegment();
    segment.events.push(event);
    this.#committing ??= this.#run();
    return segment.committed;
  }

  delta(frame: DeltaFrame): void {
    if (this.#closed !== undefined) return;
    const last = this.#segments.at(-1);
    if (last === undefined) this.#publish(frame);
    else last.deltas.push(frame);
  }

  /** Resolves when everything sent so far is committed, or could not be. */
  async drain(): Promise<void> {
    while (this.#committing !== undefined) await this.#committing;
  }

  /**
   * No more is taken. Events that are not on their way yet are handed over, to be written with the settle; their
   * promises resolve with `settled`.
   * @param error what later calls get; made only when needed, since most attempts end without one
   */
  async close(error: () => Error): Promise<{ events: readonly NewEvent[]; settled(failure?: unknown): void }> {
    this.#closed = error;
    const last = this.#segments.at(-1);
    const joins = last !== undefined && last.deltas.length === 0 && last !== this.#sent;
    if (joins) this.#segments.pop();
    await this.drain();
    if (!joins) return { events: [], settled: () => {} };
    return {
      events: last.events,
      settled: (failure) => (failure === undefined ? last.resolve() : last.reject(failure)),
    };
  }

  /** Fence: what is not committed is refused. */
  abandon(error: Error): void {
    this.#closed = () => error;
    for (const segment of this.#segments.splice(this.#sent === undefined ? 0 : 1)) segment.reject(error);
  }

  #openSegment(): Segment {
    const last = this.#segments.at(-1);
    if (last !== undefined && last.deltas.length === 0 && last !== this.#sent) return last;
    const segment = newSegment();
    this.#segments.push(segment);
    return segment;
  }

  async #run(): Promise<void> {
    // What is sent in one go is committed in one go.
    await Promise.resolve();
    for (let segment = this.#segments[0]; segment !== undefined; segment = this.#segments[0]) {
      this.#sent = segment;
      await this.#commitSegment(segment);
      for (const delta of segment.deltas) this.#publish(delta);
      this.#segments.shift();
      this.#sent = undefined;
    }
    this.#committing = undefined;
  }

  async #commitSegment(segment: Segment): Promise<void> {
    try {
      await this.#commit(segment.events);
      segment.resolve();
    } catch (error) {
      segment.reject(error);
    }
  }
}

function newSegment(): Segment {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const committed = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // An agent need not await its emits: the attempt's fence tells it, not an unhandled rejection.
  committed.catch(() => {});
  return { events: [], deltas: [], committed, resolve, reject };
}

function rejected(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(() => {});
  return promise;
}
