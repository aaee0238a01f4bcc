/**
 * Deltas between this engine and others that share its storage: what attempts here send goes to readers elsewhere, what
 * is sent elsewhere goes to readers here. Lossy, as all deltas are: what did not arrive is counted, never guessed.
 */

import type { DeltaFrame } from "../model/event.js";
import type { DeltaRelay, RelayedFrame } from "../ports/storage.js";
import type { FrameHub } from "./frame-hub.js";

/** A stream that is read here. */
interface Followed {
  readers: number;
  readonly undo: () => void;
  /** By run, the newest attempt and the number of its newest delta that was heard, or is known to be lost. */
  readonly heard: Map<string, { readonly attempt: number; readonly number: number }>;
}

/** Of runs in one stream: deltas come from the active one, so that is more than enough. */
const mostHeard = 100;

export class DeltaExchange {
  readonly #hub: FrameHub;
  readonly #relay: DeltaRelay | undefined;
  readonly #engine: string;
  readonly #followed = new Map<string, Followed>();

  /** @param engine names this engine among those that share the relay */
  constructor(hub: FrameHub, relay: DeltaRelay | undefined, engine: string) {
    this.#hub = hub;
    this.#relay = relay;
    this.#engine = engine;
  }

  /** @param behind number of the event that the delta follows */
  publish(stream: string, delta: DeltaFrame, behind: number): void {
    this.#hub.publish(stream, { kind: "delta", delta, behind });
    this.#relay?.send(this.#engine, { kind: "delta", stream, delta, behind });
  }

  /** Somebody reads the stream here. Returns its undo. */
  follow(stream: string): () => void {
    const followed = this.#followed.get(stream) ?? this.#begin(stream);
    followed.readers++;
    return () => {
      followed.readers--;
      if (followed.readers > 0) return;
      followed.undo();
      this.#followed.delete(stream);
    };
  }

  #begin(stream: string): Followed {
    const heard: Followed["heard"] = new Map();
    const undo = this.#relay?.follow(this.#engine, stream, (frame) => this.#hear(heard, frame));
    const followed = { readers: 0, undo: undo ?? (() => {}), heard };
    this.#followed.set(stream, followed);
    return followed;
  }

  #hear(heard: Followed["heard"], frame: RelayedFrame): void {
    const { stream, behind } = frame;
    const { runId, attempt } = frame.kind === "delta" ? frame.delta : frame;
    const number = frame.kind === "delta" ? frame.delta.sequenceNumber : frame.upTo;
    const known = heard.get(runId);
    const last = known?.attempt === attempt ? known.number : 0;
    if (number <= last || attempt < (known?.attempt ?? 0)) return;
    // Anew, so that the longest silent run is the first to be forgotten.
    heard.delete(runId);
    heard.set(runId, { attempt, number });
    if (heard.size > mostHeard) heard.delete(heard.keys().next().value as string);
    const lost = frame.kind === "delta" ? number - last - 1 : number - last;
    if (lost > 0) this.#hub.publish(stream, { kind: "dropped", runId, count: lost, behind });
    if (frame.kind === "delta")
      this.#hub.publish(stream, { kind: "delta", delta: frame.delta, behind, isRelayed: true });
  }
}
