/**
 * Runs that a run started. Starting one is a step: the lineage remembers under the step's key which lineage it started.
 * A child's result follows its lineage, so it is the end of that lineage that wakes a run that waits for it.
 */

import { HeddleError } from "../../errors.js";
import type { MemoRef } from "../memo.js";
import type { RunRecord } from "../run.js";
import type { ThreadRecord } from "../thread.js";
import type { UnitOfWork } from "../unit-of-work.js";
import type { AcceptRun, ChildStart } from "./intent.js";

export function childMemo({ attempt, key }: ChildStart): MemoRef {
  return { lineageId: attempt.lineageId, kind: "child", key };
}

/** The lineage that a memo of kind `child` names. */
export function childLineage(body: string | null): string {
  return JSON.parse(body ?? '""') as string;
}

/** The child that the parent's lineage started under this key before. */
export function knownChild(uow: UnitOfWork, { child }: AcceptRun): RunRecord | undefined {
  const memo = child && uow.memo(childMemo(child));
  if (memo === undefined) return undefined;
  const runId = childLineage(memo.body);
  const run = uow.run(runId);
  if (run !== undefined) return run;
  const message = `Child "${memo.key}" was run "${runId}", which was deleted since.`;
  throw new HeddleError("RUN_GONE", message, { details: { key: memo.key, runId } });
}

export function rememberChild(uow: UnitOfWork, { child, run }: AcceptRun): void {
  if (child === undefined) return;
  uow.putMemo({ ...childMemo(child), runId: child.attempt.runId, body: JSON.stringify(run.lineageId) });
}

/** A child in a thread that its parent, or a run further up, holds until the child is done. */
export function refuseDeadlock(uow: UnitOfWork, { child }: AcceptRun, thread: ThreadRecord): void {
  if (child === undefined || thread.activeRunId === null) return;
  const holder = uow.run(thread.activeRunId);
  if (holder !== undefined && child.family.includes(holder.lineageId)) throw threadDeadlock(thread.id, holder.id);
}

export function threadDeadlock(threadId: string, heldBy: string): HeddleError {
  const message =
    `Thread "${threadId}" is held by run "${heldBy}", which is this run or one that waits for it: ` +
    "a child in that thread would wait for ever. Start it in another thread, or stateless.";
  return new HeddleError("THREAD_DEADLOCK", message, { details: { threadId, heldBy } });
}
