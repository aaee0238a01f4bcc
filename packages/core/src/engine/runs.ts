/** Runs of an engine: start, look up, list, cancel. */

import { HeddleError } from "../errors.js";
import type { AcceptRun } from "../model/intents/intent.js";
import type { RunRecord, RunStatus } from "../model/run.js";
import { settledStatuses } from "../model/run.js";
import type { Run } from "../model/run-view.js";
import { viewRun } from "../model/run-view.js";
import { shown } from "../model/shown.js";
import type { RunFilter } from "../ports/storage.js";
import type { ExpectedRun } from "../runtime/run-tracker.js";
import type { AgentLike, ConfigOf, InputOf, OutputOf } from "./agent.js";
import { checkCancelOptions, checkIds, checkMetadataFilter, checkText, isId, requireOptions } from "./check-input.js";
import type { Core } from "./core.js";
import { findCheckpoint } from "./find-checkpoint.js";
import { runNotFound } from "./not-found.js";
import type { PageOf, PageOptions } from "./page.js";
import { pageQuery, readPage } from "./page.js";
import type { CancelOptions } from "./run-handle.js";
import { RunHandle } from "./run-handle.js";
import { invalidArgument } from "./settings.js";
import type { AnyStartOptions, StatelessStartOptions } from "./start-run.js";
import { acceptIntent, oneOf } from "./start-run.js";
import { applyIn, runTransaction } from "./transaction.js";

export interface RunsFilter {
  readonly ids?: readonly string[];
  /** `null`: stateless runs only. */
  readonly threadId?: string | null;
  readonly agent?: string;
  /** Children of this run: the `lineageId` of whichever run of the parent's lineage. */
  readonly parentRunId?: string;
  readonly status?: RunStatus | readonly RunStatus[];
  /** Equality on top-level scalars. */
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
  /** Default `false`: rolled-back runs are left out. `"any"`: both. */
  readonly rolledBack?: boolean | "any";
}

export interface RunsListOptions extends RunsFilter, PageOptions<"createdAt"> {}

/** One of many starts; `thread` makes it a thread's run. */
export interface StartOne {
  readonly agent: AgentLike;
  readonly input: unknown;
  readonly threadId?: string;
  readonly options?: Omit<AnyStartOptions, "tx">;
}

export interface CancelManyOptions extends Omit<CancelOptions, "wait"> {}

export class Runs {
  readonly #core: Core;

