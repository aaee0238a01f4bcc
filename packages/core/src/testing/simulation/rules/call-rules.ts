/** What callers are promised: an answer, a true one, and that a refusal changes nothing. */

import type { Rule } from "../check-history.js";
import type { Command, StartCommand } from "../history.js";
import { deletions, mayBeDeleted, startOf, valueOf } from "./facts.js";
import type { CallFacts, Facts } from "./facts.js";

export const callRules = {
  /** Once the faults are over every caller is answered: no waiter and no reader is forgotten. */
  *"every call is answered"({ calls }: Facts) {
    for (const call of calls) if (call.answer === undefined) yield `${shown(call)} was never answered`;
  },

  *"only errors that are promised"({ calls, attempts, history }: Facts) {
    for (const call of calls) {
      if (call.answer?.type !== "refused") continue;
      const { code } = call.answer;
      if (!expectedCodes[call.command.kind].includes(code)) yield `${shown(call)} was refused with ${code}`;
    }
    for (const { runId, attempt, writes } of attempts) {
      for (const { token, refusedWith } of writes) {
        if (refusedWith === undefined || expectedOfAgents.includes(refusedWith)) continue;
        yield `attempt ${attempt} of ${runId} could not write ${token}: ${refusedWith}`;
      }
    }
    for (const entry of history.entries) {
      if (entry.type !== "trouble" || expectedInBackground.includes(entry.code)) continue;
      yield `worker ${entry.worker} reports ${entry.code} during ${entry.during}: ${entry.message}`;
    }
  },

  *"a refused call changes nothing"({ calls, runs, finalThreads }: Facts) {
    const mayExist = new Set(calls.flatMap((call) => (call.answer?.type === "refused" ? [] : startsOf(call).map(({ n }) => n))));
    for (const run of runs.values()) if (!mayExist.has(run.n)) yield `run ${run.id} of start ${run.n}, which was refused, exists`;
    const refused = calls.filter(({ command, answer }) => command.kind === "create_thread" && answer?.type === "refused");
    const tokens = new Set(refused.flatMap(({ command }) => (command.kind === "create_thread" ? (command.token ?? []) : [])));
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
        if (wasCreated(calls, threadId, call.from) && deletions(calls, threadId).every(({ from }) => from > (call.to ?? 0))) {
          yield `${shown(call)}: THREAD_NOT_FOUND, but thread ${threadId} was created before and nobody deleted it`;
        }
      }
    }
  },

  *"a deleted thread is gone"(facts: Facts) {
    const { calls, finalThreads, attempts } = facts;
    for (const deletion of calls) {
      if (deletion.command.kind !== "delete_thread" || deletion.answer?.type !== "ok") continue;
      const { threadId } = deletion.command;
      const until = deletion.to ?? 0;
      const mayExistAgain = calls.some(({ command, to, answer }) => creates(command, threadId) && answer?.type !== "refused" && (to ?? Number.POSITIVE_INFINITY) > deletion.from);
      if (!mayExistAgain && finalThreads.has(threadId)) yield `thread ${threadId} exists after its deletion was answered`;
      for (const { runId, threadId: of, from, writes } of attempts) {
        if (of !== threadId) continue;
        const run = facts.runs.get(runId);
        if (run?.acceptedAt === undefined || run.acceptedAt > deletion.from) continue;
        if (from > until && startedBeforeDeletion(run.askedAt, deletion)) {
          // The claim may have come first; then it can write nothing.
        }
        const late = writes.find(({ at, acknowledgedAt }) => at > until && acknowledgedAt !== undefined);
        if (late !== undefined) yield `${late.token} was written after thread ${threadId} was deleted`;
      }
    }
  },

  /** A key names one run, whatever the thread does meanwhile. */
  *"one run per idempotency key"(facts: Facts) {
    const { calls, starts, runs } = facts;
    const byKey = new Map<string, { call: CallFacts; start: StartCommand; runId: string }[]>();
    for (const call of calls) {
      const started = valueOf(call.answer, "started");
      if (started === undefined) continue;
      startsOf(call).forEach((start, index) => {
        if (start.key === null) return;
        const name = keyName(start);
        byKey.set(name, [...(byKey.get(name) ?? []), { call, start, runId: started.runIds[index] ?? "" }]);
      });
    }
    for (const [name, uses] of byKey) {
      if (uses.some(({ start }) => start.threadId !== null && mayBeDeleted(facts, start.threadId))) continue;
      const ids = new Set(uses.map(({ runId }) => runId));
      if (ids.size > 1) yield `key ${name} started ${[...ids].join(" and ")}`;
      if (new Set(uses.map(({ start }) => start.n)).size > 1) yield `key ${name} was accepted with two inputs`;
    }
    const keyed = new Map<string, string>();
    for (const run of runs.values()) {
      const start = starts.get(run.n);
      if (start?.key == null || (run.threadId !== null && mayBeDeleted(facts, run.threadId))) continue;
      const other = keyed.get(keyName(start));
      if (other !== undefined) yield `key ${keyName(start)} has two runs: ${other} and ${run.id}`;
      keyed.set(keyName(start), run.id);
    }
  },

  *"a repeated key is answered before the thread is looked at"(facts: Facts) {
    for (const call of facts.calls) {
      const [start, another] = startsOf(call);
      if (start?.key == null || another !== undefined || call.answer?.type !== "refused") continue;
      if (!["THREAD_BUSY", "QUEUE_FULL"].includes(call.answer.code)) continue;
      if (start.threadId !== null && mayBeDeleted(facts, start.threadId)) continue;
      const earlier = facts.calls.find((other) => other.answer?.type === "ok" && (other.to ?? 0) < call.from && startsOf(other).some((one) => one.key === start.key && keyName(one) === keyName(start)));
      if (earlier !== undefined) yield `${shown(call)}: ${call.answer.code}, but call ${earlier.number} had started its run`;
    }
  },

  /** Whoever is sent away from a busy thread is told by whom it is busy; that run has not ended before. */
  *"a thread is busy only with a run that is active"({ calls, runs }: Facts) {
    for (const call of calls) {
      if (call.answer?.type !== "refused" || call.answer.code !== "THREAD_BUSY") continue;
      const { activeRunId } = call.answer;
      const settled = calls.find(({ command, answer, to }) => command.kind === "wait" && command.runId === activeRunId && answer?.type === "ok" && (to ?? 0) < call.from);
      if (settled !== undefined) yield `${shown(call)}: busy with ${activeRunId}, which had settled before`;
      const run = runs.get(activeRunId ?? "");
      if (run === undefined) continue;
      if (!startsOf(call).some(({ threadId }) => threadId === run.threadId)) yield `${shown(call)}: busy with a run of thread ${run.threadId}`;
    }
  },
} satisfies Record<string, Rule>;

