/**
 * Runs whose agent has a settle hook: the host's own rows are committed with the settle, so only an attempt settles such
 * a run, in the process that has the agent. Whoever else finds that an active one should end makes it claimable instead;
 * the attempt that claims it sees why and ends it without calling the agent.
 */

import type { RunRecord } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";

/** Must this run's end be left to an attempt? Not where it only waits for its turn: then the hook is not called. */
export function leftToAttempt(run: RunRecord): boolean {
  return run.settleHook && run.active;
}

/** Let the next attempt have it now, whatever it waited for. */
export function handOver(uow: UnitOfWork, run: RunRecord): RunRecord {
  if (run.availableAt <= uow.now) return run;
  const available = uow.putRun({ ...run, availableAt: uow.now });
  uow.tell({ type: "run", run: available });
  uow.tell({ type: "claimable" });
  return available;
}
