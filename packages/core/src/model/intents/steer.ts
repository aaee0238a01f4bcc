/**
 * Steering: a run that is handed to the live run instead of waiting for its turn. It stays a run of its own, pending and
 * in its thread's count of those that wait, until the live run settles:
 *
 * | The live run          | and                                   | the one handed over                        |
 * |---|---|---|
 * | settles, however      | took it                               | settles with the same outcome              |
 * | settles               | did not take it                       | is next in the queue, a run like any other |
 * | is superseded or rolled back | did not take it                | is canceled: superseded                    |
 * | fails and is tried again, loses its worker, sleeps | –        | waits on: the next attempt gets it (again) |
 */

import type { CancelReason, RunRecord } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import type { Outcome } from "./intent.js";
import { enqueue } from "./thread-mutex.js";

/** May `live` still take `run` as a message? */
export function isSteerable(live: RunRecord | undefined, run: RunRecord): live is RunRecord {
  return live?.agent === run.agent && live.cancelRequestedAt === null;
}

/** Its place is at the queue's tail, so that it keeps its order should it become a run of its own. */
export function handOverTo(uow: UnitOfWork, live: RunRecord, run: RunRecord): RunRecord {
  const told = uow.putRun({ ...live, steered: live.steered + 1 });
  uow.tell({ type: "steered", run: told });
  return enqueue(uow, { ...run, steers: live.lineageId });
}

/** How one settles that was taken by a run that ended so. */
export function outcomeOfTaken(outcome: Outcome): Outcome {
  if (outcome.status === "interrupted") return { ...outcome, questions: [] };
  return outcome.status === "failed" ? { ...outcome, counts: "none" } : outcome;
}

/** How one settles that nobody took; `undefined`: it becomes a run of its own. */
export function outcomeOfUntaken(outcome: Outcome): Outcome | undefined {
  if (outcome.status !== "canceled") return undefined;
  const { kind, by } = outcome.reason;
  if (kind !== "superseded" && kind !== "rolled_back") return undefined;
  const reason: CancelReason = by === undefined ? { kind: "superseded" } : { kind: "superseded", by };
  return { status: "canceled", reason };
}
