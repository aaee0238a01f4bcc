/** What stops an attempt, as errors. */

import { HeddleError } from "../errors.js";
import type { AttemptRef } from "../model/intents/intent.js";
import type { RunError, RunRecord } from "../model/run.js";
import { storedReason } from "../model/run-view.js";

export function leaseLost({ runId, attempt }: AttemptRef): HeddleError {
  const message = `Attempt ${attempt} of run "${runId}" no longer holds the run; nothing it does now is written.`;
  return new HeddleError("LEASE_LOST", message, { details: { runId, attempt } });
}

export function attemptTimedOut({ runId, attempt }: AttemptRef, limit: number): HeddleError {
  const message = `Attempt ${attempt} of run "${runId}" took longer than ${limit} ms.`;
  return new HeddleError("ATTEMPT_TIMEOUT", message, { details: { runId, attempt, limit } });
}

export function deadlineExceeded(run: RunRecord): HeddleError {
  const message = `Run "${run.id}" was not done by its deadline.`;
  return new HeddleError("DEADLINE_EXCEEDED", message, { details: { runId: run.id, deadlineAt: run.deadlineAt } });
}

export function runCanceled(run: RunRecord): HeddleError {
  const reason = storedReason(run);
  const message = `Run "${run.id}" was canceled (${reason.kind}).`;
  return new HeddleError("RUN_CANCELED", message, { details: { runId: run.id, reason } });
}

export function engineCloses(): HeddleError {
  return new HeddleError("ENGINE_CLOSED", "The engine is closing: the run goes on after the next start.");
}

/** Never stored: a run whose cancel was requested settles as canceled. */
export const canceledError: RunError = { code: "RUN_CANCELED", message: "The run was canceled before this attempt." };