  /** @internal */
  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Start a stateless run. Resolves once the run is durable, with a handle.
   * @throws HeddleError UNKNOWN_AGENT, INVALID_INPUT, INVALID_CONFIG, IDEMPOTENCY_CONFLICT, RUN_GONE, STORAGE_…
   */
  start<Of extends AgentLike>(
    agent: Of,
    input: InputOf<Of>,
    options: StatelessStartOptions<ConfigOf<Of>> = {},
  ): Promise<RunHandle<OutputOf<Of>>> {
    return startRun<OutputOf<Of>>(this.#core, agent, null, input, options);
  }

  /** Start many, in one transaction: all are accepted, or none is and the first refusal is thrown. */
  async startMany(starts: readonly StartOne[]): Promise<readonly RunHandle[]> {
    const core = this.#core;
    core.requireOpen();
    if (!Array.isArray(starts)) throw invalidArgument("starts", starts, "a list");
    // A list with holes has undefined there, which is refused.
    const intents = [...starts].map((start: StartOne, index) => {
      requireOptions(`starts[${index}]`, start);
      const { agent, threadId, input, options } = start;
      return acceptIntent(core, agent, threadId ?? null, input, options);
    });
    const located = await Promise.all(intents.map((intent) => locate(core, intent)));
    return handlesOf(core, located, () =>
      runTransaction(core, async (tx) => {
        // At once, and so in one go where the storage can.
        const accepted = await Promise.all(located.map((intent) => applyIn<"accept_run">(core, tx, intent)));
        return accepted.map(({ run }) => run);
      }),
    );
  }

  /** @throws HeddleError RUN_NOT_FOUND */
  async get<Output = unknown>(id: string): Promise<RunHandle<Output>> {
    this.#core.requireOpen();
    const run = isId(id) ? await this.#core.storage.runs.get(id) : undefined;
    if (run === undefined) throw runNotFound(shown(id));
    return new RunHandle<Output>(this.#core, run);
  }

  /** Newest first, unless told otherwise. */
  async list(options: RunsListOptions = {}): Promise<PageOf<Run>> {
    this.#core.requireOpen();
    requireOptions("options", options);
    const filter = runFilter(options);
    return readPage(
      pageQuery<"createdAt">(this.#core, options, ["createdAt"]),
      (page) => this.#core.storage.runs.list({ ...filter, ...page }),
      (run) => ({ value: run.createdAt, id: run.id }),
      viewRun,
    );
  }

  async count(filter: RunsFilter = {}): Promise<number> {
    this.#core.requireOpen();
    requireOptions("filter", filter);
    return this.#core.storage.runs.count(runFilter(filter));
  }

  /** @throws HeddleError RUN_NOT_FOUND */
  async cancel(id: string, options: CancelOptions = {}): ReturnType<RunHandle["cancel"]> {
    return (await this.get(id)).cancel(options);
  }

  /** Cancel every unsettled run that the filter names. Resolves with how many were canceled or told to stop. */
  async cancelMany(filter: RunsFilter, options: CancelManyOptions = {}): Promise<{ readonly canceled: number }> {
    this.#core.requireOpen();
    requireOptions("filter", filter);
    const how = checkCancelOptions(options);
    const unsettled = { ...runFilter(filter), status: unsettledOf(filter) };
    let canceled = 0;
    let after: { value: number; id: string } | undefined;
    for (;;) {
      const page = { limit: 100, sortBy: "createdAt", order: "asc", ...(after && { after }) } as const;
      const runs = unsettled.status.length === 0 ? [] : await this.#core.storage.runs.list({ ...unsettled, ...page });
      canceled += await this.#cancelAll(runs, how);
      const last = runs.at(-1);
      if (last === undefined || runs.length < 100) return { canceled };
      after = { value: last.createdAt, id: last.id };
    }
  }

  /** @throws HeddleError RUN_ACTIVE, RUN_NOT_FOUND */
  async delete(id: string): Promise<void> {
    await (await this.get(id)).delete();
  }

  async #cancelAll(
    runs: readonly RunRecord[],
    { grace, reason }: ReturnType<typeof checkCancelOptions>,
  ): Promise<number> {
    const answers = await Promise.all(
      runs.map((run) => this.#core.cancel(run, reason, grace).catch((error: unknown) => unlessGone(error))),
    );
    return answers.filter((answer) => answer !== undefined && answer.outcome !== "late").length;
  }
}

function unlessGone(error: unknown): undefined {
  if (HeddleError.is(error, "RUN_NOT_FOUND")) return undefined;
  throw error;
}

export async function startRun<Output>(
  core: Core,
  agent: { readonly name: string },
  threadId: string | null,
  input: unknown,
  options: AnyStartOptions,
): Promise<RunHandle<Output>> {
  requireOptions("options", options);
  core.requireOpen(options.tx !== undefined);
  const intent = acceptIntent(core, agent, threadId, input, options);
  if (options.tx !== undefined) {
    const { run } = await applyIn<"accept_run">(core, options.tx, intent);
    return new RunHandle<Output>(core, run);
  }
  const located = intent.from === undefined ? intent : await locate(core, intent);
  const expected = core.tracker.expect(intent.run.id);
  try {
    const { run } = await core.acceptAndLaunch(located);
    return handleOf<Output>(core, located, run, expected);
  } catch (error) {
    core.tracker.refused(intent.run.id, expected);
    throw error;
  }
}

/** A run that shall begin elsewhere: is that a checkpoint of its thread? */
async function locate(core: Core, intent: AcceptRun): Promise<AcceptRun> {
  if (intent.from === undefined || intent.run.threadId === null) return intent;
  return { ...intent, from: await findCheckpoint(core, intent.run.threadId, intent.from.id) };
}

/** Handles of runs that `accept` accepts. They listen from before it on, so what settles in the same commit is heard. */
async function handlesOf(
  core: Core,
  intents: readonly AcceptRun[],
  accept: () => Promise<readonly RunRecord[]>,
): Promise<readonly RunHandle[]> {
  const expected = intents.map((intent) => ({ intent, run: core.tracker.expect(intent.run.id) }));
  try {
    const runs = await accept();
    return expected.map(({ intent, run }, index) => handleOf(core, intent, runs[index] as RunRecord, run));
  } catch (error) {
    for (const { intent, run } of expected) core.tracker.refused(intent.run.id, run);
    throw error;
  }
}

function handleOf<Output>(core: Core, intent: AcceptRun, run: RunRecord, expected: ExpectedRun): RunHandle<Output> {
  // An idempotency key may have named a run of long ago.
  if (run.id !== intent.run.id) {
    core.tracker.refused(intent.run.id, expected);
    return new RunHandle<Output>(core, run);
  }
  // Another process may have settled it before this one heard of its acceptance.
  if (core.tracker.accepted(expected)) core.catchUp();
  return new RunHandle<Output>(core, run, expected.settled);
}

const statuses: readonly RunStatus[] = ["pending", "running", ...settledStatuses];

function runFilter(filter: RunsFilter): RunFilter {
  const status = filter.status === undefined ? undefined : statusList(filter.status);
  const metadata = checkMetadataFilter(filter.metadata);
  const { rolledBack = false } = filter;
  if (typeof rolledBack !== "boolean" && rolledBack !== "any")
    throw invalidArgument("rolledBack", rolledBack, 'true, false or "any"');
  checkText("threadId", filter.threadId ?? undefined);
  checkText("agent", filter.agent);
  checkText("parentRunId", filter.parentRunId);
  return {
    ...(filter.ids === undefined ? {} : { ids: checkIds(filter.ids) }),
    ...(filter.threadId === undefined ? {} : { threadId: filter.threadId }),
    ...(filter.agent === undefined ? {} : { agent: filter.agent }),
    ...(filter.parentRunId === undefined ? {} : { parentRunId: filter.parentRunId }),
    ...(status === undefined ? {} : { status }),
    ...(rolledBack === "any" ? {} : { rolledBack }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function statusList(status: RunStatus | readonly RunStatus[]): readonly RunStatus[] {
  const list = Array.isArray(status) ? (status as readonly RunStatus[]) : [status as RunStatus];
  for (const one of list) oneOf("status", one, statuses);
  return list;
}

function unsettledOf(filter: RunsFilter): readonly RunStatus[] {
  const wanted = filter.status === undefined ? statuses : statusList(filter.status);
  return wanted.filter((status) => status === "pending" || status === "running");
}
