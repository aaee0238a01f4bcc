/** A history, sorted by what the rules ask for. */

import type {
  Answer,
  AnswerValue,
  Command,
  FinalEvent,
  FinalRun,
  FinalThread,
  History,
  HistoryEntry,
  SeenFrame,
  SeenOutcome,
  StartCommand,
} from "../history.js";
import type { AttemptFacts } from "./attempt-facts.js";
import { gatherAttempts } from "./attempt-facts.js";

/** Says for each breach of one promise what is wrong. */
export type Rule = (facts: Facts) => Iterable<string>;

export interface Facts {
  readonly history: History;
  readonly calls: readonly CallFacts[];
  readonly attempts: readonly AttemptFacts[];
  /** Runs that anybody heard of: accepted, worked on, or found in the end. */
  readonly runs: ReadonlyMap<string, RunFacts>;
  /** Their runs, the first one first; not those whose lineage nobody knows. */
  readonly lineages: ReadonlyMap<string, readonly RunFacts[]>;
  /** What each start number asked for. */
  readonly starts: ReadonlyMap<number, StartCommand>;
  readonly finalRuns: ReadonlyMap<string, FinalRun>;
  readonly finalThreads: ReadonlyMap<string, FinalThread>;
  /** Final logs of threads. */
  readonly threadLogs: ReadonlyMap<string, readonly FinalEvent[]>;
  readonly workers: ReadonlyMap<string, WorkerFacts>;
  /** From where on nobody has anything left to wait for. */
  readonly restFrom: number;
  readonly isFaultless: boolean;
  /** The wall clock was set forward or back: its readings say nothing about an order. */
  readonly clockJumped: boolean;
}

/** Places (`at`, `from`, `to`) are indexes in the history. */
export interface CallFacts {
  readonly number: number;
  readonly worker: string;
  readonly command: Command;
  readonly from: number;
  readonly to: number | undefined;
  readonly answer: Answer | undefined;
  readonly frames: readonly { readonly at: number; readonly frame: SeenFrame }[];
}

export interface WorkerFacts {
  readonly from: number;
  /** `undefined`: it lives. */
  readonly to: number | undefined;
}

export interface RunFacts {
  readonly id: string;
  readonly n: number;
  readonly threadId: string | null;
  /** The first run of its lineage: its own id, unless an answer started it. `undefined`: to what, nobody knows. */
  readonly lineageId: string | undefined;
  /** Where its acceptance was first answered; `undefined`: never. */
  readonly acceptedAt: number | undefined;
  /** Where the command that started it was given. */
  readonly askedAt: number;
  readonly final: FinalRun | undefined;
  /** How it ended, as the storage says or else as anybody heard. */
  readonly outcome: SeenOutcome | undefined;
  /** From here on somebody knew how it had ended; Infinity: nobody ever did. */
  readonly knownFrom: number;
  readonly events: readonly FinalEvent[];
  readonly attempts: readonly AttemptFacts[];
  /** From here on it may be gone, with its thread or by itself; Infinity: nobody asked for that. */
  readonly mayBeGoneFrom: number;
}

export function gatherFacts(history: History): Facts {
  const calls = gatherCalls(history.entries);
  const attempts = gatherAttempts(history.entries);
  const starts = new Map(
    calls.flatMap(({ command }) => (command.kind === "start" ? command.starts : [])).map((start) => [start.n, start]),
  );
  const finalRuns = new Map(history.final.runs.filter(({ n }) => n > 0).map((run) => [run.id, run]));
  const runs = gatherRuns(history, calls, attempts, finalRuns, starts);
  return {
    history,
    calls,
    attempts,
    starts,
    finalRuns,
    runs,
    lineages: byLineage(runs),
    finalThreads: new Map(history.final.threads.map((thread) => [thread.id, thread])),
    threadLogs: new Map(
      history.final.logs.flatMap(({ threadId, events }) => (threadId === null ? [] : [[threadId, events]])),
    ),
    workers: gatherWorkers(history.entries),
    restFrom: history.entries.findIndex(({ type }) => type === "at_rest"),
    isFaultless: !history.entries.some(({ type }) => type === "fault"),
    clockJumped: history.entries.some((entry) => entry.type === "fault" && entry.kind === "jump"),
  };
}

type Mutable<Of> = { -readonly [Key in keyof Of]: Of[Key] };

function gatherCalls(entries: readonly HistoryEntry[]): CallFacts[] {
  const calls = new Map<number, Mutable<CallFacts> & { frames: { at: number; frame: SeenFrame }[] }>();
  entries.forEach((entry, at) => {
    if (entry.type === "call") {
      const { call: number, worker, command } = entry;
      calls.set(number, { number, worker, command, from: at, to: undefined, answer: undefined, frames: [] });
    } else if (entry.type === "answer") {
      const call = calls.get(entry.call);
      if (call !== undefined) Object.assign(call, { to: at, answer: entry.answer });
    } else if (entry.type === "frame") calls.get(entry.call)?.frames.push({ at, frame: entry.frame });
  });
  return [...calls.values()];
}

