/**
 * What time makes due, whoever notices it. All that a dead or sleeping worker left undone is done here:
 *
 * | The run is                      | and                        | it                                    |
 * |---|---|---|
 * | running                         | its cancel's grace is over | settles as canceled                   |
 * | running                         | its lease is lost          | goes on later, or fails at the limit  |
 * | pending                         | its deadline has passed    | settles as failed                     |
 * | delayed, in a thread            | due                        | joins it as its strategy says         |
 * | suspended                       | a child it awaits is done  | goes on now                           |
 *
 * Where an attempt must settle the run (`settle-hook.ts`), it goes on at once instead, and that attempt ends it.
 */

import { maySurviveCrash } from "../retry.js";
import { awaitedBy, isSettled, type RunError, type RunRecord, storedPolicy } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import { giveBack, requestedCancel } from "./drive-attempt.js";
import type { Outcome, TendRun } from "./intent.js";
import { joinThread } from "./join-thread.js";
import { settle } from "./settle.js";
import { handOver, leftToAttempt } from "./settle-hook.js";

export function tendRun(uow: UnitOfWork, intent: TendRun): RunRecord | undefined {
  const run = uow.run(intent.runId);
  if (run === undefined || isSettled(run.status)) return undefined;
  return run.status === "running" ? tendRunning(uow, run, intent) : tendPending(uow, run, intent);
}

function tendRunning(uow: UnitOfWork, run: RunRecord, intent: TendRun): RunRecord | undefined {
  const lost = leaseIsLost(run, uow.now, intent.deadWorkers);
  const graceIsOver = run.graceUntil !== null && run.graceUntil <= uow.now;
  if (!lost && !graceIsOver) return undefined;
  const { finalCheckpointId } = intent;
  if (leftToAttempt(run)) return takeBack(uow, run, lost);
  const canceled = requestedCancel(run);
  if (canceled !== undefined) return settle(uow, run, { outcome: canceled, finalCheckpointId });
  const crashed = uow.putRun({ ...run, crashes: run.crashes + 1 });
  const failed = whyItCannotGoOn(uow, crashed);
  if (failed !== undefined) return settle(uow, crashed, { outcome: failed, finalCheckpointId });
  return giveBack(uow, crashed, uow.now, { why: "crash" });
}

/** Its next attempt will end it, or go on. */
function takeBack(uow: UnitOfWork, run: RunRecord, lost: boolean): RunRecord {
  const crashes = run.crashes + (lost ? 1 : 0);
  return giveBack(uow, { ...run, crashes }, uow.now, { why: lost ? "crash" : "cancel" });
}

/** From when on `tend_run` changes the run, epoch ms, should its worker not die before; `null`: time changes nothing. */
export function tendAt(run: RunRecord): number | null {
  if (isSettled(run.status)) return null;
  if (run.status === "running") return earlier(run.leaseUntil, run.graceUntil);
  // It is claimable by then: nobody but its next attempt can do more.
  if (leftToAttempt(run) && run.availableAt <= (run.deadlineAt ?? 0)) return null;
  return earlier(run.deadlineAt, isDelayed(run) ? run.availableAt : null);
}

/** `null`: never. */
export function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

/** A lease is lost when its time is over or its worker is proved dead. */
export function leaseIsLost(
  run: Pick<RunRecord, "worker" | "leaseUntil">,
  now: number,
  deadWorkers: readonly string[],
): boolean {
  if (run.leaseUntil !== null && run.leaseUntil <= now) return true;
  return run.worker !== null && deadWorkers.includes(run.worker);
}

function whyItCannotGoOn(uow: UnitOfWork, run: RunRecord): Outcome | undefined {
  const error = whyFutile(run, uow.now);
  return error && failure(error);
}

/** Why another attempt would be of no use. */
export function whyFutile(run: RunRecord, now: number): RunError | undefined {
  if (run.deadlineAt !== null && run.deadlineAt <= now) return deadlineError(run);
  const { retry } = storedPolicy(run);
  if (run.crashes === 0 || maySurviveCrash(retry, run.crashes)) return undefined;
  const message = `The run lost its worker ${run.crashes} times, which is its limit.`;
  return { code: "CRASH_LIMIT", message, details: { crashes: run.crashes } };
}

function tendPending(uow: UnitOfWork, run: RunRecord, intent: TendRun): RunRecord | undefined {
  const { finalCheckpointId } = intent;
  if (deadlinePassed(uow, run) && leftToAttempt(run)) return isReady(uow, run) ? undefined : handOver(uow, run);
  if (deadlinePassed(uow, run)) return settle(uow, run, { outcome: deadlineExceeded(run), finalCheckpointId });
  if (isDelayed(run) && run.availableAt <= uow.now) return fallDue(uow, run, finalCheckpointId);
  if (intent.childDone !== undefined && awaitedBy(run).includes(intent.childDone)) return wake(uow, run);
  return undefined;
}

function wake(uow: UnitOfWork, run: RunRecord): RunRecord {
  const awake = uow.putRun({ ...run, awaits: null, availableAt: Math.min(run.availableAt, uow.now) });
  uow.tell({ type: "run", run: awake });
  uow.tell({ type: "claimable" });
  return awake;
}

function isReady(uow: UnitOfWork, run: RunRecord): boolean {
  return run.availableAt <= uow.now;
}

/** In a thread and waiting for its time, not for its turn. */
export function isDelayed(run: RunRecord): boolean {
  return run.status === "pending" && !run.active && run.queuePosition === null;
}

function fallDue(uow: UnitOfWork, run: RunRecord, finalCheckpointId: string): RunRecord {
  const joined = joinThread(uow, run, storedPolicy(run).whenBusy ?? "enqueue", finalCheckpointId);
  if (joined.active) uow.tell({ type: "claimable" });
  return joined;
}

function deadlinePassed(uow: UnitOfWork, run: RunRecord): boolean {
  return run.deadlineAt !== null && run.deadlineAt <= uow.now;
}

function deadlineExceeded(run: RunRecord): Outcome {
  return failure(deadlineError(run));
}

function deadlineError(run: RunRecord): RunError {
  const message = "The run's deadline passed before it was done.";
  return { code: "DEADLINE_EXCEEDED", message, details: { deadlineAt: run.deadlineAt } };
}

function failure(error: RunError): Outcome {
  return { status: "failed", error, counts: "none" };
}
