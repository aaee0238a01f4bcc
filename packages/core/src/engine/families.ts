/**
 * What a run's end means for its parent and children. Who commits it sees to that; what a dying process leaves undone
 * shows in the due work (`DueWork.wake`, `DueWork.orphans`), and the watchman sends it here.
 *
 * | A run                             | then                                                      |
 * |---|---|
 * | ended its lineage                 | a parent that is suspended on it goes on                  |
 * | was suspended on children         | goes on at once where one of them ended meanwhile         |
 * | failed or was canceled            | its unsettled children are canceled                       |
 */

import { HeddleError } from "../errors.js";
import { childLineage } from "../model/intents/child.js";
import type { RunRecord } from "../model/run.js";
import { awaitedBy, endsLineage, isSettled } from "../model/run.js";
import type { DueWork } from "../ports/storage.js";
import { endsOf } from "../runtime/lineage-tracker.js";
import type { Core } from "./core.js";

const page = 100;

export class Families {
  readonly #core: Core;
  readonly #open = new Set<Promise<void>>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** Nothing is on its way. */
  get idle(): boolean {
    return this.#open.size === 0;
  }

  /** A commit changed the run. */
  observe(run: RunRecord): void {
    if (run.awaits !== null && run.status === "pending") void this.#do("waking a parent", () => this.#lookAgain(run));
    if (!isSettled(run.status)) return;
    if (run.parentRunId !== null && endsLineage(run)) this.#tellParent(run, run.parentRunId);
    if (run.status === "failed" || run.status === "canceled")
      void this.#do("canceling children", () => this.#cancelChildren(run));
  }

  /** What others left undone. One that fails does not keep the others from it. */
  async tend({ wake, orphans }: Pick<DueWork, "wake" | "orphans">): Promise<void> {
    const woken = wake.map(({ runId, threadId, childDone }) =>
      this.#do("waking a parent", () => this.#wake({ id: runId, threadId }, childDone)),
    );
    const canceled = orphans.map(({ runId, threadId, parentRunId }) =>
      this.#do("canceling children", () => this.#cancel({ id: runId, threadId }, parentRunId)),
    );
    // Only what this look found: at a busy engine something is always on its way.
    await Promise.all([...woken, ...canceled]);
  }

  /** Runs are gone: whoever waits here for their lineages is told. Default: look up all that are waited for. */
  gone(lineageIds?: readonly string[]): void {
    void this.#do("looking for children", () => this.#core.lineages.recheck(lineageIds));
  }

  #tellParent(child: RunRecord, parentRunId: string): void {
    // An attempt of the parent that waits here has heard of it already, and looks again should it be suspended just now.
    if (this.#core.lineages.awaits(child.lineageId)) return;
    void this.#do("waking a parent", async () => {
      const { runs } = this.#core.storage;
      const waiting = await runs.list({
        lineageId: parentRunId,
        status: ["pending"],
        limit: 1,
        sortBy: "createdAt",
        order: "desc",
      });
      for (const parent of waiting) {
        if (awaitedBy(parent).includes(child.lineageId)) await this.#wake(parent, child.lineageId);
      }
    });
  }

  /** A child may have ended between the parent's last look and its suspension. */
  async #lookAgain(parent: RunRecord): Promise<void> {
    const [over] = (await endsOf(this.#core.storage.runs, awaitedBy(parent))).keys();
    if (over !== undefined) await this.#wake(parent, over);
  }

  async #wake({ id, threadId }: Pick<RunRecord, "id" | "threadId">, childDone: string): Promise<void> {
    const { committer, random } = this.#core;
    const finalCheckpointId = random.id("chk");
    await committer.commit<"tend_run">({
      kind: "tend_run",
      runId: id,
      threadId,
      deadWorkers: [],
      childDone,
      finalCheckpointId,
    });
  }

  async #cancelChildren(parent: RunRecord): Promise<void> {
    const kept = endsLineage(parent) ? undefined : await this.#remembered(parent.lineageId);
    let after: { value: number; id: string } | undefined;
    for (;;) {
      const children = await this.#core.storage.runs.list({
        parentRunId: parent.lineageId,
        status: ["pending", "running"],
        limit: page,
        sortBy: "createdAt",
        order: "asc",
        ...(after && { after }),
      });
      const left = children.filter((child) => !kept?.has(child.lineageId));
      await Promise.all(left.map((child) => this.#cancel(child, parent.lineageId)));
      const last = children.at(-1);
      if (last === undefined || children.length < page) return;
      after = { value: last.createdAt, id: last.id };
    }
  }

  /** The children that the lineage still knows: what a rolled-back run started, it does not. */
  async #remembered(lineageId: string): Promise<ReadonlySet<string>> {
    // By kind: children come first.
    const memos = await this.#core.storage.lineages.memos(lineageId, 100_000);
    return new Set(memos.filter(({ kind }) => kind === "child").map(({ body }) => childLineage(body)));
  }

  async #cancel({ id, threadId }: Pick<RunRecord, "id" | "threadId">, parentRunId: string): Promise<void> {
    const { committer, random } = this.#core;
    try {
      await committer.commit<"cancel_run">({
        kind: "cancel_run",
        runId: id,
        threadId,
        reason: { kind: "parent", by: parentRunId },
        finalCheckpointId: random.id("chk"),
      });
    } catch (error) {
      if (!HeddleError.is(error, "RUN_NOT_FOUND")) throw error;
    }
  }

  /** Resolves when nothing is on its way any more. */
  async drain(): Promise<void> {
    while (!this.idle) await Promise.all(this.#open);
  }

  #do(what: string, work: () => Promise<void>): Promise<void> {
    const done = work()
      .catch((error: unknown) => this.#core.report(error, what))
      .finally(() => this.#open.delete(done));
    this.#open.add(done);
    return done;
  }
}
