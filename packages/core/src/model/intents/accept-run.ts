import { HeddleError } from "../../errors.js";
import type { BusyStrategy, RunRecord } from "../run.js";
import type { KeyRef, UnitOfWork } from "../unit-of-work.js";
import { requireHeld } from "./attempt.js";
import { requireCheckpoint } from "./checkpoint-ref.js";
import { knownChild, refuseDeadlock, rememberChild } from "./child.js";
import { claimIfFirst } from "./claim-runs.js";
import type { Accepted, AcceptRun } from "./intent.js";
import { joinThread, supersedes } from "./join-thread.js";
import { newThread } from "./manage-thread.js";
import { earlier } from "./tend-run.js";
import { activate, threadOf } from "./thread-mutex.js";

export function acceptRun(uow: UnitOfWork, intent: AcceptRun): Accepted {
  const parent = intent.child && requireHeld(uow, intent.child.attempt);
  const existing = knownChild(uow, intent) ?? runOfKey(uow, intent);
  if (existing !== undefined) return { run: existing, outcome: "existing" };
  checkThread(uow, intent);
  const run = place(uow, intent, uow.insertRun(newRun(uow, intent, parent)));
  rememberKey(uow, intent);
  rememberChild(uow, intent);
  uow.tell({ type: "run", run });
  return claimAtOnce(uow, intent, run);
}

/** The run that this idempotency key started before. */
function runOfKey(uow: UnitOfWork, intent: AcceptRun): RunRecord | undefined {
  if (intent.idempotency === undefined) return undefined;
  const { key, fingerprint } = intent.idempotency;
  const known = uow.key(keyRef(intent, key));
  if (known === undefined) return undefined;
  const run = uow.run(known.runId);
  if (run === undefined && known.keepUntil <= uow.now) return undefined;
  const details = { idempotencyKey: key, runId: known.runId };
  if (known.fingerprint !== fingerprint) {
    const message = `Idempotency key "${key}" was used before with another input or config.`;
    throw new HeddleError("IDEMPOTENCY_CONFLICT", message, { details });
  }
  if (run !== undefined) return run;
  const message = `Idempotency key "${key}" started run "${known.runId}", which was deleted since.`;
  throw new HeddleError("RUN_GONE", message, { details });
}

function keyRef(intent: AcceptRun, key: string): KeyRef {
  const { threadId, agent } = intent.run;
  return { scope: threadId === null ? "s" : `t:${threadId}`, agent, key };
}

function rememberKey(uow: UnitOfWork, intent: AcceptRun): void {
  if (intent.idempotency === undefined) return;
  const { key, fingerprint, keep } = intent.idempotency;
  const ref = keyRef(intent, key);
  uow.putKey({ ...ref, fingerprint, runId: intent.run.id, keepUntil: uow.now + keep });
}

/** All that may refuse the run, before anything is changed. */
function checkThread(uow: UnitOfWork, intent: AcceptRun): void {
  const { threadId, delay } = intent.run;
  if (threadId === null) return;
  const thread = uow.thread(threadId);
  if (intent.from !== undefined) requireCheckpoint(uow, threadOf(uow, threadId), intent.from);
  if (thread === undefined) {
    if (intent.createThread) newThread(uow, { id: threadId, title: null, metadata: "{}" });
    else threadOf(uow, threadId);
    return;
  }
  const waits = delay > 0 || thread.activeRunId !== null;
  if (!waits) return;
  refuseDeadlock(uow, intent, thread);
  const strategy = strategyOf(uow, intent);
  if (delay === 0 && strategy === "reject") throw threadBusy(uow, thread.id, thread.activeRunId);
  // Nobody but itself will wait for its turn.
  if (delay === 0 && supersedes(strategy)) return;
  if (thread.queueLength >= intent.queueBound) {
    throw new HeddleError("QUEUE_FULL", `Thread "${threadId}" has ${thread.queueLength} runs waiting already.`, {
      details: { threadId, queueLength: thread.queueLength, limit: intent.queueBound },
    });
  }
}

