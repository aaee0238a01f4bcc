/**
 * One reader of one stream: passes from stored to live events without seam or gap.
 *
 * It listens before it reads. `cursor` is the last number it has dealt with; a live event is delivered only when it is
 * the next one, otherwise what lies between is read from the storage first, and what was seen before is skipped. So
 * every event comes once and in order, whatever process wrote it and whenever the hint came. A delta knows the event that
 * it follows, so it stays between its neighbours also where those are read from the storage.
 *
 * Where it stands:
 *
 * | it has                                     | `poll` gives               | `next` does otherwise                  |
 * |---|---|---|
 * | stored events in hand                      | them, deltas between them  |                                        |
 * | a gap in front of what is buffered, or a hint | nothing                 | reads the next page of stored events   |
 * | buffered frames that go on from the cursor | them                       |                                        |
 * | nothing                                    | nothing                    | waits                                  |
 *
 * A slow reader is bounded: too many deltas are dropped and a `dropped` frame says how many; too many events are let go
 * here and read from the storage when the reader gets there.
 */

import type { DeltaFrame, DroppedFrame, EventFrame, EventRecord, ThreadChangeFrame } from "../model/event.js";
import { isTerminalEvent } from "../model/event.js";
import { parseJson } from "../model/json.js";
import type { EventReader } from "../ports/storage.js";
import type { FrameSink, LiveFrame } from "./frame-hub.js";

const pageSize = 500;
const bufferedEvents = 1_000;
/** Of runs in one stream: one is active at a time. */
const mostNewest = 100;

export interface SubscriptionOptions {
  readonly stream: string;
  /** Deliver what is numbered above this. */
  readonly after: number;
  /** Only this run's events and deltas; the stream then ends with the run. */
  readonly runId?: string;
  /** Deltas that wait for the reader before they are dropped. */
  readonly bufferedDeltas: number;
}

type Dropped = { readonly kind: "dropped"; count: number; readonly behind: number };
type Buffered = Exclude<LiveFrame, { kind: "dropped" }> | Dropped;
/** It was dealt with and is none of this reader's: look on. */
const nothingYet = Symbol("nothing yet");
type Polled = StreamFrame | typeof nothingYet | undefined;
const none: readonly never[] = [];
export type StreamFrame = EventFrame | DeltaFrame | DroppedFrame | ThreadChangeFrame;

export class Subscription implements FrameSink {
  readonly #events: EventReader;
  readonly #options: SubscriptionOptions;
  #buffer: Buffered[] = [];
  #head = 0;
  #deltas = 0;
  #records = 0;
  #cursor: number;
  /** The newest event that each run's attempt wrote, of those that were passed on. */
  readonly #newest = new Map<string, number>();
  /** Stored events in hand, and which of them comes next. */
  #page: readonly EventRecord[] = none;
  #turned = 0;
  /** Stored events up to this number have to be read before anything else. */
  #missing: number | undefined;
  /** Up to here stored events were looked for: what did not come then is not this reader's. */
  #searched = 0;
  #stale = true;
  #ended = false;
  #error: Error | undefined;
  #done = false;
  #wake: (() => void) | undefined;

  constructor(events: EventReader, options: SubscriptionOptions) {
    this.#events = events;
    this.#options = options;
    this.#cursor = options.after;
  }

