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
  SeenValues,
  StartCommand,
} from "../history.js";

/** Says for each breach of one promise what is wrong. */
export type Rule = (facts: Facts) => Iterable<string>;

export interface Facts {
  readonly history: History;
  readonly calls: readonly CallFacts[];
  readonly attempts: readonly AttemptFacts[];
  /** Runs that anybody heard of: accepted, worked on, or found in the end. */
  readonly runs: ReadonlyMap<string, RunFacts>;
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

export interface AttemptFacts {
  readonly runId: string;
  readonly attempt: number;
  readonly worker: string;
  readonly n: number;
  readonly threadId: string | null;
  readonly seen: SeenValues;
  readonly from: number;
  readonly to: number | undefined;
  readonly returned: string | null;
  readonly aborted: string | undefined;
  readonly abortedAt: number | undefined;
  readonly writes: readonly WriteFacts[];
}

export interface WriteFacts {
  readonly what: "event" | "delta" | "checkpoint";
  readonly token: string;
  readonly key: string | null;
  readonly at: number;
  readonly acknowledgedAt: number | undefined;
  readonly refusedWith: string | undefined;
}

export interface RunFacts {
  readonly id: string;
  readonly n: number;
  readonly threadId: string | null;
  /** Where its acceptance was first answered; `undefined`: never. */
  readonly acceptedAt: number | undefined;
  /** Where the command that started it was given. */
  readonly askedAt: number;
  readonly final: FinalRun | undefined;
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
  return {
    history,
    calls,
    attempts,
    starts,
    finalRuns,
    runs: gatherRuns(history, calls, attempts, finalRuns, starts),
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

function gatherAttempts(entries: readonly HistoryEntry[]): AttemptFacts[] {
  const all: AttemptFacts[] = [];
  const open = new Map<string, Omit<Mutable<AttemptFacts>, "writes"> & { writes: Mutable<WriteFacts>[] }>();
  entries.forEach((entry, at) => {
    if (!("runId" in entry)) return;
    const name = `${entry.runId} ${entry.attempt}`;
    if (entry.type === "attempt_started") {
      const { runId, attempt, worker, n, threadId, values } = entry;
      const started = {
        runId,
        attempt,
        worker,
        n,
        threadId,
        seen: values,
        from: at,
        to: undefined,
        returned: null,
        aborted: undefined,
        abortedAt: undefined,
        writes: [],
      };
      open.set(name, started);
      all.push(started);
      return;
    }
    const known = open.get(name);
    if (known === undefined) return;
    if (entry.type === "aborted") Object.assign(known, { aborted: entry.code, abortedAt: at });
    else if (entry.type === "attempt_ended") Object.assign(known, { to: at, returned: entry.token });
    else if (entry.type === "sent") {
      const { what, token, key } = entry;
      known.writes.push({ what, token, key, at, acknowledgedAt: undefined, refusedWith: undefined });
    } else {
      const write = known.writes.find(({ token }) => token === entry.token);
      if (write === undefined) return;
      if (entry.type === "acknowledged") write.acknowledgedAt = at;
      else write.refusedWith = entry.code;
    }
  });
  return all;
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
  const known = (id: string, n: number, threadId: string | null) => {
    const run = runs.get(id) ?? {
      id,
      n,
      threadId,
      acceptedAt: undefined,
      askedAt: 0,
      final: finalRuns.get(id),
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
  for (const run of runs.values()) {
    run.askedAt = askedAt(run, calls);
    run.mayBeGoneFrom = goneFrom(run, calls, starts);
  }
  return runs;
}

/** The first command that may have started it: one that was lost may have done so, and a later one with its key only found it. */
function askedAt({ n }: RunFacts, calls: readonly CallFacts[]): number {
  const asked = calls.find(({ command, answer }) => {
    return command.kind === "start" && answer?.type !== "refused" && command.starts.some((start) => start.n === n);
  });
  return asked?.from ?? 0;
}

/** Where somebody first asked for what removes the run, unless that was refused. */
function goneFrom(run: RunFacts, calls: readonly CallFacts[], starts: ReadonlyMap<number, StartCommand>): number {
  if (starts.get(run.n)?.ephemeral === true) return run.askedAt;
  const removals = calls.filter(({ command, answer, to }) => {
    if (answer?.type === "refused") return false;
    if (command.kind === "delete_run") return command.runId === run.id;
    // A thread that was deleted before its run was asked for took nothing of it along.
    return (
      command.kind === "delete_thread" &&
      command.threadId === run.threadId &&
      (to ?? Number.POSITIVE_INFINITY) > run.askedAt
    );
  });
  return Math.min(Number.POSITIVE_INFINITY, ...removals.map(({ from }) => from));
}

/** May the thread have been deleted at all? */
export function mayBeDeleted({ calls }: Facts, threadId: string): boolean {
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

/** The start number that a token belongs to; `undefined`: a thread's first value. */
export function startOf(token: string): number | undefined {
  const n = Number.parseInt(token, 10);
  return Number.isNaN(n) ? undefined : n;
}
