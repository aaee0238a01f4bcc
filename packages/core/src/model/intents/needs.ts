/**
 * What an intent reads, known beforehand: for storages that lock and load everything in one round trip.
 * Storages that can read synchronously inside a transaction do not need it.
 */

import type { MemoRef } from "../memo.js";
import type { ClaimQuery, KeyRef } from "../unit-of-work.js";
import { childMemo } from "./child.js";
import type {
  AnswerQuestions,
  AttemptRef,
  CheckpointRef,
  ChildStart,
  Intent,
  NewEvent,
  NewMemo,
  ReleaseRun,
  SettleRun,
} from "./intent.js";
import { supersedes } from "./join-thread.js";

export interface Needs {
  /** Thread records to lock, and tombstones of those that are gone. */
  readonly threads: readonly string[];
  readonly runs: readonly string[];
  /** Threads whose active run's record is read. */
  readonly activeRunsOf: readonly string[];
  /** Threads whose next queued run may be promoted. */
  readonly queuesOf: readonly string[];
  /** Threads of which every run is read that is queued or handed to the live run. */
  readonly waitingOf: readonly string[];
  /** The same of threads whose own strategy ends other runs; of all others nothing. */
  readonly waitingIfSupersedingOf: readonly string[];
  /** Threads of which every unsettled run is read. */
  readonly unsettledOf: readonly string[];
  /** Keys, each with the run that it names. */
  readonly keys: readonly KeyRef[];
  /** Those of kind `child` each with the run that it names. */
  readonly memos: readonly MemoRef[];
  /** Lineages of which every question is read. */
  readonly questionsOf: readonly string[];
  /** Runs of whose lineages every question is read. */
  readonly questionsOfRuns: readonly string[];
  /** Threads of whose active, queued and handed-over runs' lineages every question is read. */
  readonly questionsOfThreads: readonly string[];
  /** Threads of which every run is read that waits to be taken by the live run. */
  readonly steeredOf: readonly string[];
  readonly checkpoints: readonly string[];
  /** Threads whose head checkpoint, origin and copies are read. */
  readonly checkpointsOf: readonly string[];
  /** Threads of which every checkpoint's link is read; `linksIfCopiedOf`: unless there are no copies. */
  readonly linksOf: readonly string[];
  readonly linksIfCopiedOf: readonly string[];
  /** Runs to claim, each with its thread: a claim writes to the thread's log. */
  readonly claimable?: Omit<ClaimQuery, "now">;
}

const nothing: Needs = {
  threads: [],
  runs: [],
  activeRunsOf: [],
  queuesOf: [],
  waitingOf: [],
  waitingIfSupersedingOf: [],
  unsettledOf: [],
  keys: [],
  memos: [],
  questionsOf: [],
  questionsOfRuns: [],
  questionsOfThreads: [],
  steeredOf: [],
  checkpoints: [],
  checkpointsOf: [],
  linksOf: [],
  linksIfCopiedOf: [],
};

export function needsOf(intent: Intent): Needs {
  switch (intent.kind) {
    case "accept_run":
      return acceptNeeds(intent);
    case "claim_runs":
      return { ...nothing, claimable: { agents: intent.agents, limit: intent.limit } };
    case "extend_leases":
      return { ...nothing, runs: intent.attempts.map((attempt) => attempt.runId) };
    case "record_progress":
      return attemptNeeds(intent.attempt, intent.events, intent.memos);
    case "settle_run":
    case "release_run":
      return settleNeeds(intent);
    case "cancel_run":
      return endNeeds(intent.runId, intent.threadId);
    case "tend_run":
      return tendNeeds(intent.runId, intent.threadId);
    case "answer_questions":
      return answerNeeds(intent);
    case "delete_run":
      return { ...runNeeds(intent.runId, intent.threadId), questionsOfRuns: [intent.runId] };
    case "create_thread":
      return { ...nothing, threads: [intent.id] };
    case "update_thread":
      return updateNeeds(intent);
    case "copy_thread":
      return {
        ...nothing,
        threads: [intent.from, intent.id],
        checkpoints: idsOf(intent.at),
        checkpointsOf: [intent.from, intent.id],
      };
    case "move_head": {
      const threads = [intent.threadId];
      return { ...nothing, threads, activeRunsOf: threads, checkpoints: idsOf(intent.to) };
    }
    case "prune_checkpoints": {
      const threads = [intent.threadId];
      return { ...nothing, threads, unsettledOf: threads, checkpointsOf: threads, linksOf: threads };
    }
    case "delete_thread": {
      const threads = [intent.id];
      return { ...nothing, threads, unsettledOf: threads, checkpointsOf: threads, linksIfCopiedOf: threads };
    }
    case "collect_checkpoints": {
      const threads = [intent.threadId];
      const needs = { ...nothing, threads, checkpointsOf: threads };
      if (intent.rolledBack === undefined) return { ...needs, linksIfCopiedOf: threads };
      return { ...needs, unsettledOf: threads, linksOf: threads };
    }
  }
}

