/** What must hold between runs and the children that they started. */

import assert from "node:assert/strict";
import { childLineage } from "../model/intents/child.js";
import type { RunRecord } from "../model/run.js";
import type { Storage } from "../ports/storage.js";

export async function checkChildren(storage: Storage, runs: ReadonlyMap<string, RunRecord>): Promise<void> {
  for (const run of runs.values()) checkWaiting(run);
  const families = groupByParent(runs);
  for (const [parentId, children] of families) {
    // Its first run was deleted: what it remembered went with it.
    const parent = runs.get(parentId);
    if (parent === undefined) continue;
    for (const child of children) checkChild(parent, child);
    const isRolledBack = [...runs.values()].some((run) => run.lineageId === parentId && run.rolledBack);
    // And what a later run of the lineage remembered, with that one.
    const mayBeDeleted = parent.status === "interrupted";
    if (!isRolledBack && !mayBeDeleted) await checkRemembered(storage, parentId, children);
  }
}

function checkWaiting(run: RunRecord): void {
  const is = (holds: boolean, what: string): void => assert.ok(holds, `run ${run.id} (${run.status}) ${what}`);
  if (run.awaits !== null) is(run.status === "pending" && run.active, "waits for children");
}

/** The first runs of children by their parent's lineage: a child that was resumed is still one. */
function groupByParent(runs: ReadonlyMap<string, RunRecord>): Map<string, RunRecord[]> {
  const families = new Map<string, RunRecord[]>();
  for (const run of runs.values()) {
    if (run.parentRunId === null || run.id !== run.lineageId) continue;
    families.set(run.parentRunId, [...(families.get(run.parentRunId) ?? []), run]);
  }
  return families;
}

function checkChild(parent: RunRecord, child: RunRecord): void {
  const is = (holds: boolean, what: string): void => assert.ok(holds, `child ${child.id} of ${parent.id} ${what}`);
  is(child.parentThreadId === parent.threadId, `thinks that its parent is in thread ${child.parentThreadId}`);
  // A run that an answer started has a deadline of its own.
  if (parent.deadlineAt !== null && parent.status !== "interrupted")
    is((child.deadlineAt ?? Infinity) <= parent.deadlineAt, "has more time than it");
}

/** One child per key, and none that the lineage does not know. */
async function checkRemembered(storage: Storage, parentId: string, children: readonly RunRecord[]): Promise<void> {
  const memos = await storage.lineages.memos(parentId, 1_000_000);
  const known = memos.filter(({ kind }) => kind === "child").map(({ body }) => childLineage(body));
  assert.equal(new Set(known).size, known.length, `lineage ${parentId} knows a child under two keys`);
  for (const { id } of children) assert.ok(known.includes(id), `lineage ${parentId} does not know its child ${id}`);
}
