/**
 * Children of one attempt: started once per lineage and key, whatever is retried, crashes or resumes. While nothing but
 * the end of children is waited for, the attempt holds no slot, and after `suspendAfter` no worker either.
 */

import { HeddleError } from "../errors.js";
import { childLineage, threadDeadlock } from "../model/intents/child.js";
import type { AttemptRef, ChildStart } from "../model/intents/intent.js";
import type { Json } from "../model/json.js";
import type { RunRecord } from "../model/run.js";
import { endsLineage } from "../model/run.js";
import type { ChildOptions, ChildRef } from "../ports/agent-calls.js";
import { type LineageEnd, runsOfLineage } from "../runtime/lineage-tracker.js";
import type { AttemptMemory } from "./attempt-memory.js";
import type { AttemptPause } from "./attempt-pause.js";
import { requireOptions } from "./check-input.js";
import type { Core } from "./core.js";
import { runGone } from "./not-found.js";
import { persist } from "./persist.js";
import { outcomeOf, unsuccessful } from "./run-handle.js";
import { invalidArgument } from "./settings.js";
import { acceptIntent } from "./start-run.js";

export interface ChildrenParts {
  readonly core: Core;
  readonly run: RunRecord;
  readonly attempt: AttemptRef;
  readonly memory: AttemptMemory;
  readonly pause: AttemptPause;
  /** The storage refused: somebody else has the run. */
  lost(): void;
}

export class AttemptChildren {
  readonly #parts: ChildrenParts;
  readonly #started = new Map<string, string>();
  #family: Promise<readonly string[]> | undefined;

  constructor(parts: ChildrenParts) {
    this.#parts = parts;
  }

  start(key: string, agent: string, input: unknown, options: ChildOptions = {}): Promise<ChildRef> {
    return this.#parts.pause.call(async () => {
      const { memory } = this.#parts;
      const name = memory.claimKey("child", key);
      const known = await memory.recall("child", name);
      const runId = known === undefined ? await this.#accept(name, agent, input, options) : childLineage(known);
      this.#started.set(name, runId);
      return { runId };
    });
  }

  async result(key: string): Promise<Json> {
    const lineageId = this.#started.get(key);
    if (lineageId === undefined) throw invalidArgument("key", key, "the key of a child that this attempt started");
    const end = await this.#endOf(lineageId);
    if (end === undefined) throw runGone(lineageId);
    const outcome = outcomeOf<Json>(end);
    if (outcome.status === "succeeded") return outcome.output;
    throw unsuccessful(end.id, outcome);
  }

  async #accept(key: string, agent: string, input: unknown, options: ChildOptions): Promise<string> {
    const { core, attempt, lost } = this.#parts;
    const { threadId = null, ...rest } = checkChildOptions(options);
    // The parent may read the result long after: a child's row stays unless its own options say otherwise.
    const intent = acceptIntent(core, agent, threadId, input, { onCompletion: "keep", ...rest });
    const family = threadId === null ? [] : await this.#ancestors();
    const child: ChildStart = { attempt, key, family };
    try {
      const { run } = await persist(core, () => core.acceptAndLaunch({ ...intent, child }));
      return run.lineageId;
    } catch (error) {
      if (HeddleError.is(error, "LEASE_LOST")) lost();
      throw error;
    }
  }

  async #endOf(lineageId: string): Promise<LineageEnd> {
    const { core, pause } = this.#parts;
    // Listen before the look, so that nothing ends unseen.
    const wait = core.lineages.wait(lineageId);
    try {
      const runs = await pause.call(() => persist(core, () => runsOfLineage(core.storage.runs, lineageId)));
      const end = runs.find(endsLineage);
      if (end !== undefined || runs.length === 0) return end;
      await this.#refuseDeadlock(runs);
      return await pause.wait({ awaits: lineageId }, wait.ended);
    } finally {
      wait.undo();
    }
  }

  /** It may have joined its thread's queue before one of us got the thread. */
  async #refuseDeadlock(child: readonly RunRecord[]): Promise<void> {
    const { core, pause } = this.#parts;
    const queued = child.find((run) => run.threadId !== null && run.queuePosition !== null);
    if (queued === undefined) return;
    const { threadId } = queued as { readonly threadId: string };
    await pause.call(async () => {
      const thread = await persist(core, () => core.storage.threads.get(threadId));
      const holder = thread?.activeRunId == null ? undefined : await core.storage.runs.get(thread.activeRunId);
      const family = await this.#ancestors();
      if (holder !== undefined && family.includes(holder.lineageId)) throw threadDeadlock(threadId, holder.id);
    });
  }

  /** The lineages of this run and of all above it. */
  #ancestors(): Promise<readonly string[]> {
    this.#family ??= this.#readAncestors();
    return this.#family;
  }

  async #readAncestors(): Promise<readonly string[]> {
    const { core, run } = this.#parts;
    const family = [run.lineageId];
    for (let above = run.parentRunId; above !== null; ) {
      family.push(above);
      const runs: readonly RunRecord[] = await persist(core, () => runsOfLineage(core.storage.runs, above as string));
      above = runs[0]?.parentRunId ?? null;
    }
    return family;
  }
}

/** What a child start takes of a start's options: its key makes it idempotent, its attempt is no transaction. */
function checkChildOptions(options: ChildOptions): ChildOptions {
  requireOptions("options", options);
  const { idempotencyKey, tx } = options as { readonly idempotencyKey?: unknown; readonly tx?: unknown };
  if (idempotencyKey !== undefined) throw invalidArgument("idempotencyKey", idempotencyKey, "left out: the key is it");
  if (tx !== undefined) throw invalidArgument("tx", tx, "left out");
  return options;
}
