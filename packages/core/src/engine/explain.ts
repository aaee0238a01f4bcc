/** Why a run or a thread is not moving, and what would move it: what is stored, read once and put into words. */

import type { QuestionRecord } from "../model/question.js";
import { questionId, questionStatus } from "../model/question.js";
import type { RunRecord } from "../model/run.js";
import { awaitedBy, isSettled, never, storedPolicy } from "../model/run.js";
import { storedError, storedReason } from "../model/run-view.js";
import { shown } from "../model/shown.js";
import { isHandedOver, isQueued } from "../model/unit-of-work.js";
import { isId } from "./check-input.js";
import type { Core } from "./core.js";
import { runNotFound } from "./not-found.js";

/**
 * | state                 | the run or thread                                                       |
 * |---|---|
 * | `idle`                | (a thread) has nothing to do                                            |
 * | `interrupted`         | waits for answers of a human: `questions`                               |
 * | `succeeded` `failed` `canceled` | is settled                                                    |
 * | `running`             | is worked on: `worker` has it until `until`, and prolongs that          |
 * | `lease_expired`       | was worked on; its worker fell silent. Any engine takes it over         |
 * | `canceling`           | was told to stop and may take until `until`                             |
 * | `queued`              | waits for its thread: `behind` holds it                                 |
 * | `steering`            | is handed to the live run `behind`, which may take it                   |
 * | `delayed`             | is not due before `until`                                               |
 * | `retrying`            | failed, and is tried again at `until`                                   |
 * | `sleeping`            | sleeps until `until`                                                    |
 * | `waiting_for_children`| waits for the runs `children`                                           |
 * | `no_agent`            | is ready, but no agent of its name is registered here                   |
 * | `not_working`         | is ready, but this engine claims nothing (`work: false`)                |
 * | `no_slot`             | is ready, but this engine's slots are all taken                         |
 * | `ready`               | is ready and is claimed any moment                                      |
 */
export type ExplainedState =
  | "idle"
  | "interrupted"
  | "succeeded"
  | "failed"
  | "canceled"
  | "running"
  | "lease_expired"
  | "canceling"
  | "queued"
  | "steering"
  | "delayed"
  | "retrying"
  | "sleeping"
  | "waiting_for_children"
  | "no_agent"
  | "not_working"
  | "no_slot"
  | "ready";

export interface OpenQuestion {
  readonly id: string;
  readonly key: string;
  readonly expiresAt: Date | undefined;
  /** Its time is over: no answer is taken any more. */
  readonly isExpired: boolean;
}

export interface Explanation {
  readonly state: ExplainedState;
  /** One or two sentences for a human. */
  readonly why: string;
  /** What would move it, for a human. */
  readonly next: string;
  /** The run that this is about: of a thread the active one, else the one that settled last, if that is known. */
  readonly runId: string | undefined;
  readonly threadId: string | undefined;
  readonly agent: string | undefined;
  /** When something changes by itself, as far as that is known. */
  readonly until: Date | undefined;
  /** The worker that holds the lease. */
  readonly worker: string | undefined;
  /** Runs of the thread that go first, when it is queued; of a thread: those that wait. */
  readonly waiting: number;
  /** The run that is in the way, explained. */
  readonly behind: Explanation | undefined;
  readonly questions: readonly OpenQuestion[];
  /** The children that it waits for, explained; at most 10 of them. */
  readonly children: readonly Explanation[];
}

/** What an engine knows besides the storage. */
export interface Here {
  readonly hasFreeSlot: boolean;
}

const mostChildren = 10;
/** A child's child's child: what is explained along with a run. */
const deepest = 3;

/** @throws HeddleError RUN_NOT_FOUND: there is neither a run nor a thread of this id */
export async function explain(core: Core, id: string, here: Here): Promise<Explanation> {
  const explainer = new Explainer(core, here);
  const run = isId(id) ? await core.storage.runs.get(id) : undefined;
  if (run !== undefined) return explainer.run(run, 0);
  const thread = isId(id) ? await explainer.thread(id) : undefined;
  if (thread === undefined) throw runNotFound(shown(id));
  return thread;
}

class Explainer {
  readonly #core: Core;
  readonly #here: Here;

  constructor(core: Core, here: Here) {
    this.#core = core;
    this.#here = here;
  }

