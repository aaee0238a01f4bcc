/**
 * A memory storage that reads as a database does that loads everything in one round trip: only what `needsOf` named
 * beforehand, and what that leads to. Any suite that passes on it proves that the needs are complete.
 */

import { MemoryDatabase, MemoryStorage } from "../adapters/memory-storage.js";
import { childLineage } from "../model/intents/child.js";
import type { Intent } from "../model/intents/intent.js";
import { supersedes } from "../model/intents/join-thread.js";
import { needsOf } from "../model/intents/needs.js";
import { memoId } from "../model/memo.js";
import type { RunRecord } from "../model/run.js";
import { keyId, type RecordReader } from "../model/unit-of-work.js";
import type { Storage } from "../ports/storage.js";

export function preloadingStorage(): Storage<undefined> {
  return new MemoryStorage(new MemoryDatabase(), onlyNeeds);
}

/** `records`, refusing what the intents did not say they would read. */
export function onlyNeeds(records: RecordReader, intents: readonly Intent[]): RecordReader {
  const may = allowed(intents);
  const must = (isAllowed: boolean, what: string): void => {
    if (!isAllowed) throw new Error(`${intents.map(({ kind }) => kind).join(", ")} did not need ${what}`);
  };
  const reveal = (runs: readonly RunRecord[]): readonly RunRecord[] => {
    for (const run of runs) {
      may.runs.add(run.id);
      if (run.threadId !== null) may.threads.add(run.threadId);
    }
    return runs;
  };
  const mayReadWaiting = (threadId: string): boolean => {
    const { whenBusy } = records.thread(threadId) ?? {};
    if (may.waitingIfSupersedingOf.has(threadId) && whenBusy != null && supersedes(whenBusy)) return true;
    return may.waitingOf.has(threadId);
  };
  return {
    thread(id) {
      must(may.threads.has(id), `thread ${id}`);
      const thread = records.thread(id);
      if (thread?.activeRunId != null && may.activeRunsOf.has(id)) may.runs.add(thread.activeRunId);
      if (thread?.headCheckpointId != null && may.checkpointsOf.has(id)) may.checkpoints.add(thread.headCheckpointId);
      return thread;
    },
    tombstone(threadId) {
      must(may.threads.has(threadId), `the tombstone of ${threadId}`);
      return records.tombstone(threadId);
    },
    run(id) {
      must(may.runs.has(id), `run ${id}`);
      return records.run(id);
    },
    queue(threadId, limit) {
      must(may.queuesOf.has(threadId) || mayReadWaiting(threadId), `the queue of ${threadId}`);
      return reveal(records.queue(threadId, limit));
    },
    unsettledRuns(threadId) {
      must(may.unsettledOf.has(threadId), `the unsettled runs of ${threadId}`);
      return reveal(records.unsettledRuns(threadId));
    },
    claimable(query) {
      must(may.claimable.has(query.agents.join()), `the claimable runs of ${query.agents.join()}`);
      return reveal(records.claimable(query));
    },
    key(ref) {
      must(may.keys.has(keyId(ref)), `key ${keyId(ref)}`);
      const key = records.key(ref);
      if (key !== undefined) may.runs.add(key.runId);
      return key;
    },
    memo(ref) {
      must(may.memos.has(memoId(ref)), `memo ${memoId(ref)}`);
      const memo = records.memo(ref);
      if (memo?.kind === "child") may.runs.add(childLineage(memo.body));
      return memo;
    },
    questions(lineageId) {
      const runs = [...may.questionsOfRuns, ...may.questionsOfThreads.flatMap((id) => heldOrWaiting(records, id))];
      const isOfRun = runs.some((id) => records.run(id)?.lineageId === lineageId);
      must(isOfRun || may.questionsOf.has(lineageId), `the questions of ${lineageId}`);
      const questions = records.questions(lineageId);
      // They come with the runs that asked them and those that got their answers.
      for (const { runId, answeredRunId } of questions) {
        may.runs.add(runId);
        if (answeredRunId !== null) may.runs.add(answeredRunId);
      }
      return questions;
    },
    steeredRuns(threadId) {
      must(may.steeredOf.has(threadId) || mayReadWaiting(threadId), `the runs handed over in ${threadId}`);
      return reveal(records.steeredRuns(threadId));
    },
    checkpoint(id) {
      must(may.checkpoints.has(id), `checkpoint ${id}`);
      return records.checkpoint(id);
    },
    origin(threadId) {
      must(may.checkpointsOf.has(threadId), `the origin of ${threadId}`);
      return records.origin(threadId);
    },
    originsFrom(ownerId) {
      must(may.checkpointsOf.has(ownerId), `the copies of ${ownerId}`);
      return records.originsFrom(ownerId);
    },
    checkpointLinks(threadId) {
      must(may.linksOf.has(threadId), `the checkpoints of ${threadId}`);
      return records.checkpointLinks(threadId);
    },
  };
}

/** Runs of a thread that are active or wait in line. */
function heldOrWaiting(records: RecordReader, threadId: string): readonly string[] {
  const active = records.thread(threadId)?.activeRunId ?? [];
  const waiting = [...records.queue(threadId, Number.MAX_SAFE_INTEGER), ...records.steeredRuns(threadId)];
  return waiting.map(({ id }) => id).concat(active);
}

function allowed(intents: readonly Intent[]) {
  const needs = intents.map(needsOf);
  return {
    threads: new Set(needs.flatMap((need) => need.threads)),
    runs: new Set(needs.flatMap((need) => need.runs)),
    activeRunsOf: new Set(needs.flatMap((need) => need.activeRunsOf)),
    queuesOf: new Set(needs.flatMap((need) => need.queuesOf)),
    waitingOf: new Set(needs.flatMap((need) => need.waitingOf)),
    waitingIfSupersedingOf: new Set(needs.flatMap((need) => need.waitingIfSupersedingOf)),
    unsettledOf: new Set(needs.flatMap((need) => need.unsettledOf)),
    checkpointsOf: new Set(needs.flatMap((need) => need.checkpointsOf)),
    keys: new Set(needs.flatMap((need) => need.keys.map(keyId))),
    memos: new Set(needs.flatMap((need) => need.memos.map(memoId))),
    questionsOf: new Set(needs.flatMap((need) => need.questionsOf)),
    questionsOfRuns: needs.flatMap((need) => need.questionsOfRuns),
    questionsOfThreads: needs.flatMap((need) => need.questionsOfThreads),
    steeredOf: new Set(needs.flatMap((need) => need.steeredOf)),
    claimable: new Set(needs.flatMap((need) => (need.claimable ? [need.claimable.agents.join()] : []))),
    checkpoints: new Set(needs.flatMap((need) => need.checkpoints)),
    linksOf: new Set(needs.flatMap((need) => [...need.linksOf, ...need.linksIfCopiedOf])),
  };
}
