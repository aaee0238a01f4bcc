/**
 * Carries deltas to readers in other processes, as payloads of notifications, and only while somebody there reads.
 *
 * Whoever reads a stream says so on the channel, and again every few seconds; what was said is forgotten after a while,
 * so a reader that died costs nothing for long. Whoever begins to listen asks who reads. Deltas of a few ms share a
 * message. What cannot be sent (too large, too many, no connection) is told as lost once something can be.
 */

import type { DeltaRelay, RelayedFrame } from "@heddle/core/storage";
import type { Outgoing } from "./notifier.js";
import type { RelayMessage, StreamKey, WireDelta, WireLoss } from "./relay-message.js";
import { keyOf, largestMessage, read, unwrap, write } from "./relay-message.js";

/** ms */
const interestLasts = 30_000;
const renewAfter = 10_000;
/** Bytes that may wait to be sent: the channel is for hints, not for bulk. */
const mostWaiting = 256 * 1024;
/** Messages of one telling: other processes' hints shall not wait behind them. */
const mostMessages = 16;
const keysPerMessage = 300;
/** Room for a message's frame around its deltas. */
const envelope = 150;

interface Reader {
  readonly engine: string;
  hear(frame: RelayedFrame): void;
}

interface Waiting {
  readonly text: string;
  readonly bytes: number;
  readonly delta: WireDelta;
}

export interface RelayOptions {
  /** Names this process's storage. */
  readonly sender: string;
  isListening(): boolean;
  /** There is something to take. */
  wake(): void;
}

