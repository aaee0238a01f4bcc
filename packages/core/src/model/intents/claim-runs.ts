import type { RunRecord } from "../run.js";
import { nextStatus } from "../run.js";
import type { UnitOfWork } from "../unit-of-work.js";
import { heldRun } from "./attempt.js";
import { appendEvents } from "./event-log.js";
import type { AcceptRun, Claimer, ClaimRuns, ExtendLeases, LeaseState } from "./intent.js";

export function claimRuns(uow: UnitOfWork, intent: ClaimRuns): readonly RunRecord[] {
  const { agents, limit } = intent;
  return uow.claimable({ agents, limit }).map((run) => claim(uow, run, intent));
}

/** Give a claimable run to a worker: the attempt number, which fences everything it writes, goes up. */
export function claim(uow: UnitOfWork, run: RunRecord, claimer: Claimer): RunRecord {
  const status = nextStatus(run.status, "claim");
  if (status === undefined) throw new Error(`run ${run.id} cannot be claimed from ${run.status}`);
  const claimed: RunRecord = {
    ...run,
    status,
    attempt: run.attempt + 1,
    worker: claimer.worker,
    leaseUntil: uow.now + claimer.lease,
    // A canceled run is claimed only to be ended: that may take as long as the lease.
    graceUntil: run.cancelRequestedAt === null ? null : uow.now + claimer.lease,
    startedAt: run.startedAt ?? uow.now,
    awaits: null,
  };
  const payload = JSON.stringify({ agent: run.agent });
  const started = appendEvents(uow, claimed, [{ type: "run_started", payload }]);
  uow.tell({ type: "run", run: started });
  return started;
}

/** Claim a run that has just become claimable, unless an older or more urgent one waits; then others are told of it. */
export function claimIfFirst(uow: UnitOfWork, run: RunRecord, claimer: AcceptRun["claim"]): RunRecord | undefined {
  if (claimer !== undefined && uow.claimable({ agents: claimer.agents, limit: 1 })[0]?.id === run.id) {
    return claim(uow, run, claimer);
  }
  uow.tell({ type: "claimable" });
  return undefined;
}

export function extendLeases(uow: UnitOfWork, intent: ExtendLeases): readonly LeaseState[] {
  return intent.attempts.map((attempt) => {
    const held = heldRun(uow, attempt);
    const run = held && uow.putRun({ ...held, leaseUntil: uow.now + intent.lease });
    return { runId: attempt.runId, attempt: attempt.attempt, run };
  });
}
