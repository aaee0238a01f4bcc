/** Fans frames out to the subscribers of this process. Knows streams and sinks, nothing of storage. */

import type { DeltaFrame, EventRecord, ThreadChangeFrame } from "../model/event.js";

export type LiveFrame =
  | { readonly kind: "record"; readonly event: EventRecord }
  /** `behind`: the number of the event that it follows, for readers that get that event from the storage. */
  | {
      readonly kind: "delta";
      readonly delta: DeltaFrame;
      readonly behind: number;
      /** It comes from another engine, by a way of its own: events that followed it may be here already. */
      readonly isRelayed?: true;
    }
  /** Deltas of the run that did not arrive here. */
  | { readonly kind: "dropped"; readonly runId: string; readonly count: number; readonly behind: number }
  | ThreadChangeFrame;

export interface FrameSink {
  push(frame: LiveFrame): void;
  /** Another process may have written: the storage knows more. */
  stale(): void;
  /** The stream ends here; with `error`: for the reader only, it has not come to its end. */
  end(error?: Error): void;
}

export class FrameHub {
  readonly #sinks = new Map<string, Set<FrameSink>>();

  /** Returns its undo. */
  subscribe(stream: string, sink: FrameSink): () => void {
    const sinks = this.#sinks.get(stream) ?? new Set();
    this.#sinks.set(stream, sinks.add(sink));
    return () => {
      sinks.delete(sink);
      if (sinks.size === 0 && this.#sinks.get(stream) === sinks) this.#sinks.delete(stream);
    };
  }

  publish(stream: string, frame: LiveFrame): void {
    // None subscribes or leaves while it is told: readers go on in a later turn.
    for (const sink of this.#sinks.get(stream) ?? []) sink.push(frame);
  }

  end(stream: string, error?: Error): void {
    for (const sink of [...(this.#sinks.get(stream) ?? [])]) sink.end(error);
  }

  /** Nothing more will be told of any stream. */
  breakOff(error: Error): void {
    for (const stream of this.streams()) this.end(stream, error);
  }

  staleAll(): void {
    for (const sinks of this.#sinks.values()) for (const sink of sinks) sink.stale();
  }

  /** The streams that somebody listens to. */
  streams(): string[] {
    return [...this.#sinks.keys()];
  }
}