export class PostgresRelay implements DeltaRelay, Outgoing {
  readonly #options: RelayOptions;
  readonly #readers = new Map<StreamKey, { readonly stream: string; readonly readers: Set<Reader> }>();
  /** Until when, by whom, what is read elsewhere. */
  readonly #interest = new Map<StreamKey, Map<string, number>>();
  #announce = new Set<StreamKey>();
  #asks = false;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #onItsWay: readonly Waiting[] = [];
  readonly #lost = new Map<string, WireLoss>();
  #renewal: NodeJS.Timeout | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  send(engine: string, frame: RelayedFrame): void {
    if (this.#readers.size === 0 && this.#interest.size === 0) return;
    const key = keyOf(frame.stream);
    for (const reader of this.#readers.get(key)?.readers ?? []) if (reader.engine !== engine) reader.hear(frame);
    if (frame.kind === "delta" && this.#isReadElsewhere(key)) this.#enqueue([key, frame.behind, frame.delta]);
  }

  follow(engine: string, stream: string, hear: (frame: RelayedFrame) => void): () => void {
    const key = keyOf(stream);
    const reader: Reader = { engine, hear };
    const known = this.#readers.get(key);
    if (known === undefined) this.#readers.set(key, { stream, readers: new Set([reader]) });
    else known.readers.add(reader);
    this.#say([key]);
    this.#renewal ??= setInterval(() => this.#say(this.#readers.keys()), renewAfter).unref();
    return () => this.#unfollow(key, reader);
  }

  /** Listening has begun, anew perhaps. */
  begin(): void {
    this.#asks = true;
    this.#say(this.#readers.keys());
    this.#options.wake();
  }

  stop(): void {
    clearInterval(this.#renewal);
    this.#renewal = undefined;
  }

  /** Another relay said something. */
  hear(text: string): void {
    const message = read(text);
    if (message === undefined || message.from === this.#options.sender) return;
    if (message.kind === "who") return this.#say(this.#readers.keys());
    if (message.kind === "reads") return this.#learn(message);
    for (const frame of [...message.deltas, ...message.lost]) {
      const known = this.#readers.get(frame[0]);
      if (known === undefined) continue;
      for (const { hear } of [...known.readers]) hear(unwrap(known.stream, frame));
    }
  }

  take(): readonly string[] {
    if (!this.#options.isListening()) return [];
    return [...this.#takeAnnouncements(), ...this.#takeFrames()];
  }

  get hasMore(): boolean {
    return this.#waiting.length > 0;
  }

  failed(): void {
    for (const { delta } of this.#onItsWay) this.#lose(delta);
    this.#onItsWay = [];
  }

  #unfollow(key: StreamKey, reader: Reader): void {
    const known = this.#readers.get(key);
    known?.readers.delete(reader);
    if (known?.readers.size === 0) this.#readers.delete(key);
    if (this.#readers.size === 0) this.stop();
  }

  #say(keys: Iterable<StreamKey>): void {
    for (const key of keys) this.#announce.add(key);
    if (this.#announce.size > 0 && this.#options.isListening()) this.#options.wake();
  }

  #learn({ from, streams }: RelayMessage & { kind: "reads" }): void {
    const until = performance.now() + interestLasts;
    for (const key of streams) {
      const readers = this.#interest.get(key) ?? new Map<string, number>();
      this.#interest.set(key, readers.set(from, until));
    }
  }

  #isReadElsewhere(key: StreamKey): boolean {
    const readers = this.#interest.get(key);
    if (readers === undefined) return false;
    for (const [from, until] of readers) if (until < performance.now()) readers.delete(from);
    if (readers.size === 0) this.#interest.delete(key);
    return readers.size > 0;
  }

  #enqueue(delta: WireDelta): void {
    const text = JSON.stringify(delta);
    const bytes = Buffer.byteLength(text) + 1;
    if (bytes > largestMessage - envelope || this.#waitingBytes + bytes > mostWaiting) this.#lose(delta);
    else {
      this.#waiting.push({ text, bytes, delta });
      this.#waitingBytes += bytes;
    }
    this.#options.wake();
  }

  /** Readers count what they miss before the next delta themselves. What follows no more has to be told. */
  #lose([key, behind, { runId, attempt, sequenceNumber }]: WireDelta): void {
    const id = `${key} ${runId}`;
    const [, , , knownAttempt = 0, knownNumber = 0] = this.#lost.get(id) ?? [];
    if (attempt < knownAttempt || (attempt === knownAttempt && sequenceNumber <= knownNumber)) return;
    this.#lost.set(id, [key, behind, runId, attempt, sequenceNumber]);
  }

  #takeAnnouncements(): string[] {
    const { sender: from } = this.#options;
    const messages: RelayMessage[] = this.#asks ? [{ kind: "who", from }] : [];
    this.#asks = false;
    const keys = [...this.#announce].filter((key) => this.#readers.has(key));
    this.#announce = new Set();
    for (let start = 0; start < keys.length; start += keysPerMessage) {
      messages.push({ kind: "reads", from, streams: keys.slice(start, start + keysPerMessage) });
    }
    return messages.map(write);
  }

  #takeFrames(): string[] {
    const messages: string[] = [];
    const taken: Waiting[] = [];
    while (this.#waiting.length > 0 && messages.length < mostMessages) {
      const some = this.#takeSome();
      taken.push(...some);
      messages.push(
        this.#frames(
          some.map(({ delta }) => delta),
          [],
        ),
      );
    }
    this.#onItsWay = taken;
    // Not before the deltas that came through: a reader takes what is told as lost for lost.
    if (this.#waiting.length === 0) messages.push(...this.#takeLosses());
    return messages;
  }

  /** As many as fit into one message. */
  #takeSome(): Waiting[] {
    let room = largestMessage - envelope;
    const end = this.#waiting.findIndex(({ bytes }) => {
      room -= bytes;
      return room < 0;
    });
    const some = this.#waiting.splice(0, end < 0 ? this.#waiting.length : end);
    for (const { bytes } of some) this.#waitingBytes -= bytes;
    return some;
  }

  #takeLosses(): string[] {
    const losses = [...this.#lost.values()];
    this.#lost.clear();
    const messages: string[] = [];
    // A run's id has at most 255 characters, so these always fit.
    for (let start = 0; start < losses.length; start += 5)
      messages.push(this.#frames([], losses.slice(start, start + 5)));
    return messages;
  }

  #frames(deltas: readonly WireDelta[], lost: readonly WireLoss[]): string {
    return write({ kind: "frames", from: this.#options.sender, deltas, lost });
  }
}
