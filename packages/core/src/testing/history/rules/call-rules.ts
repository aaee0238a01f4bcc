/** What callers are promised: an answer, a true one, and that a refusal changes nothing. */

import type { Command } from "../history.js";
import type { CallFacts, Facts, Rule } from "./facts.js";
import { deletions, startsOf } from "./facts.js";

export const callRules = {
  /** Once the faults are over every caller is answered: no waiter and no reader is forgotten. */
  *"every call is answered"({ calls, restFrom }: Facts) {
    for (const call of calls) {
      if (call.answer === undefined) yield `${shown(call)} was never answered`;
      else if (!isStream(call) && call.from < restFrom && (call.to ?? 0) > restFrom)
        yield `${shown(call)} was answered only when something else happened`;
    }
  },

  *"only errors that are promised"({ calls, attempts, history }: Facts) {
    const troubles = new Set(history.entries.flatMap((entry) => (entry.type === "fault" ? [entry.kind] : [])));
    const isExcused = (code: string): boolean => excuses[code]?.some((kind) => troubles.has(kind)) ?? false;
    for (const call of calls) {
      if (call.answer?.type !== "refused") continue;
      const { code } = call.answer;
      if (!expectedCodes[call.command.kind].includes(code) && !isExcused(code))
        yield `${shown(call)} was refused with ${code}`;
    }
    for (const { runId, attempt, writes, aborted } of attempts) {
      for (const { token, refusedWith } of writes) {
        if (refusedWith === undefined || expectedOfAgents.includes(refusedWith) || isExcused(refusedWith)) continue;
        // A closing engine tries again until its leases are over; then the storage's last word is the answer.
        if (refusedWith === "STORAGE_UNAVAILABLE" && aborted === "ENGINE_CLOSED") continue;
        yield `attempt ${attempt} of ${runId} could not write ${token}: ${refusedWith}`;
      }
    }
    for (const entry of history.entries) {
      if (entry.type !== "trouble" || expectedInBackground.includes(entry.code)) continue;
      if (isExcused(entry.code)) continue;
      yield `worker ${entry.worker} reports ${entry.code} during ${entry.during}: ${entry.message}`;
    }
  },

  *"a refused call changes nothing"({ calls, runs, finalThreads }: Facts) {
    const mayExist = new Set(
      calls.flatMap((call) => (call.answer?.type === "refused" ? [] : startsOf(call).map(({ n }) => n))),
    );
    for (const run of runs.values())
      if (!mayExist.has(run.n)) yield `run ${run.id} of start ${run.n}, which was refused, exists`;
    const refused = calls.filter(
      ({ command, answer }) => command.kind === "create_thread" && answer?.type === "refused",
    );
    const tokens = new Set(
      refused.flatMap(({ command }) => (command.kind === "create_thread" ? (command.token ?? []) : [])),
    );
    for (const { id, values } of finalThreads.values()) {
      for (const token of values.log) if (tokens.has(token)) yield `thread ${id} has ${token} of a refused creation`;
    }
  },

  /** What was answered to exist is there for all, until somebody asks for its end. */
  *"what was acknowledged is there"({ calls, runs }: Facts) {
    for (const call of calls) {
      if (call.answer?.type !== "refused" || !("runId" in call.command)) continue;
      if (!goneCodes.includes(call.answer.code)) continue;
      const run = runs.get(call.command.runId);
      if (run?.acceptedAt === undefined || run.acceptedAt > call.from || run.mayBeGoneFrom < (call.to ?? 0)) continue;
      yield `${shown(call)}: ${call.answer.code}, but the run was accepted before and nobody deleted it`;
    }
    for (const call of calls) {
      if (call.answer?.type !== "refused" || call.answer.code !== "THREAD_NOT_FOUND") continue;
      for (const threadId of threadsNeededBy(call.command)) {
        if (
          wasCreated(calls, threadId, call.from) &&
          deletions(calls, threadId).every(({ from }) => from > (call.to ?? 0))
        ) {
          yield `${shown(call)}: THREAD_NOT_FOUND, but thread ${threadId} was created before and nobody deleted it`;
        }
      }
    }
  },

  /** Nothing brings a deleted thread back but a new creation, and no write of its old runs is taken. */
  *"a deleted thread is gone"(facts: Facts) {
    for (const deletion of facts.calls) {
      const { command, answer, from } = deletion;
      if (command.kind !== "delete_thread" || answer?.type !== "ok") continue;
      const { threadId } = command;
      const mayBeThereAgain = facts.calls.some((call) => creates(call.command, threadId) && mayHappenAfter(call, from));
      if (!mayBeThereAgain && facts.finalThreads.has(threadId))
        yield `thread ${threadId} exists after its deletion was answered`;
      yield* lateWrites(facts, threadId, deletion);
    }
  },

  /** Whoever is sent away from a busy thread is told by whom it is busy; that run has not ended before. */
  *"a thread is busy only with a run that is active"({ calls, runs }: Facts) {
    for (const call of calls) {
      if (call.answer?.type !== "refused" || call.answer.code !== "THREAD_BUSY") continue;
      const { activeRunId } = call.answer;
      const settled = calls.find(
        ({ command, answer, to }) =>
          command.kind === "wait" && command.runId === activeRunId && answer?.type === "ok" && (to ?? 0) < call.from,
      );
      if (settled !== undefined) yield `${shown(call)}: busy with ${activeRunId}, which had settled before`;
      const run = runs.get(activeRunId ?? "");
      if (run === undefined) continue;
      if (!startsOf(call).some(({ threadId }) => threadId === run.threadId))
        yield `${shown(call)}: busy with a run of thread ${run.threadId}`;
    }
  },
} satisfies Record<string, Rule>;

