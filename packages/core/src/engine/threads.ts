/** Threads of an engine: create, look up, list. */

import type { NewCheckpoint } from "../model/intents/intent.js";
import { reconcile } from "../model/reconcile.js";
import type { BusyStrategy } from "../model/run.js";
import { busyStrategies } from "../model/run.js";
import { shown } from "../model/shown.js";
import type { ThreadStatus } from "../model/thread.js";
import { threadStatuses } from "../model/thread.js";
import type { Thread } from "../model/thread-view.js";
import { viewThread } from "../model/thread-view.js";
import { valuesSchema } from "../model/values-schema.js";
import type { ThreadFilter } from "../ports/storage.js";
import { encodeCheckpoint, noValues } from "../runtime/values-cache.js";
import {
  checkId,
  checkIds,
  checkMetadata,
  checkMetadataFilter,
  checkText,
  checkTitle,
  isId,
  requireOptions,
} from "./check-input.js";
import type { Core } from "./core.js";
import type { AnyTransaction } from "./host-transaction.js";
import { threadNotFound } from "./not-found.js";
import type { PageOf, PageOptions } from "./page.js";
import { pageQuery, readPage } from "./page.js";
import { invalidArgument } from "./settings.js";
import { oneOf } from "./start-run.js";
import { ThreadHandle } from "./thread-handle.js";
import { applyIn } from "./transaction.js";

export interface ThreadOptions {
  readonly title?: string | null;
  /** Searchable by equality on top-level scalars. At most 16 KiB. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Initial values: any JSON object. */
  readonly values?: Readonly<Record<string, unknown>>;
  /** What its runs do while it is busy, unless they say it themselves. Default: their agent's `whenBusy`. */
  readonly whenBusy?: BusyStrategy;
  /** Create it in a host's transaction. */
  readonly tx?: AnyTransaction;
}

export interface CreateThreadOptions extends ThreadOptions {
  /** Own id: any string of 1 to 255 characters. Default: a generated one. */
  readonly id?: string;
}

export interface ThreadsFilter {
  readonly ids?: readonly string[];
  readonly status?: ThreadStatus | readonly ThreadStatus[];
  /** The agent of the last run that became active. */
  readonly agent?: string;
  /** Default `false`: archived ones are hidden. `"any"`: both. */
  readonly archived?: boolean | "any";
  /** Equality on top-level scalars. */
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
}

export interface ThreadsListOptions extends ThreadsFilter, PageOptions<"updatedAt" | "createdAt"> {}

const untouched = valuesSchema(undefined);

export class Threads {
  readonly #core: Core;

  /** @internal */
  constructor(core: Core) {
    this.#core = core;
  }

  /** @throws HeddleError THREAD_EXISTS, INVALID_ID, INVALID_JSON, TOO_LARGE */
  async create(options: CreateThreadOptions = {}): Promise<ThreadHandle> {
    requireOptions("options", options);
    return this.#create(options.id, options, "fail");
  }

  /** The thread with this id; created, with these options, where it does not exist. */
  async getOrCreate(id: string, options: ThreadOptions = {}): Promise<ThreadHandle> {
    requireOptions("options", options);
    return this.#create(checkId("thread id", id, this.#core.settings.limits), options, "return");
  }

  /** @throws HeddleError THREAD_NOT_FOUND */
  async get(id: string): Promise<ThreadHandle> {
    this.#core.requireOpen();
    const thread = isId(id) ? await this.#core.storage.threads.get(id) : undefined;
    if (thread === undefined) throw threadNotFound(shown(id));
    return new ThreadHandle(this.#core, id);
  }

  /** Most recently updated first, unless told otherwise. */
  async list(options: ThreadsListOptions = {}): Promise<PageOf<Thread>> {
    this.#core.requireOpen();
    requireOptions("options", options);
    const filter = threadFilter(options);
    const query = pageQuery<"updatedAt" | "createdAt">(this.#core, options, ["updatedAt", "createdAt"]);
    return readPage(
      query,
      (page) => this.#core.storage.threads.list({ ...filter, ...page }),
      (thread) => ({ value: thread[query.sortBy], id: thread.id }),
      viewThread,
    );
  }

  async count(filter: ThreadsFilter = {}): Promise<number> {
    this.#core.requireOpen();
    requireOptions("filter", filter);
    return this.#core.storage.threads.count(threadFilter(filter));
  }

  async #create(id: string | undefined, options: ThreadOptions, ifExists: "fail" | "return"): Promise<ThreadHandle> {
    const core = this.#core;
    core.requireOpen(options.tx !== undefined);
    const { limits } = core.settings;
    const values = this.#initialValues(options.values);
    const whenBusy = oneOf("whenBusy", options.whenBusy, busyStrategies);
    const intent = {
      kind: "create_thread",
      id: id === undefined ? core.random.id("thr") : checkId("thread id", id, limits),
      title: checkTitle(options.title),
      metadata: checkMetadata(options.metadata, limits),
      ifExists,
      ...(values === undefined ? {} : { values }),
      ...(whenBusy === undefined ? {} : { whenBusy }),
    } as const;
    const thread = await (options.tx === undefined
      ? core.committer.commit<"create_thread">(intent)
      : applyIn<"create_thread">(core, options.tx, intent));
    return new ThreadHandle(core, thread.id);
  }

  /** The thread belongs to no agent yet, so its first values are checked as JSON only. */
  #initialValues(values: Readonly<Record<string, unknown>> | undefined): NewCheckpoint | undefined {
    if (values === undefined) return undefined;
    const next = reconcile(undefined, values, {
      schema: untouched,
      baseBytes: noValues.bytes,
      maxBytes: this.#core.settings.limits.values,
    });
    return encodeCheckpoint(this.#core.random.id("chk"), noValues, next).checkpoint;
  }
}

function threadFilter(filter: ThreadsFilter): ThreadFilter {
  const metadata = checkMetadataFilter(filter.metadata);
  const { archived = false } = filter;
  if (typeof archived !== "boolean" && archived !== "any")
    throw invalidArgument("archived", archived, 'true, false or "any"');
  checkText("agent", filter.agent);
  return {
    ...(filter.ids === undefined ? {} : { ids: checkIds(filter.ids) }),
    ...(filter.status === undefined ? {} : { status: statusList(filter.status) }),
    ...(filter.agent === undefined ? {} : { agent: filter.agent }),
    ...(archived === "any" ? {} : { archived }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function statusList(status: ThreadStatus | readonly ThreadStatus[]): readonly ThreadStatus[] {
  const list = Array.isArray(status) ? (status as readonly ThreadStatus[]) : [status as ThreadStatus];
  for (const one of list) oneOf("status", one, threadStatuses);
  return list;
}
