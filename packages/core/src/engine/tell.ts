/** Tells everyone concerned what a commit changed: readers, waiters, drivers, timers, lifecycle listeners. */

import type { CheckpointHead } from "../model/checkpoint.js";
import { streamOf, threadStream } from "../model/event.js";
import type { CollectCheckpoints, Effect } from "../model/intents/intent.js";
import type { RunRecord } from "../model/run.js";
import { isSettled } from "../model/run.js";
import { viewRun } from "../model/run-view.js";
import type { ThreadRecord } from "../model/thread.js";
import { viewThread } from "../model/thread-view.js";
import type { LifecycleEvents } from "../runtime/lifecycle.js";
import type { Core } from "./core.js";
import type { Dispatcher } from "./dispatcher.js";
import type { Families } from "./families.js";
import type { Watchman } from "./watchman.js";

export class Teller {
  readonly #core: Core;
  readonly #dispatcher: Dispatcher;
  readonly #watchman: Watchman;
  readonly #families: Families;

  constructor(core: Core, dispatcher: Dispatcher, watchman: Watchman, families: Families) {
    this.#families = families;
    this.#core = core;
    this.#dispatcher = dispatcher;
    this.#watchman = watchman;
  }

  /** Never throws: what cannot be shown (a run whose stored input is broken) must not stop those who come after it. */
  tell(effects: readonly Effect[]): void {
    for (const effect of effects) {
      try {
        this.#tellOne(effect);
      } catch (error) {
        this.#core.report(error, "telling of a commit");
      }
    }
  }

  #tellOne(effect: Effect): void {
    const { hub, tracker, lifecycle } = this.#core;
    switch (effect.type) {
      case "event":
        return hub.publish(effect.event.stream, { kind: "record", event: effect.event });
      case "run":
        return this.#tellRun(effect.run);
      case "run_deleted":
        tracker.gone(effect.runId);
        this.#families.gone([effect.runId]);
        // A stateless run's log goes with it.
        hub.end(streamOf({ id: effect.runId, threadId: null }));
        return lifecycle.emit("run_deleted", { runId: effect.runId });
      case "steered":
        return this.#dispatcher.observe(effect.run);
      case "claimable":
        return this.#dispatcher.wake();
      case "thread":
        return this.#tellThread(effect.thread, effect.change);
      case "thread_deleted":
        return this.#tellThreadDeleted(effect.threadId);
      case "collect":
        return this.#collect({ kind: "collect_checkpoints", threadId: effect.threadId });
      case "rolled_back":
        return this.#collectRolledBack(effect.run, effect.checkpointId);
      default:
        return undefined;
    }
  }

  #tellRun(run: RunRecord): void {
    const { tracker, lineages, lifecycle } = this.#core;
    this.#dispatcher.observe(run);
    this.#families.observe(run);
    lineages.settled(run);
    if (isSettled(run.status)) tracker.settled(run);
    else this.#expect(run);
    const type = lifecycleTypeOf(run);
    if (lifecycle.heard(type)) lifecycle.emit(type, { run: viewRun(run) });
  }

  /** Wake when this run's time comes. Leases are the heartbeat's, or another worker's, business. */
  #expect(run: RunRecord): void {
    if (run.status === "pending" && (run.active || run.queuePosition === null))
      this.#watchman.expectLater(run.availableAt);
    if (run.status === "running" && run.graceUntil !== null) this.#watchman.expect(run.graceUntil);
    if (run.deadlineAt !== null) this.#watchman.expect(run.deadlineAt);
  }

  #tellThread(thread: ThreadRecord, change: "renamed" | "archived" | "updated"): void {
    const { hub, lifecycle } = this.#core;
    if (change !== "updated") {
      const payload = change === "renamed" ? { title: thread.title } : { archived: thread.archived };
      hub.publish(threadStream(thread.id), { kind: "thread", type: `thread_${change}`, threadId: thread.id, payload });
    }
    if (lifecycle.heard("thread_updated")) lifecycle.emit("thread_updated", { thread: viewThread(thread) });
  }

  #tellThreadDeleted(threadId: string): void {
    const { hub, lifecycle } = this.#core;
    const stream = threadStream(threadId);
    hub.publish(stream, { kind: "thread", type: "thread_deleted", threadId, payload: null });
    hub.end(stream);
    lifecycle.emit("thread_deleted", { threadId });
    // Interrupted lineages that went with it are named by no effect.
    this.#families.gone();
  }

  #collect(intent: CollectCheckpoints): void {
    this.#core.committer
      .commit<"collect_checkpoints">(intent)
      .catch((error: unknown) => this.#core.report(error, "collecting checkpoints"));
  }

  #collectRolledBack(run: RunRecord, newest: string): void {
    rolledBackCheckpoints(this.#core, run, newest)
      .then((rolledBack) =>
        this.#collect({ kind: "collect_checkpoints", threadId: run.threadId as string, rolledBack }),
      )
      .catch((error: unknown) => this.#core.report(error, "looking for a rolled-back run's checkpoints"));
  }
}

/** All that the run wrote, newest first. */
async function rolledBackCheckpoints({ storage }: Core, run: RunRecord, newest: string): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let next: string | null = newest; next !== null; ) {
    const page: readonly CheckpointHead[] = await storage.checkpoints.history(next, 100);
    const own = page.filter(({ runId }) => runId === run.id);
    ids.push(...own.map(({ id }) => id));
    next = own.length < page.length ? null : (page.at(-1)?.parentId ?? null);
  }
  return ids;
}

function lifecycleTypeOf(run: RunRecord): Extract<keyof LifecycleEvents, `run_${string}`> & keyof RunEvents {
  switch (run.status) {
    case "pending":
      return run.attempt === 0 ? "run_accepted" : "run_retrying";
    case "running":
      return run.cancelRequestedAt === null ? "run_started" : "run_cancel_requested";
    default:
      return `run_${run.status}`;
  }
}

type RunEvents = Omit<LifecycleEvents, "run_deleted">;