  async thread(threadId: string): Promise<Explanation | undefined> {
    const { storage } = this.#core;
    const thread = await storage.threads.get(threadId);
    if (thread === undefined) return undefined;
    const waiting = thread.queueLength;
    const active = thread.activeRunId === null ? undefined : await storage.runs.get(thread.activeRunId);
    if (active !== undefined) return { ...(await this.run(active, 0)), waiting };
    const questions = openOnes(await storage.lineages.openQuestions(threadId, 100), this.#now);
    const delayed = await this.#nextDelayed(threadId);
    const about = { threadId, waiting, questions, agent: thread.lastAgent ?? undefined };
    if (delayed !== undefined) return { ...(await this.run(delayed, 0)), waiting, questions };
    if (thread.lastOutcome === "interrupted" && questions.length > 0) {
      return explanation({ ...about, state: "interrupted", ...asked(questions) });
    }
    return explanation({
      ...about,
      state: "idle",
      why: thread.lastOutcome === null ? "No run was active yet." : `The last run ${said[thread.lastOutcome]}.`,
      next: "Start a run.",
    });
  }

  async run(run: RunRecord, depth: number): Promise<Explanation> {
    const about = { runId: run.id, threadId: run.threadId ?? undefined, agent: run.agent };
    return explanation({ ...about, ...(await this.#state(run, depth)) });
  }

  async #state(run: RunRecord, depth: number): Promise<Found> {
    if (isSettled(run.status)) return this.#settled(run);
    if (run.status === "running") return this.#running(run);
    if (run.awaits !== null) return this.#waitingForChildren(run, depth);
    if (isHandedOver(run)) return this.#steering(run, depth);
    if (isQueued(run)) return this.#queued(run, depth);
    if (run.availableAt > this.#now) return this.#later(run);
    if (!run.active) return { ...due, until: date(run.availableAt) };
    return this.#ready(run);
  }

  async #settled(run: RunRecord): Promise<Found> {
    if (run.takenBy !== null) {
      const why = `Run "${run.takenBy}" took it as a message and ${said[run.status as keyof typeof said]}.`;
      return { state: run.status as ExplainedState, why, next: over };
    }
    switch (run.status) {
      case "succeeded":
        return { state: "succeeded", why: "It succeeded.", next: over };
      case "failed":
        return { state: "failed", why: `It failed (${messageOf(run)}).`, next: `${over} Start another run.` };
      case "canceled":
        return { state: "canceled", why: `It was canceled (${reasonOf(run)}).`, next: over };
      default:
        return this.#interrupted(run);
    }
  }

  async #interrupted(run: RunRecord): Promise<Found> {
    const all = await this.#core.storage.lineages.questions(run.lineageId);
    const questions = openOnes(
      all.filter((question) => question.status === "open" && question.runId === run.id),
      this.#now,
    );
    if (questions.length > 0) return { state: "interrupted", questions, ...asked(questions) };
    return { state: "interrupted", why: "It asked, and its questions are closed.", next: over };
  }

  #running(run: RunRecord): Found {
    const worker = run.worker ?? undefined;
    const who = worker === this.#core.worker ? `this engine (${worker})` : `worker ${worker}`;
    if (run.cancelRequestedAt !== null) {
      const why = `Its cancellation (${reasonOf(run)}) was requested; ${who} is stopping it.`;
      const next = "It settles as canceled when its code returns, at the latest at the end of its grace.";
      return { state: "canceling", worker, until: date(run.graceUntil), why, next };
    }
    const until = date(run.leaseUntil);
    if ((run.leaseUntil ?? 0) <= this.#now) {
      const why = `Attempt ${run.attempt} was with ${who}, whose lease ended without a sign of life.`;
      return {
        state: "lease_expired",
        worker,
        until,
        why,
        next: "The next engine that looks gives it back to be claimed.",
      };
    }
    const why = `Attempt ${run.attempt} is with ${who}, whose lease holds until ${shownTime(until)}.`;
    const next = "Its own code; should its worker fall silent, the end of the lease.";
    return { state: "running", worker, until, why, next };
  }

  async #waitingForChildren(run: RunRecord, depth: number): Promise<Found> {
    const lineages = awaitedBy(run);
    const children: Explanation[] = [];
    for (const lineageId of depth < deepest ? lineages.slice(0, mostChildren) : []) {
      const child = await this.#newestOf(lineageId);
      if (child !== undefined) children.push(await this.run(child, depth + 1));
    }
    const names = lineages.map((id) => `"${id}"`).join(", ");
    const until = run.availableAt >= never ? undefined : date(run.availableAt);
    const next = `The end of one of them${until === undefined ? "" : `, or ${shownTime(until)}, when its own sleep is over`}.`;
    return { state: "waiting_for_children", why: `It waits for its children: ${names}.`, next, until, children };
  }

