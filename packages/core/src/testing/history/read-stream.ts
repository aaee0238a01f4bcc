/** A reader: notes every frame it gets, in the form in which the history keeps them. */

import type { ThreadFrame } from "../../model/event.js";
import type { AnswerValue, SeenFrame } from "./history.js";
import type { Place } from "./place.js";
import type { ReadingPlan } from "./script.js";
import { seenValues } from "./scripted-agent.js";

export async function readStream(
  frames: AsyncIterable<ThreadFrame>,
  { frames: most, pace }: ReadingPlan,
  { process, stop, isOpen }: { readonly process: Place; readonly stop: AbortSignal; isOpen(): boolean },
  note: (frame: SeenFrame) => void,
): Promise<AnswerValue> {
  let count = 0;
  for await (const frame of frames) {
    note(seenFrame(frame));
    count++;
    if (most !== null && count >= most) return { kind: "stream_ended", why: "left" };
    if (pace > 0) await process.sleep(pace);
  }
  if (stop.aborted) return { kind: "stream_ended", why: "stopped" };
  return { kind: "stream_ended", why: isOpen() ? "ended" : "closed" };
}

export function seenFrame(frame: ThreadFrame): SeenFrame {
  switch (frame.kind) {
    case "event":
      return { kind: "event", ...seenEvent(frame, Number(frame.createdAt)) };
    case "delta": {
      const { runId, attempt, sequenceNumber } = frame;
      return { kind: "delta", runId, attempt, number: sequenceNumber, token: textOf(frame.payload, "token") ?? "" };
    }
    case "dropped":
      return { kind: "dropped", count: frame.count };
    case "snapshot":
      return {
        kind: "snapshot",
        seq: frame.seq,
        values: seenValues(frame.values),
        activeRunId: frame.activeRun?.id ?? null,
      };
    case "thread":
      return { kind: "thread", change: frame.type };
  }
}

interface AnyEvent {
  readonly seq: number;
  readonly runId: string | null;
  readonly attempt: number;
  readonly type: string;
  readonly payload: unknown;
}

export function seenEvent({ seq, runId, attempt, type, payload }: AnyEvent, createdAt: number) {
  const isBack = type === "run_retrying" || type === "run_suspended";
  const why = isBack ? textOf(payload, "why") : null;
  const token = type === "note" ? textOf(payload, "token") : null;
  const availableAt = isBack ? (numberOf(payload, "availableAt") ?? numberOf(payload, "until")) : null;
  const rolledBackFrom = type === "run_canceled" ? numberOf(fieldOf(payload, "rolledBack"), "fromSeq") : null;
  // No command of a script edits values from outside: every event is some run's.
  return { seq, runId: runId ?? "", attempt, type, token, why, availableAt, rolledBackFrom, createdAt };
}

function textOf(payload: unknown, field: string): string | null {
  const value = fieldOf(payload, field);
  return typeof value === "string" ? value : null;
}

function numberOf(payload: unknown, field: string): number | null {
  const value = fieldOf(payload, field);
  return typeof value === "number" ? value : null;
}

export function fieldOf(payload: unknown, field: string): unknown {
  return typeof payload === "object" && payload !== null ? (payload as Record<string, unknown>)[field] : undefined;
}