function gatherWorkers(entries: readonly HistoryEntry[]): Map<string, WorkerFacts> {
  const workers = new Map<string, Mutable<WorkerFacts>>();
  entries.forEach((entry, at) => {
    if (entry.type === "worker_started") workers.set(entry.worker, { from: at, to: workers.get(entry.worker)?.to });
    if (entry.type === "worker_ended")
      workers.set(entry.worker, { from: workers.get(entry.worker)?.from ?? 0, to: at });
  });
  return workers;
}

function gatherRuns(
  history: History,
  calls: readonly CallFacts[],
  attempts: readonly AttemptFacts[],
  finalRuns: ReadonlyMap<string, FinalRun>,
  starts: ReadonlyMap<number, StartCommand>,
): Map<string, RunFacts> {
  const runs = new Map<string, Mutable<RunFacts> & { attempts: AttemptFacts[]; events: FinalEvent[] }>();
  const answers = gatherAnswers(calls);
  const asked = gatherAsked(calls);
  const removals = gatherRemovals(calls, answers);
  const known = (id: string, n: number, threadId: string | null) => {
    const run = runs.get(id) ?? {
      id,
      n,
      threadId,
      lineageId: finalRuns.get(id)?.lineageId ?? lineageOf(id, answers),
      acceptedAt: undefined,
      askedAt: 0,
      final: finalRuns.get(id),
      outcome: finalRuns.get(id)?.outcome ?? undefined,
      knownFrom: finalRuns.has(id) ? history.entries.length - 1 : Number.POSITIVE_INFINITY,
      events: [],
      attempts: [],
      mayBeGoneFrom: Number.POSITIVE_INFINITY,
    };
    runs.set(id, run);
    return run;
  };
  for (const { command, answer, to } of calls) {
    if (command.kind !== "start" || answer?.type !== "ok" || answer.value.kind !== "started") continue;
    answer.value.runIds.forEach((id, index) => {
      const start = command.starts[index];
      if (start === undefined) return;
      const run = known(id, start.n, start.threadId);
      run.acceptedAt = Math.min(run.acceptedAt ?? Number.POSITIVE_INFINITY, to ?? 0);
    });
  }
  for (const attempt of attempts) known(attempt.runId, attempt.n, attempt.threadId).attempts.push(attempt);
  for (const { id, n, threadId } of finalRuns.values()) known(id, n, threadId);
  for (const { events } of history.final.logs) for (const event of events) runs.get(event.runId)?.events.push(event);
  for (const { command, answer, to = 0 } of calls) {
    const next = answered(answer, "resumed");
    const run = next && runs.get(next.runId);
    if (run !== undefined && isAnswer(command))
      run.acceptedAt = Math.min(run.acceptedAt ?? Number.POSITIVE_INFINITY, to);
  }
  for (const { command, answer, to = 0 } of calls) {
    const outcome = answered(answer, "outcome")?.outcome;
    const run = command.kind === "wait" ? runs.get(command.runId) : undefined;
    if (run === undefined || outcome === undefined) continue;
    run.outcome ??= outcome;
    run.knownFrom = Math.min(run.knownFrom, to);
  }
  for (const run of runs.values()) {
    if (isOfUnknownLineage(run)) run.lineageId = undefined;
    run.askedAt = asked.get(run.n) ?? 0;
    run.mayBeGoneFrom = goneFrom(run, removals, starts);
  }
  return runs;
}

/** By the run that an answer started first: the run that was answered, and where. */
type Answers = ReadonlyMap<string, { readonly to: string; readonly from: number }>;

function gatherAnswers(calls: readonly CallFacts[]): Answers {
  const answers = new Map<string, { to: string; from: number }>();
  for (const { command, answer, from } of calls) {
    const next = answered(answer, "resumed")?.runId;
    if (next !== undefined && !answers.has(next) && "runId" in command) answers.set(next, { to: command.runId, from });
  }
  return answers;
}

/** Where the storage does not say: the run that was answered when it was started, by an answer before this place. */
function lineageOf(id: string, answers: Answers, before = Number.POSITIVE_INFINITY): string {
  const answer = answers.get(id);
  if (answer === undefined || answer.to === id || answer.from >= before) return id;
  return lineageOf(answer.to, answers, answer.from);
}

function byLineage(runs: ReadonlyMap<string, RunFacts>): Map<string, RunFacts[]> {
  const lineages = new Map<string, RunFacts[]>();
  for (const run of runs.values()) {
    if (run.lineageId === undefined) continue;
    const known = lineages.get(run.lineageId) ?? [];
    lineages.set(run.lineageId, isFirst(run) ? [run, ...known] : [...known, run]);
  }
  return lineages;
}

