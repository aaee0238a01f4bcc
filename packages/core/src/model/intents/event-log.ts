/** Appending to a stream: numbers are given here, under the stream's lock, and nowhere else. */

import { streamOf } from "../event.js";
import type { RunRecord } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import type { NewEvent } from "./intent.js";

/** Append `events` to the run's stream and return the run with its seq range moved on. */
export function appendEvents(uow: UnitOfWork, run: RunRecord, events: readonly NewEvent[]): RunRecord {
  if (events.length === 0) return run;
  const thread = run.threadId === null ? undefined : uow.thread(run.threadId);
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
