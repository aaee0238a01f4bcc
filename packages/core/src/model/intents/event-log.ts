/** Appending to a stream: numbers are given here, under the stream's lock, and nowhere else. */

import { streamOf, threadStream } from "../event.js";
import type { RunRecord } from "../run.js";
import type { ThreadRecord } from "../thread.js";
import type { UnitOfWork } from "../unit-of-work.js";
import type { NewEvent } from "./intent.js";

/** Append an event of the thread itself, outside of any run. */
export function appendThreadEvent(uow: UnitOfWork, thread: ThreadRecord, { type, payload }: NewEvent): ThreadRecord {
  const seq = thread.lastSeq + 1;
  const { rollout } = thread;
  const stream = threadStream(thread.id);
  uow.appendEvent({ stream, seq, runId: null, attempt: 0, rollout, type, payload, createdAt: uow.now });
  return uow.putThread({ ...thread, lastSeq: seq, updatedAt: uow.now });
}

/** Append `events` to the run's stream and return the run with its seq range moved on. Keyed ones only once. */
export function appendEvents(uow: UnitOfWork, run: RunRecord, emitted: readonly NewEvent[]): RunRecord {
  const events = emitted.filter((event) => isNew(uow, run, event));
  if (events.length === 0) return run;
  const thread = run.threadId === null ? undefined : uow.thread(run.threadId);
  // A storage that did not read the thread would begin its log again.
  if (run.threadId !== null && thread === undefined)
    throw new Error(`thread "${run.threadId}" of ${run.id} is not there`);
  const last = thread === undefined ? run.lastSeq : thread.lastSeq;
  const stream = streamOf(run);
  const rollout = thread?.rollout ?? 1;
  events.forEach((event, index) => {
    uow.appendEvent({
      stream,
      seq: last + index + 1,
      runId: run.id,
      attempt: run.attempt,
      rollout,
      type: event.type,
      payload: event.payload,
      createdAt: uow.now,
    });
  });
  const lastSeq = last + events.length;
  if (thread !== undefined) uow.putThread({ ...thread, lastSeq, updatedAt: uow.now });
  return uow.putRun({ ...run, firstSeq: run.firstSeq === 0 ? last + 1 : run.firstSeq, lastSeq });
}

function isNew(uow: UnitOfWork, run: RunRecord, { key }: NewEvent): boolean {
  if (key === undefined) return true;
  const ref = { lineageId: run.lineageId, kind: "event", key } as const;
  if (uow.memo(ref) !== undefined) return false;
  uow.putMemo({ ...ref, runId: run.id, body: null });
  return true;
}
