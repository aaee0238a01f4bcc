/** Drives a storage by hand, one intent at a time: what conformance cases are written in. */

import type { EventRecord } from "../model/event.js";
import { threadStream } from "../model/event.js";
import type {
  Accepted,
  Canceled,
  HeadMoved,
  Intent,
  IntentKind,
  IntentOf,
  IntentValues,
} from "../model/intents/intent.js";
import type { RunRecord } from "../model/run.js";
import type { ThreadRecord } from "../model/thread.js";
import type { DueQuery, DueWork, IntentResult, Storage } from "../ports/storage.js";
import {
  type AcceptOptions,
  acceptRun,
  attemptOf,
  cancelRun,
  freshId,
  releaseRun,
  settleRun,
  tendRun,
} from "./intents.js";

export const lease = 15_000;

export class StorageDriver {
  readonly storage: Storage;
  readonly worker = freshId("wrk");

  constructor(storage: Storage) {
    this.storage = storage;
  }

  /** The intent's answer. @throws HeddleError its refusal */
  async apply<Kind extends IntentKind>(intent: IntentOf<Kind>): Promise<IntentValues[Kind]> {
    const [result] = await this.storage.commit([intent as Intent]);
    if (result === undefined) throw new Error("the intent was not answered");
    if (!result.ok) throw result.error;
    return result.value as IntentValues[Kind];
  }

  async result(intent: Intent): Promise<IntentResult> {
    const [result] = await this.storage.commit([intent]);
    if (result === undefined) throw new Error("the intent was not answered");
    return result;
  }

  accept(options?: AcceptOptions): Promise<Accepted> {
    return this.apply<"accept_run">(acceptRun(options));
  }

  /** Accept and claim in one transaction. */
  async start(options: AcceptOptions = {}): Promise<RunRecord> {
    const agents = [options.agent ?? "worker"];
    const { claimed, run } = await this.accept({ claim: { worker: this.worker, lease, agents }, ...options });
    if (claimed === undefined) throw new Error(`run ${run.id} was not claimed at once`);
    return claimed;
  }

  claim(limit = 100, agents: readonly string[] = ["worker"]): Promise<readonly RunRecord[]> {
    return this.apply<"claim_runs">({ kind: "claim_runs", worker: this.worker, lease, agents, limit });
  }

  settle(run: RunRecord, options?: Parameters<typeof settleRun>[1]): Promise<RunRecord> {
    return this.apply<"settle_run">(settleRun(run, options));
  }

  fail(run: RunRecord, message = "boom"): Promise<RunRecord> {
    const error = { code: "AGENT_ERROR", message };
    return this.settle(run, { outcome: { status: "failed", error, counts: "failure" } });
  }

  record(run: RunRecord, given: Partial<IntentOf<"record_progress">>): Promise<RunRecord> {
    return this.apply<"record_progress">({ kind: "record_progress", attempt: attemptOf(run), events: [], ...given });
  }

  release(run: RunRecord, options?: Partial<IntentOf<"release_run">>): Promise<RunRecord> {
    return this.apply<"release_run">(releaseRun(run, options));
  }

  cancel(run: Pick<RunRecord, "id" | "threadId">, options?: Partial<IntentOf<"cancel_run">>): Promise<Canceled> {
    return this.apply<"cancel_run">(cancelRun(run, options));
  }

  tend(run: Pick<RunRecord, "id" | "threadId">, deadWorkers?: readonly string[]): Promise<RunRecord | undefined> {
    return this.apply<"tend_run">(tendRun(run, deadWorkers));
  }

  deleteRun({ id, threadId }: RunRecord): Promise<undefined> {
    return this.apply<"delete_run">({ kind: "delete_run", runId: id, threadId });
  }

  createThread(given: Partial<IntentOf<"create_thread">> = {}): Promise<ThreadRecord> {
    const id = freshId("thr");
    return this.apply<"create_thread">({
      kind: "create_thread",
      id,
      title: null,
      metadata: "{}",
      ifExists: "fail",
      ...given,
    });
  }

  updateThread(id: string, given: Partial<IntentOf<"update_thread">>): Promise<ThreadRecord> {
    return this.apply<"update_thread">({ kind: "update_thread", id, maxMetadata: 16_384, ...given });
  }

  copyThread(from: string, given: Partial<IntentOf<"copy_thread">> = {}): Promise<ThreadRecord> {
    return this.apply<"copy_thread">({ kind: "copy_thread", from, id: freshId("thr"), ...given });
  }

  moveHead(threadId: string, given: Partial<IntentOf<"move_head">>): Promise<HeadMoved> {
    return this.apply<"move_head">({ kind: "move_head", threadId, ...given });
  }

  /** @param snapshots checkpoints that stand alone from here on, by what they hold */
  prune(
    threadId: string,
    ids: readonly string[],
    snapshots: Readonly<Record<string, object>> = {},
  ): Promise<{ readonly removed: number }> {
    const wholes = Object.entries(snapshots).map(([id, values]) => {
      const body = JSON.stringify(values);
      return { id, body, valuesBytes: Buffer.byteLength(body) };
    });
    return this.apply<"prune_checkpoints">({ kind: "prune_checkpoints", threadId, ids, snapshots: wholes });
  }

  deleteThread(id: string, keepTombstone = 86_400_000): Promise<undefined> {
    return this.apply<"delete_thread">({ kind: "delete_thread", id, keepTombstone });
  }

  /** The run's record, which must exist. */
  async run({ id }: Pick<RunRecord, "id">): Promise<RunRecord> {
    const run = await this.storage.runs.get(id);
    if (run === undefined) throw new Error(`run ${id} is not there`);
    return run;
  }

  /** The thread's record, which must exist. */
  async thread(id: string): Promise<ThreadRecord> {
    const thread = await this.storage.threads.get(id);
    if (thread === undefined) throw new Error(`thread ${id} is not there`);
    return thread;
  }

  events(
    stream: string,
    query: { after?: number; limit?: number; runId?: string } = {},
  ): Promise<readonly EventRecord[]> {
    return this.storage.events.read({ stream, after: 0, limit: 500, ...query });
  }

  threadEvents(threadId: string): Promise<readonly EventRecord[]> {
    return this.events(threadStream(threadId));
  }

  /** What a worker that holds nothing is told. */
  due(given: Partial<DueQuery> = {}): Promise<DueWork> {
    return this.storage.work.due({ worker: "wrk_asker", deadWorkers: [], limit: 100, agents: ["worker"], ...given });
  }
}
