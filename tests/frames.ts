/** Reading streams in tests. */

import type { EventFrame, ThreadFrame } from "@heddle/core";

export interface Reading<Frame> {
  /** What came so far. */
  readonly frames: readonly Frame[];
  /** Resolves when the stream ends; rejects as it does. */
  readonly ended: Promise<readonly Frame[]>;
}

/** Read in the background, from now on. */
export function read<Frame>(stream: AsyncIterable<Frame>): Reading<Frame> {
  const frames: Frame[] = [];
  const ended = (async () => {
    for await (const frame of stream) frames.push(frame);
    return frames;
  })();
  ended.catch(() => {});
  return { frames, ended };
}

export function eventsOf(frames: readonly ThreadFrame[]): EventFrame[] {
  return frames.filter((frame) => frame.kind === "event");
}

/** Short names for comparison: an event's type, a delta as `~type`, what else there is by its kind. */
export function namesOf(frames: readonly ThreadFrame[]): string[] {
  return frames.map((frame) => {
    if (frame.kind === "event") return frame.type;
    if (frame.kind === "delta") return `~${frame.type}`;
    return frame.kind === "thread" ? frame.type : frame.kind;
  });
}

export function seqsOf(frames: readonly ThreadFrame[]): number[] {
  return eventsOf(frames).map((frame) => frame.seq);
}
