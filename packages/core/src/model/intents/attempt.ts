/** The fence: every write of an attempt passes here first. */

import { HeddleError } from "../../errors.js";
import type { RunRecord } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import type { AttemptRef } from "./intent.js";

/** The run, if the attempt still holds its lease. */
export function heldRun(uow: UnitOfWork, attempt: AttemptRef): RunRecord | undefined {
  const run = uow.run(attempt.runId);
  return run?.status === "running" && run.attempt === attempt.attempt ? run : undefined;
}

/** The run; `LEASE_LOST` if the attempt may not write any more. */
export function requireHeld(uow: UnitOfWork, attempt: AttemptRef): RunRecord {
  const run = heldRun(uow, attempt);
  if (run !== undefined) return run;
  throw new HeddleError(
    "LEASE_LOST",
    `Attempt ${attempt.attempt} of run "${attempt.runId}" no longer holds the run: ` +
      "it was settled, taken over or deleted meanwhile. Nothing was written.",
    { details: { runId: attempt.runId, attempt: attempt.attempt } },
  );
}