  async #newestOf(lineageId: string): Promise<RunRecord | undefined> {
    const query = { lineageId, limit: 1, sortBy: "createdAt", order: "desc" } as const;
    const [newest] = await this.#core.storage.runs.list(query);
    return newest;
  }

  async #steering(run: RunRecord, depth: number): Promise<Found> {
    const live = await this.#newestOf(run.steers as string);
    const behind = live === undefined || depth >= deepest ? undefined : await this.run(live, depth + 1);
    const why = `It was handed to the live run "${live?.id ?? run.steers}" as a message, which has not settled yet.`;
    return {
      state: "steering",
      behind,
      why,
      next: "The end of that run: it takes the message along, or leaves it to run by itself.",
    };
  }

  async #queued(run: RunRecord, depth: number): Promise<Found> {
    const { storage } = this.#core;
    const thread = await storage.threads.get(run.threadId as string);
    const active = thread?.activeRunId == null ? undefined : await storage.runs.get(thread.activeRunId);
    const others = await storage.runs.list({
      threadId: run.threadId,
      status: ["pending"],
      limit: (thread?.queueLength ?? 0) + 1,
      sortBy: "createdAt",
      order: "asc",
    });
    const first = others.filter((other) => isQueued(other) && (other.queuePosition ?? 0) < (run.queuePosition ?? 0));
    const behind = active === undefined || depth >= deepest ? undefined : await this.run(active, depth + 1);
    const why = `It waits for its turn in thread "${run.threadId}": run "${active?.id}" is active, and ${first.length} queued go first.`;
    const next = "The end of the runs before it.";
    return { state: "queued", waiting: first.length, behind, why, next };
  }

  /** Its time has not come. */
  async #later(run: RunRecord): Promise<Found> {
    const until = date(run.availableAt);
    if (run.attempt === 0) {
      return { state: "delayed", until, why: `It was started with a delay, until ${shownTime(until)}.`, next: "Time." };
    }
    if ((await this.#lastWord(run)) === "run_suspended") {
      return { state: "sleeping", until, why: `It sleeps until ${shownTime(until)}.`, next: "Time." };
    }
    const { retry } = storedPolicy(run);
    const why = `It failed ${run.failures} of at most ${retry.maxFailures} times; the next try is due at ${shownTime(until)}.`;
    return { state: "retrying", until, why, next: "Time." };
  }

  async #lastWord(run: RunRecord): Promise<string | undefined> {
    const stream = run.threadId === null ? `r:${run.id}` : `t:${run.threadId}`;
    const query = { stream, after: run.lastSeq - 1, limit: 1, runId: run.id };
    const [event] = await this.#core.storage.events.read(query);
    return event?.type;
  }

  #ready(run: RunRecord): Found {
    const { agents, agentNames } = this.#core;
    if (!agents.has(run.agent)) {
      const why = `It is ready, but this engine has no agent "${run.agent}", and no other engine has claimed it.`;
      return { state: "no_agent", why, next: `An engine that has agent "${run.agent}".` };
    }
    if (!agentNames.includes(run.agent)) {
      const why = "It is ready, but this engine works on nothing (work: false), and no other engine has claimed it.";
      return { state: "not_working", why, next: `An engine that works and has agent "${run.agent}".` };
    }
    if (!this.#here.hasFreeSlot) {
      const why = `It is ready, but all slots of this engine are taken (concurrency: ${this.#core.settings.concurrency}).`;
      return { state: "no_slot", why, next: "The end of an attempt that runs here, or another engine." };
    }
    return { state: "ready", why: "It is ready.", next: "It is claimed any moment." };
  }

  /** Of runs that are not due, the first. */
  async #nextDelayed(threadId: string): Promise<RunRecord | undefined> {
    const query = { threadId, status: ["pending"], limit: 100, sortBy: "createdAt", order: "asc" } as const;
    const pending = await this.#core.storage.runs.list(query);
    return pending.toSorted((a, b) => a.availableAt - b.availableAt)[0];
  }

  get #now(): number {
    return this.#core.storageNow();
  }
}

type Found = Partial<Explanation> & Pick<Explanation, "state" | "why" | "next">;

const over = "Nothing: it is settled.";
const due = {
  state: "ready",
  why: "Its delay is over.",
  next: "It takes its thread, or joins the queue, any moment.",
} as const;
const said = {
  succeeded: "succeeded",
  failed: "failed",
  canceled: "was canceled",
  interrupted: "asked a question that is closed by now",
} as const;

function explanation(found: Found): Explanation {
  return {
    runId: undefined,
    threadId: undefined,
    agent: undefined,
    until: undefined,
    worker: undefined,
    waiting: 0,
    behind: undefined,
    questions: [],
    children: [],
    ...found,
  };
}

function openOnes(questions: readonly QuestionRecord[], now: number): OpenQuestion[] {
  return questions.map((question) => ({
    id: questionId(question),
    key: question.key,
    expiresAt: question.expiresAt === null ? undefined : new Date(question.expiresAt),
    isExpired: questionStatus(question, now) === "expired",
  }));
}

function asked(questions: readonly OpenQuestion[]): Pick<Explanation, "why" | "next"> {
  const open = questions.filter(({ isExpired }) => !isExpired);
  const names = questions.map(({ id }) => `"${id}"`).join(", ");
  if (open.length > 0) return { why: `It waits for the answer of a human: ${names}.`, next: "An answer: resume it." };
  return {
    why: `It asked ${names}, and the time for an answer is over.`,
    next: "Nothing: no answer is taken any more. Start another run.",
  };
}

function reasonOf(run: RunRecord): string {
  const { kind, by, note } = storedReason(run);
  return [kind, by === undefined ? undefined : `by ${by}`, note].filter((part) => part !== undefined).join(", ");
}

function messageOf(run: RunRecord): string {
  const { code, message } = storedError(run);
  return `${code}: ${message}`;
}

function date(at: number | null): Date | undefined {
  return at === null ? undefined : new Date(at);
}

function shownTime(at: Date | undefined): string {
  return at === undefined || Number.isNaN(Number(at)) ? "the end of time" : at.toISOString();
}