function startedBeforeDeletion(askedAt: number, deletion: CallFacts): boolean {
  return askedAt < deletion.from;
}

const goneCodes = ["RUN_NOT_FOUND", "RUN_GONE"];

const expectedCodes: Readonly<Record<Command["kind"], readonly string[]>> = {
  create_thread: ["THREAD_EXISTS"],
  copy_thread: ["THREAD_NOT_FOUND", "THREAD_EXISTS"],
  delete_thread: ["THREAD_NOT_FOUND"],
  start: ["THREAD_NOT_FOUND", "THREAD_BUSY", "QUEUE_FULL", "IDEMPOTENCY_CONFLICT", "RUN_GONE", "UNKNOWN_AGENT"],
  cancel: ["RUN_NOT_FOUND", "RUN_GONE"],
  delete_run: ["RUN_NOT_FOUND", "RUN_ACTIVE"],
  wait: ["RUN_NOT_FOUND", "RUN_GONE"],
  values: ["THREAD_NOT_FOUND"],
  read_run: ["RUN_NOT_FOUND", "RUN_GONE", "THREAD_NOT_FOUND"],
  read_thread: ["THREAD_NOT_FOUND", "CURSOR_EXPIRED"],
  fill_slots: [],
};

const expectedOfAgents = ["LEASE_LOST", "ENGINE_CLOSED", "RUN_CANCELED"];
const expectedInBackground = ["STORAGE_UNAVAILABLE", "ENGINE_CLOSED"];

function startsOf({ command }: CallFacts): readonly StartCommand[] {
  return command.kind === "start" ? command.starts : [];
}

function keyName({ threadId, agent, key }: StartCommand): string {
  return `${key} of ${agent} in ${threadId === null ? "no thread" : `thread ${threadId}`}`;
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
  return calls.some(({ command, answer, to }) => creates(command, threadId) && answer?.type === "ok" && (to ?? Number.POSITIVE_INFINITY) < before);
}

export function shown({ number, worker, command }: CallFacts): string {
  return `call ${number} on ${worker} (${JSON.stringify(command)})`;
}

/** Which start made this write. */
export function startOfToken(token: string): number | undefined {
  return startOf(token);
}