  push(frame: LiveFrame): void {
    if (this.#ended || !this.#wants(frame)) return;
    if (frame.kind === "delta") this.#pushDelta(frame);
    else if (frame.kind === "record") this.#pushRecord(frame);
    else if (frame.kind === "dropped") this.#pushDropped(frame.count, frame.behind);
    else this.#buffer.push(frame);
    this.#wakeUp();
  }

  stale(): void {
    this.#stale = true;
    this.#wakeUp();
  }

  end(error?: Error): void {
    if (!this.#ended) this.#error = error;
    this.#ended = true;
    this.#wakeUp();
  }

  /** The next frame where it is at hand: nearly all are, and a promise for each would cost more than the frame. */
  poll(): StreamFrame | undefined {
    while (!this.#done) {
      const stored = this.#page[this.#turned];
      const frame = stored === undefined ? this.#pollLive() : this.#pollStored(stored);
      if (frame !== nothingYet) return frame;
    }
    return undefined;
  }

  /** The next frame; `undefined`: the stream has ended. One call at a time. */
  async next(): Promise<StreamFrame | undefined> {
    for (;;) {
      const frame = this.poll();
      if (frame !== undefined || this.#done) return frame;
      this.#noteMissing();
      if (this.#missing !== undefined) await this.#read(this.#missing);
      else if (this.#error !== undefined) throw this.#error;
      else if (this.#ended) return undefined;
      else await this.#sleep();
    }
  }

  #pollStored(event: EventRecord): Polled {
    const before = this.#deltaBefore(event.seq);
    if (before !== undefined) return before;
    this.#turned++;
    return this.#passOn(event);
  }

  #pollLive(): Polled {
    if (this.#stale || this.#missing !== undefined || this.#gap !== undefined) return undefined;
    const next = this.#shift();
    if (next === undefined) return undefined;
    if (next.kind !== "record") return this.#transient(next);
    return next.event.seq <= this.#cursor ? nothingYet : this.#passOn(next.event);
  }

  /** What lies in front of the next buffered frame and did not come here: nobody told of it. */
  get #gap(): number | undefined {
    const next = this.#buffer[this.#head];
    if (next === undefined || next.kind === "thread") return undefined;
    const needed = next.kind === "record" ? next.event.seq - 1 : next.behind;
    return needed > Math.max(this.#cursor, this.#searched) ? needed : undefined;
  }

  #noteMissing(): void {
    if (!this.#stale) {
      this.#missing ??= this.#gap;
      return;
    }
    this.#stale = false;
    this.#missing = Number.POSITIVE_INFINITY;
  }

  /** A page of what is stored behind the cursor, up to `last`. */
  async #read(last: number): Promise<void> {
    const { stream, runId } = this.#options;
    const filter = runId === undefined ? {} : { runId };
    const page = await this.#events.read({ stream, after: this.#cursor, limit: pageSize, ...filter });
    const wanted = page.filter(({ seq }) => seq <= last);
    this.#page = wanted;
    this.#turned = 0;
    if (wanted.length === pageSize) return;
    this.#missing = undefined;
    if (Number.isFinite(last)) this.#searched = last;
  }

  /** An attempt's frames keep their order: what it sent before an event that was passed on comes no more. */
  #isLate(frame: Exclude<Buffered, { kind: "record" | "thread" }>): boolean {
    if (frame.kind !== "delta" || frame.isRelayed !== true) return false;
    return frame.behind < (this.#newest.get(frame.delta.runId) ?? 0);
  }

  #remember({ runId, type, seq }: EventRecord): void {
    // That may be somebody else's: a message for a run that is under way.
    if (type === "user_message" || runId === null) return;
    this.#newest.delete(runId);
    this.#newest.set(runId, seq);
    if (this.#newest.size > mostNewest) this.#newest.delete(this.#newest.keys().next().value as string);
  }

  #passOn(event: EventRecord): EventFrame | typeof nothingYet {
    this.#cursor = event.seq;
    this.#remember(event);
    const { runId } = this.#options;
    if (runId !== undefined && event.runId !== runId) return nothingYet;
    if (runId !== undefined && isTerminalEvent(event.type)) this.#done = true;
    return frameOf(event);
  }

  /** What is buffered and belongs in front of event `seq`. Records there were read from the storage before. */
  #deltaBefore(seq: number): StreamFrame | undefined {
    for (;;) {
      const next = this.#buffer[this.#head];
      if (next === undefined || next.kind === "thread") return undefined;
      if (next.kind === "record" ? next.event.seq >= seq : next.behind >= seq) return undefined;
      this.#shift();
      if (next.kind !== "record") return this.#transient(next);
    }
  }

  #transient(next: Exclude<Buffered, { kind: "record" }>): StreamFrame {
    return next.kind !== "thread" && this.#isLate(next) ? { kind: "dropped", count: 1 } : transient(next);
  }

  #wants(frame: LiveFrame): boolean {
    const { runId } = this.#options;
    if (runId === undefined || frame.kind === "record") return true;
    if (frame.kind === "dropped") return frame.runId === runId;
    return frame.kind === "delta" && frame.delta.runId === runId;
  }

  #pushDelta(frame: Extract<LiveFrame, { kind: "delta" }>): void {
    if (this.#deltas < this.#options.bufferedDeltas) {
      this.#deltas++;
      this.#buffer.push(frame);
      return;
    }
    this.#pushDropped(1, frame.behind);
  }

  #pushDropped(count: number, behind: number): void {
    const last = this.#head < this.#buffer.length ? this.#buffer.at(-1) : undefined;
    if (last?.kind === "dropped") last.count += count;
    else this.#buffer.push({ kind: "dropped", count, behind });
  }

  #pushRecord(frame: Extract<LiveFrame, { kind: "record" }>): void {
    if (this.#records >= bufferedEvents) {
      this.#buffer = this.#buffer.slice(this.#head).filter((waiting) => waiting.kind !== "record");
      this.#head = 0;
      this.#records = 0;
      this.#stale = true;
      return;
    }
    this.#records++;
    this.#buffer.push(frame);
  }

  #shift(): Buffered | undefined {
    const next = this.#buffer[this.#head];
    if (next === undefined) {
      this.#buffer = [];
      this.#head = 0;
      return undefined;
    }
    this.#head++;
    if (next.kind === "delta") this.#deltas--;
    if (next.kind === "record") this.#records--;
    if (this.#head > 1_024) {
      this.#buffer = this.#buffer.slice(this.#head);
      this.#head = 0;
    }
    return next;
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** As readers get it. */
function transient(frame: Exclude<Buffered, { kind: "record" }>): DeltaFrame | DroppedFrame | ThreadChangeFrame {
  if (frame.kind === "delta") return frame.delta;
  return frame.kind === "dropped" ? { kind: "dropped", count: frame.count } : frame;
}

export function frameOf(event: EventRecord): EventFrame {
  return {
    kind: "event",
    seq: event.seq,
    runId: event.runId,
    attempt: event.attempt,
    rolloutId: String(event.rollout).padStart(3, "0"),
    type: event.type,
    payload: event.payload === null ? null : parseJson(event.payload, `event ${event.seq} of ${event.stream}`),
    createdAt: new Date(event.createdAt),
  };
}
