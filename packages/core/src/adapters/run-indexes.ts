/** Every order in which an engine asks for runs. */

import { tendAt } from "../model/intents/tend-run.js";
import { isSettled, type RunRecord } from "../model/run.js";
import { compareText } from "../model/text-order.js";
import { ClaimIndex } from "./claim-index.js";
import { GroupIndex, type Index } from "./memory-table.js";
import { SortedList } from "./sorted-list.js";

const idOf = (run: RunRecord): string => run.id;
const byId = (a: RunRecord, b: RunRecord): number => compareText(a.id, b.id);
const byCreation = (a: RunRecord, b: RunRecord): number => a.createdAt - b.createdAt || byId(a, b);
const byTendTime = (a: RunRecord, b: RunRecord): number => (tendAt(a) ?? 0) - (tendAt(b) ?? 0) || byId(a, b);
const byPlace = (a: RunRecord, b: RunRecord): number => (a.queuePosition ?? 0) - (b.queuePosition ?? 0);

export class RunIndexes implements Index<RunRecord> {
  /** All runs, oldest first. */
  readonly created = new SortedList(byCreation);
  /** Runs that time will change, soonest first. */
  readonly upcoming = new SortedList(byTendTime);
  readonly claims = new ClaimIndex();
  readonly ofThread = new GroupIndex<RunRecord>((run) => run.threadId, idOf);
  readonly unsettledOfThread = new GroupIndex<RunRecord>((run) => (isSettled(run.status) ? null : run.threadId), idOf);
  readonly ofLineage = new GroupIndex<RunRecord>((run) => run.lineageId, idOf);
  readonly ofParent = new GroupIndex<RunRecord>((run) => run.parentRunId, idOf);
  readonly ofLive = new GroupIndex<RunRecord>((run) => run.steers, idOf);
  /** Unsettled children that nobody canceled, by parent. */
  readonly children = new GroupIndex<RunRecord>(parentOfLive, idOf);
  /** Suspended runs that wait for children, in one group. */
  readonly awaiting = new GroupIndex<RunRecord>((run) => (run.awaits === null ? null : ""), idOf);
  readonly heldBy = new GroupIndex<RunRecord>((run) => run.worker, idOf);
  readonly #groups = [
    this.ofThread,
    this.unsettledOfThread,
    this.ofLineage,
    this.ofParent,
    this.ofLive,
    this.children,
    this.awaiting,
    this.heldBy,
  ];
  readonly #queues = new Map<string, SortedList<RunRecord>>();

  insert(run: RunRecord): void {
    this.created.insert(run);
    for (const groups of this.#groups) groups.insert(run);
    if (tendAt(run) !== null) this.upcoming.insert(run);
    if (isClaimableInTime(run)) this.claims.insert(run);
    if (isQueued(run)) this.#enqueue(run);
  }

  remove(run: RunRecord): void {
    this.created.remove(run);
    for (const groups of this.#groups) groups.remove(run);
    if (tendAt(run) !== null) this.upcoming.remove(run);
    if (isClaimableInTime(run)) this.claims.remove(run);
    if (isQueued(run)) this.#queues.get(run.threadId)?.remove(run);
  }

  queue(threadId: string, limit: number): RunRecord[] {
    const first: RunRecord[] = [];
    for (const run of this.#queues.get(threadId) ?? []) {
      if (first.length === limit) break;
      first.push(run);
    }
    return first;
  }

  /** Forget the queue of a thread that is gone. */
  dropQueue(threadId: string): void {
    this.#queues.delete(threadId);
  }

  #enqueue(run: RunRecord & { readonly threadId: string }): void {
    const queue = this.#queues.get(run.threadId) ?? new SortedList(byPlace);
    this.#queues.set(run.threadId, queue);
    queue.insert(run);
  }
}

function parentOfLive({ parentRunId, status, cancelRequestedAt }: RunRecord): string | null {
  return isSettled(status) || cancelRequestedAt !== null ? null : parentRunId;
}

function isClaimableInTime(run: RunRecord): boolean {
  return run.status === "pending" && run.active;
}

function isQueued(run: RunRecord): run is RunRecord & { readonly threadId: string } {
  return run.threadId !== null && run.queuePosition !== null && run.steers === null;
}