/** The run's own, else its thread's, else that of its agent or engine. */
function strategyOf(uow: UnitOfWork, { run, whenBusy, threadDecides }: AcceptRun): BusyStrategy {
  if (threadDecides !== true || run.threadId === null) return whenBusy;
  return uow.thread(run.threadId)?.whenBusy ?? whenBusy;
}

export function threadBusy(uow: UnitOfWork, threadId: string, activeRunId: string | null): HeddleError {
  const active = activeRunId === null ? undefined : uow.run(activeRunId);
  return new HeddleError("THREAD_BUSY", `Thread "${threadId}" is busy with run "${activeRunId}".`, {
    details: {
      threadId,
      activeRunId,
      status: active?.status,
      worker: active?.worker ?? undefined,
      leaseUntil: active?.leaseUntil == null ? undefined : new Date(active.leaseUntil),
    },
  });
}

function newRun(uow: UnitOfWork, intent: AcceptRun, parent: RunRecord | undefined): RunRecord {
  const { run } = intent;
  const deadlineAt = run.deadline === null ? null : uow.now + run.deadline;
  // Field by field: an object of thirty fields that begins as a copy of another is slow to make and slow to read.
  return {
    id: run.id,
    threadId: run.threadId,
    agent: run.agent,
    status: "pending",
    lineageId: run.lineageId,
    parentRunId: parent?.lineageId ?? run.parentRunId,
    parentThreadId: parent === undefined ? run.parentThreadId : parent.threadId,
    input: run.input,
    config: run.config,
    metadata: run.metadata,
    policy: policyOf(uow, intent),
    output: null,
    error: null,
    cancelReason: null,
    priority: run.priority,
    settleHook: run.settleHook,
    steers: null,
    takenBy: null,
    steered: 0,
    awaits: null,
    rolledBack: false,
    active: run.threadId === null,
    queuePosition: null,
    availableAt: uow.now + run.delay,
    attempt: 0,
    failures: 0,
    crashes: 0,
    worker: null,
    leaseUntil: null,
    cancelRequestedAt: null,
    graceUntil: null,
    deadlineAt: earlier(deadlineAt, parent?.deadlineAt ?? null),
    idempotencyKey: intent.idempotency?.key ?? null,
    baseCheckpointId: null,
    headCheckpointId: intent.from?.id ?? null,
    firstSeq: 0,
    lastSeq: 0,
    createdAt: uow.now,
    startedAt: null,
    settledAt: null,
  };
}

/** A delayed run's strategy is needed when it falls due. */
function policyOf(uow: UnitOfWork, intent: AcceptRun): string {
  const { delay, policy, threadId } = intent.run;
  if (delay === 0 || threadId === null) return policy;
  const whenBusy = strategyOf(uow, intent);
  if (whenBusy === "reject" || whenBusy === "enqueue") return policy;
  return JSON.stringify({ ...(JSON.parse(policy) as object), whenBusy });
}

/** Active, queued, handed over or delayed: where the accepted run stands in its thread. */
function place(uow: UnitOfWork, intent: AcceptRun, run: RunRecord): RunRecord {
  if (run.threadId === null) return run;
  const thread = threadOf(uow, run.threadId);
  if (intent.run.delay === 0 && thread.activeRunId === null) return activate(uow, run);
  uow.putThread({ ...thread, queueLength: thread.queueLength + 1, updatedAt: uow.now });
  if (intent.run.delay > 0) return run;
  return joinThread(uow, run, strategyOf(uow, intent), intent.finalCheckpointId);
}

function claimAtOnce(uow: UnitOfWork, intent: AcceptRun, run: RunRecord): Accepted {
  if (!run.active || intent.run.delay > 0) return { run, outcome: "accepted" };
  const claimed = claimIfFirst(uow, run, intent.claim);
  return claimed === undefined ? { run, outcome: "accepted" } : { run: claimed, outcome: "accepted", claimed };
}
