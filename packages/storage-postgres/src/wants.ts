/** What a batch of intents reads, put together from the needs of each. */

import type { Intent, KeyRef, MemoRef } from "@heddle/core/storage";
import { keyId, memoId, needsOf } from "@heddle/core/storage";

export interface Wants {
  readonly threads: readonly string[];
  readonly runs: readonly string[];
  /** Those of them that come with their threads: an intent may make them claimable, or not any more. */
  readonly runsWithThreads: readonly string[];
  readonly activeRunsOf: readonly string[];
  readonly queuesOf: readonly string[];
  /** Of each queue that many: an intent takes at most one away from its head. */
  readonly queueDepth: number;
  readonly waitingOf: readonly string[];
  readonly waitingIfSupersedingOf: readonly string[];
  readonly unsettledOf: readonly string[];
  readonly tombstonesOf: readonly string[];
  readonly checkpoints: readonly string[];
  readonly checkpointsOf: readonly string[];
  readonly linksOf: readonly string[];
  readonly linksIfCopiedOf: readonly string[];
  readonly keys: readonly KeyRef[];
  readonly memos: readonly MemoRef[];
  readonly questionsOf: readonly string[];
  readonly questionsOfRuns: readonly string[];
  readonly questionsOfThreads: readonly string[];
  readonly steeredOf: readonly string[];
  readonly claims: readonly ClaimWant[];
}

export interface ClaimWant {
  readonly agents: readonly string[];
  /** Runs to claim; 0: none. */
  readonly limit: number;
  /** Runs to compare an accepted one with: one more than may be claimed before; 0: none. */
  readonly peek: number;
}

export function wantsOf(intents: readonly Intent[]): Wants {
  const needs = intents.map(needsOf);
  const queuesOf = distinct(needs.flatMap((need) => need.queuesOf));
  const steeredOf = distinct(needs.flatMap((need) => need.steeredOf));
  const ifSuperseding = distinct(needs.flatMap((need) => need.waitingIfSupersedingOf));
  // Whose line is read anyway is read as a whole: no run comes twice.
  const alsoRead = ifSuperseding.filter((id) => queuesOf.includes(id) || steeredOf.includes(id));
  const waitingOf = distinct([...needs.flatMap((need) => need.waitingOf), ...alsoRead]);
  const keys = new Map(needs.flatMap((need) => need.keys.map((key) => [keyId(key), key])));
  const memos = new Map(needs.flatMap((need) => need.memos.map((memo) => [memoId(memo), memo])));
  return {
    threads: distinct(needs.flatMap((need) => need.threads)),
    runs: distinct(needs.flatMap((need) => need.runs)),
    runsWithThreads: distinct(
      intents.flatMap((intent) => (intent.kind === "extend_leases" ? [] : needsOf(intent).runs)),
    ),
    activeRunsOf: distinct(needs.flatMap((need) => need.activeRunsOf)),
    queuesOf: queuesOf.filter((id) => !waitingOf.includes(id)),
    queueDepth: mostOften(needs.flatMap((need) => need.queuesOf)) + 1,
    waitingOf,
    waitingIfSupersedingOf: ifSuperseding.filter((id) => !waitingOf.includes(id)),
    unsettledOf: distinct(needs.flatMap((need) => need.unsettledOf)),
    tombstonesOf: distinct(intents.flatMap(threadsToCreate)),
    checkpoints: distinct(needs.flatMap((need) => need.checkpoints)),
    checkpointsOf: distinct(needs.flatMap((need) => need.checkpointsOf)),
    linksOf: distinct(needs.flatMap((need) => need.linksOf)),
    linksIfCopiedOf: distinct(needs.flatMap((need) => need.linksIfCopiedOf)),
    keys: [...keys.values()],
    memos: [...memos.values()],
    questionsOf: distinct(needs.flatMap((need) => need.questionsOf)),
    questionsOfRuns: distinct(needs.flatMap((need) => need.questionsOfRuns)),
    questionsOfThreads: distinct(needs.flatMap((need) => need.questionsOfThreads)),
    steeredOf: steeredOf.filter((id) => !waitingOf.includes(id)),
    claims: claimsOf(intents, distinct(needs.flatMap((need) => [...need.activeRunsOf, ...need.unsettledOf])).length),
  };
}

/** Where a thread may be made, its number goes on from the tombstone's. */
function threadsToCreate(intent: Intent): readonly string[] {
  if (intent.kind === "create_thread" || intent.kind === "copy_thread") return [intent.id];
  if (intent.kind !== "accept_run" || !intent.createThread || intent.run.threadId === null) return [];
  return [intent.run.threadId];
}

/**
 * What is claimed for one list of agents may be what another list asks for: all claims count towards each.
 * @param ended threads whose active run an intent may end: what was the next to be claimed is not any more
 */
function claimsOf(intents: readonly Intent[], ended: number): ClaimWant[] {
  const wants = new Map<string, { agents: readonly string[]; claims: boolean; compares: boolean }>();
  let limit = 0;
  for (const intent of intents) {
    const agents = agentsOf(intent);
    if (agents === undefined) continue;
    const id = JSON.stringify(agents);
    const want = wants.get(id) ?? { agents, claims: false, compares: false };
    if (intent.kind === "claim_runs") limit += intent.limit;
    if (intent.kind === "claim_runs") want.claims = true;
    else want.compares = true;
    wants.set(id, want);
  }
  return [...wants.values()].map(({ agents, claims, compares }) => ({
    agents,
    limit: claims ? limit + ended : 0,
    peek: compares ? limit + ended + 1 : 0,
  }));
}

function agentsOf(intent: Intent): readonly string[] | undefined {
  if (intent.kind === "claim_runs") return intent.agents;
  return intent.kind === "accept_run" ? intent.claim?.agents : undefined;
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function mostOften(values: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}