const goneCodes = ["RUN_NOT_FOUND", "RUN_GONE"];

const expectedCodes: Readonly<Record<Command["kind"], readonly string[]>> = {
  create_thread: ["THREAD_EXISTS"],
  copy_thread: ["THREAD_NOT_FOUND", "THREAD_EXISTS"],
  delete_thread: ["THREAD_NOT_FOUND"],
  start: ["THREAD_NOT_FOUND", "THREAD_BUSY", "QUEUE_FULL", "IDEMPOTENCY_CONFLICT", "RUN_GONE", "UNKNOWN_AGENT"],
  cancel: ["RUN_NOT_FOUND", "RUN_GONE"],
  questions: ["RUN_NOT_FOUND"],
  answer: ["RUN_NOT_FOUND", "QUESTION_NOT_FOUND", "QUESTION_CLOSED"],
  resume: ["RUN_NOT_FOUND", "QUESTION_NOT_FOUND", "QUESTION_CLOSED", "INVALID_ARGUMENT"],
  delete_run: ["RUN_NOT_FOUND", "RUN_ACTIVE"],
  wait: ["RUN_NOT_FOUND", "RUN_GONE"],
  values: ["THREAD_NOT_FOUND"],
  // A thread that was deleted and created again between two reads has no checkpoint of before.
  inspect: ["RUN_NOT_FOUND", "THREAD_NOT_FOUND", "CHECKPOINT_NOT_FOUND"],
  read_run: ["RUN_NOT_FOUND", "RUN_GONE", "THREAD_NOT_FOUND"],
  read_thread: ["THREAD_NOT_FOUND", "CURSOR_EXPIRED"],
  fill_slots: [],
};

const expectedOfAgents = ["LEASE_LOST", "ENGINE_CLOSED", "RUN_CANCELED", "AttemptEnded"];
const expectedInBackground = ["STORAGE_UNAVAILABLE", "ENGINE_CLOSED"];

/** What may be answered where one of these faults befell. */
const excuses: Readonly<Record<string, readonly string[]>> = {
  STORAGE_FULL: ["disk_full"],
  // Who is stopped in the middle of a transaction holds what it has locked.
  STORAGE_BUSY: ["stop"],
};

function isStream({ command }: CallFacts): boolean {
  return command.kind === "read_run" || command.kind === "read_thread";
}

function mayHappenAfter({ answer, to }: CallFacts, at: number): boolean {
  return answer?.type !== "refused" && (to ?? Number.POSITIVE_INFINITY) > at;
}

/** Writes that were taken after the deletion was answered, of runs that were there before it was asked for. */
function* lateWrites({ attempts, runs }: Facts, threadId: string, deletion: CallFacts): Generator<string> {
  const deletedAt = deletion.to ?? 0;
  for (const attempt of attempts) {
    const acceptedAt = runs.get(attempt.runId)?.acceptedAt ?? Number.POSITIVE_INFINITY;
    if (attempt.threadId !== threadId || acceptedAt > deletion.from) continue;
    const late = attempt.writes.find(({ at, acknowledgedAt }) => at > deletedAt && acknowledgedAt !== undefined);
    if (late !== undefined) yield `${late.token} was written after thread ${threadId} was deleted`;
  }
}

function threadsNeededBy(command: Command): readonly string[] {
  switch (command.kind) {
    case "start":
      return command.starts.length === 1 ? command.starts.flatMap(({ threadId }) => threadId ?? []) : [];
    case "copy_thread":
      return [command.from];
    case "values":
    case "read_thread":
      return [command.threadId];
    default:
      return [];
  }
}

function creates(command: Command, threadId: string): boolean {
  if (command.kind === "create_thread") return command.threadId === threadId;
  if (command.kind === "copy_thread") return command.to === threadId;
  return command.kind === "start" && command.starts.some((start) => start.threadId === threadId && start.createThread);
}

function wasCreated(calls: readonly CallFacts[], threadId: string, before: number): boolean {
  return calls.some(
    ({ command, answer, to }) =>
      creates(command, threadId) && answer?.type === "ok" && (to ?? Number.POSITIVE_INFINITY) < before,
  );
}

export function shown({ number, worker, command }: CallFacts): string {
  return `call ${number} on ${worker} (${JSON.stringify(command)})`;
}
