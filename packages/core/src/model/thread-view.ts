/** A thread as users see it. */

import type { JsonObject } from "./json.js";
import { parseJson } from "./json.js";
import type { BusyStrategy } from "./run.js";
import type { ThreadRecord, ThreadStatus } from "./thread.js";
import { threadStatus } from "./thread.js";

export interface Thread {
  readonly id: string;
  readonly title: string | undefined;
  readonly metadata: JsonObject;
  readonly archived: boolean;
  /** What its runs do while it is busy; `undefined`: their agent or engine says it. */
  readonly whenBusy: BusyStrategy | undefined;
  /** Derived from the active run and the last outcome, never stored. */
  readonly status: ThreadStatus;
  readonly activeRunId: string | undefined;
  /** Runs that wait: queued, handed to the live run, delayed. */
  readonly queueLength: number;
  /** The agent of the last run that became active. */
  readonly agent: string | undefined;
  readonly headCheckpointId: string | undefined;
  /** The number of the newest event. */
  readonly lastSeq: number;
  readonly createdAt: Date;
  /** Moves with runs, checkpoints and updates; never with deltas. */
  readonly updatedAt: Date;
}

export function viewThread(record: ThreadRecord): Thread {
  return {
    id: record.id,
    title: record.title ?? undefined,
    metadata: parseJson(record.metadata, `metadata of thread ${record.id}`) as JsonObject,
    archived: record.archived,
    whenBusy: record.whenBusy ?? undefined,
    status: threadStatus(record),
    activeRunId: record.activeRunId ?? undefined,
    queueLength: record.queueLength,
    agent: record.lastAgent ?? undefined,
    headCheckpointId: record.headCheckpointId ?? undefined,
    lastSeq: record.lastSeq,
    createdAt: new Date(record.createdAt),
    updatedAt: new Date(record.updatedAt),
  };
}
