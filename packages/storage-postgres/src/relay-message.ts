/** What relays say to each other on the channel: a mark, then JSON. A stream is named by a hash: its id may be long. */

import { createHash } from "node:crypto";
import type { DeltaFrame, RelayedFrame } from "@heddle/core/storage";

/** Names a stream in messages. */
export type StreamKey = string;

/** A delta: stream, number of the event that it follows, itself. */
export type WireDelta = readonly [StreamKey, number, DeltaFrame];
/** Deltas that are lost: stream, number of the event that they follow, run, attempt, number of the last one. */
export type WireLoss = readonly [StreamKey, number, string, number, number];

export type RelayMessage =
  /** Who reads anything? Asked by whoever begins to listen. */
  | { readonly kind: "who"; readonly from: string }
  /** `from` reads these streams, for a while. */
  | { readonly kind: "reads"; readonly from: string; readonly streams: readonly StreamKey[] }
  | {
      readonly kind: "frames";
      readonly from: string;
      readonly deltas: readonly WireDelta[];
      readonly lost: readonly WireLoss[];
    };

const mark = "!";

/** Bytes of one message: PostgreSQL takes less than 8,000. */
export const largestMessage = 7_500;

export function keyOf(stream: string): StreamKey {
  return createHash("sha256").update(stream).digest("base64url").slice(0, 16);
}

export function isRelayMessage(text: string): boolean {
  return text.startsWith(mark);
}

export function write(message: RelayMessage): string {
  return mark + JSON.stringify(message);
}

/** @returns `undefined` for what a newer version may say */
export function read(text: string): RelayMessage | undefined {
  try {
    const message = JSON.parse(text.slice(mark.length)) as RelayMessage;
    return ["who", "reads", "frames"].includes(message.kind) ? message : undefined;
  } catch {
    return undefined;
  }
}

/** As engines know it. */
export function unwrap(stream: string, frame: WireDelta | WireLoss): RelayedFrame {
  if (frame.length === 3) return { kind: "delta", stream, behind: frame[1], delta: frame[2] };
  const [, behind, runId, attempt, upTo] = frame;
  return { kind: "lost", stream, behind, runId, attempt, upTo };
}