/** Runs that are accepted behind it, in the same batch, go by the strategy that it sets. */
function updateNeeds({ id, whenBusy }: Extract<Intent, { kind: "update_thread" }>): Needs {
  const needs = { ...nothing, threads: [id] };
  return whenBusy != null && supersedes(whenBusy) ? { ...needs, waitingOf: [id] } : needs;
}

function acceptNeeds(intent: Extract<Intent, { kind: "accept_run" }>): Needs {
  const { threadId, agent } = intent.run;
  const threads = threadId === null ? [] : [threadId];
  const scope = threadId === null ? "s" : `t:${threadId}`;
  const keys = intent.idempotency === undefined ? [] : [{ scope, agent, key: intent.idempotency.key }];
  const checkpoints = idsOf(intent.from);
  const needs = {
    ...nothing,
    ...parentNeeds(intent.child, threads),
    activeRunsOf: threads,
    keys,
    checkpoints,
    ...supersededNeeds(intent, threads),
  };
  if (intent.claim === undefined) return needs;
  return { ...needs, claimable: { agents: intent.claim.agents, limit: 1 } };
}

/** Questions come with the runs that asked them and those that got their answers. */
function answerNeeds({ lineageId, threadId, claim }: AnswerQuestions): Needs {
  const needs = { ...nothing, threads: threadId === null ? [] : [threadId], questionsOf: [lineageId] };
  return claim === undefined ? needs : { ...needs, claimable: { agents: claim.agents, limit: 1 } };
}

function parentNeeds(
  child: ChildStart | undefined,
  threads: readonly string[],
): Pick<Needs, "threads" | "runs" | "memos"> {
  if (child === undefined) return { threads, runs: [], memos: [] };
  const { runId, threadId } = child.attempt;
  return { threads: threadId === null ? threads : [...threads, threadId], runs: [runId], memos: [childMemo(child)] };
}

/** What it ends. Where the thread decides that is seldom anything, and the line may be long. */
function supersededNeeds(
  { whenBusy, threadDecides }: Extract<Intent, { kind: "accept_run" }>,
  threads: readonly string[],
): Partial<Needs> {
  if (supersedes(whenBusy)) return { waitingOf: threads, questionsOfThreads: threads };
  return threadDecides === true ? { waitingIfSupersedingOf: threads, questionsOfThreads: threads } : {};
}

/** What the end of a run reads that was found by its id. */
function endNeeds(runId: string, threadId: string | null): Needs {
  const needs = runNeeds(runId, threadId);
  return { ...needs, steeredOf: needs.threads, questionsOfRuns: [runId] };
}

/** A delayed run that falls due may supersede others. */
function tendNeeds(runId: string, threadId: string | null): Needs {
  const needs = endNeeds(runId, threadId);
  const { threads } = needs;
  return { ...needs, activeRunsOf: threads, waitingOf: threads, steeredOf: [], questionsOfThreads: threads };
}

/** Before its first interrupt a lineage has no questions. */
function settleNeeds(intent: SettleRun | ReleaseRun): Needs {
  const needs = attemptNeeds(intent.attempt, intent.events);
  const { runId, lineageId } = intent.attempt;
  const asks = intent.kind === "settle_run" && intent.outcome.status === "interrupted";
  return { ...needs, steeredOf: needs.threads, questionsOf: asks || lineageId !== runId ? [lineageId] : [] };
}

function idsOf(ref: CheckpointRef | undefined): readonly string[] {
  return ref === undefined ? [] : [ref.id];
}

function runNeeds(runId: string, threadId: string | null): Needs {
  const threads = threadId === null ? [] : [threadId];
  return { ...nothing, runs: [runId], threads, queuesOf: threads };
}

function attemptNeeds(
  { runId, threadId, lineageId }: AttemptRef,
  events: readonly NewEvent[],
  memos: readonly NewMemo[] = [],
): Needs {
  const keyed = events.flatMap(({ key }): MemoRef[] => (key === undefined ? [] : [{ lineageId, kind: "event", key }]));
  const remembered = memos.map(({ kind, key }): MemoRef => ({ lineageId, kind, key }));
  return { ...runNeeds(runId, threadId), memos: [...keyed, ...remembered] };
}