/** An answer started it, and nobody knows to what: that was lost with whoever gave it, and the run is gone. */
function isOfUnknownLineage(run: RunFacts): boolean {
  return run.final === undefined && isFirst(run) && run.attempts.some(({ resumed }) => resumed);
}

/** Where its first attempt began; Infinity: none did. */
export function begunAt({ attempts }: Pick<RunFacts, "attempts">): number {
  return Math.min(...attempts.map(({ from }) => from));
}

/** No answer started it. */
export function isFirst({ id, lineageId }: Pick<RunFacts, "id" | "lineageId">): boolean {
  return id === lineageId;
}

export function isAnswer(command: Command): command is Extract<Command, { kind: "answer" | "resume" }> {
  return command.kind === "answer" || command.kind === "resume";
}

/**
 * By start number: the first command that may have started it. One that was lost may have done so, and a later one with
 * its key only found it.
 */
function gatherAsked(calls: readonly CallFacts[]): Map<number, number> {
  const asked = new Map<number, number>();
  for (const call of calls) {
    if (call.answer?.type === "refused") continue;
    for (const { n } of startsOf(call)) if (!asked.has(n)) asked.set(n, call.from);
  }
  return asked;
}

/** A command that removes runs and was not refused. Places as in a call. */
interface Removal {
  readonly from: number;
  readonly to: number;
  readonly runId: string | undefined;
  readonly lineageId: string | undefined;
  readonly threadId: string | undefined;
}

function gatherRemovals(calls: readonly CallFacts[], answers: Answers): Removal[] {
  return calls.flatMap(({ command, answer, from, to = Number.POSITIVE_INFINITY }): Removal[] => {
    if (answer?.type === "refused") return [];
    if (command.kind === "delete_run") {
      const { runId } = command;
      return [{ from, to, runId, lineageId: lineageOf(runId, answers), threadId: undefined }];
    }
    if (command.kind !== "delete_thread") return [];
    return [{ from, to, runId: undefined, lineageId: undefined, threadId: command.threadId }];
  });
}

/** Where somebody first asked for what removes the run. */
function goneFrom(run: RunFacts, removals: readonly Removal[], starts: ReadonlyMap<number, StartCommand>): number {
  if (starts.get(run.n)?.ephemeral === true) return run.askedAt;
  const removal = removals.find(({ runId, lineageId, threadId, to }) => {
    if (runId !== undefined) return runId === run.id || (run.threadId === null && lineageId === run.lineageId);
    // A thread that was deleted before its run was asked for took nothing of it along.
    return threadId === run.threadId && to > run.askedAt;
  });
  return removal?.from ?? Number.POSITIVE_INFINITY;
}

/** May the thread have been deleted at all? */
export function mayBeDeleted({ calls }: Pick<Facts, "calls">, threadId: string): boolean {
  return deletions(calls, threadId).length > 0;
}

/** Deletions of the thread that were not refused. */
export function deletions(calls: readonly CallFacts[], threadId: string): CallFacts[] {
  return calls.filter(
    ({ command, answer }) =>
      command.kind === "delete_thread" && command.threadId === threadId && answer?.type !== "refused",
  );
}

/** The value of an answer that went well. */
export function answered<Kind extends AnswerValue["kind"]>(
  answer: Answer | undefined,
  kind: Kind,
): Extract<AnswerValue, { kind: Kind }> | undefined {
  if (answer?.type !== "ok" || answer.value.kind !== kind) return undefined;
  return answer.value as Extract<AnswerValue, { kind: Kind }>;
}

export function startsOf({ command }: Pick<CallFacts, "command">): readonly StartCommand[] {
  return command.kind === "start" ? command.starts : [];
}

/** Somebody knows that all it did to its thread was taken back. */
export function isRolledBack({ outcome }: RunFacts): boolean {
  return outcome?.reason === "rolled_back";
}

/** As `isRolledBack`; also where the run is gone and nobody heard how it ended. */
export function mayBeRolledBack(run: RunFacts): boolean {
  return run.outcome === undefined || isRolledBack(run);
}

/** What it did to a busy thread; `undefined`: nobody knows. One that was resumed is next in the queue. */
export function strategyOf({ starts }: Facts, run: RunFacts | undefined): StartCommand["whenBusy"] | undefined {
  if (run !== undefined && !isFirst(run)) return "enqueue";
  return run && starts.get(run.n)?.whenBusy;
}

/** ms that it was told to wait at first. */
export function delayOf({ starts }: Facts, run: RunFacts): number {
  return isFirst(run) ? (starts.get(run.n)?.delay ?? 0) : 0;
}

/** What all tokens of a run have in common. */
export function writerOf(token: string): string {
  const [start = ""] = token.split(":");
  const [, runId] = token.split("~");
  return runId === undefined ? start : `${start}~${runId}`;
}

export function nameOf(run: Pick<RunFacts, "id" | "lineageId" | "n">): string {
  return isFirst(run) ? `${run.n}` : `${run.n}~${run.id}`;
}
