/**
 * DESIGN section 3, invariant 9: the same commands give the same results on every storage. Intents carry all ids and
 * the clock stands still, so what two storages answer and hold must be deeply equal, not just alike.
 */

import assert from "node:assert/strict";
import type { AcceptRun, AttemptRef, CheckpointRef, Intent } from "../model/intents/intent.js";
import type { RunRecord } from "../model/run.js";
import type { ThreadRecord } from "../model/thread.js";
import { isHandedOver } from "../model/unit-of-work.js";
import type { IntentResult, Storage } from "../ports/storage.js";
import { checkInvariants, type StorageSnapshot } from "./check-invariants.js";
import type { StorageFixture } from "./conformance/conformance-case.js";

/**
 * Plain data, so that a failing sequence can be printed, shrunk and kept. Which runs there will be is not known when a
 * sequence is made: the run id `running#3` stands for the third (counting round) of those that run when the step's turn
 * comes, `handed#3` of those that are handed to a live run, `any#3` for the third of all; an attempt number of 0 for the attempt that the run is at.
 */
export type Step =
  | { readonly type: "advance"; readonly ms: number }
  | { readonly type: "commit"; readonly intents: readonly Intent[] }
  | { readonly type: "transaction"; readonly intents: readonly Intent[]; readonly fails: boolean }
  | { readonly type: "purge" };

/** Take both storages through the steps. @throws AssertionError at the first difference or broken invariant */
export async function sameResults(a: StorageFixture, b: StorageFixture, steps: readonly Step[]): Promise<void> {
  const [first, second] = [await a.open(), await b.open()];
  try {
    let earlier: StorageSnapshot | undefined;
    for (const [index, step] of steps.entries()) {
      const resolved = await resolve(step, first);
      const [answerA, answerB] = [await take(a, first, resolved), await take(b, second, resolved)];
      assert.deepEqual(
        answerB,
        answerA,
        `step ${index}, ${JSON.stringify(resolved)}: ${second.name} differs from ${first.name}`,
      );
      if (index % 10 === 9 || index === steps.length - 1) earlier = await compare(first, second, earlier);
    }
  } finally {
    await first.close();
    await second.close();
  }
}

async function take({ clock }: StorageFixture, storage: Storage, step: Step): Promise<unknown> {
  switch (step.type) {
    case "advance":
      return clock.advance(step.ms);
    case "commit":
      return (await storage.commit(step.intents)).map(comparable);
    case "transaction":
      return takeTransaction(storage, step);
    case "purge":
      // What is due is compared elsewhere.
      await storage.work.due({ worker: "wrk_asker", deadWorkers: [], limit: 1, agents: [], purge: true });
      return undefined;
  }
}

async function takeTransaction(storage: Storage, step: Extract<Step, { type: "transaction" }>): Promise<unknown> {
  const results: unknown[] = [];
  const body = storage.transaction(async (tx) => {
    for (const intent of step.intents) {
      const answer = tx.apply(intent).then((value) => ({ ok: true, value, effects: [] }) as const);
      results.push(comparable(await answer.catch((error) => ({ ok: false, error }) as const)));
    }
    if (step.fails) throw new Error("the host's own");
  });
  const effects = await body.then(
    (transaction) => transaction.effects,
    () => "rolled back",
  );
  return { results, effects };
}

/** A storage's own errors are worded by its database. */
function comparable(result: IntentResult): unknown {
  if (result.ok) return result;
  const { code, message, details } = result.error;
  return code === "STORAGE_ERROR" ? { code } : { code, message, details };
}

async function resolve(step: Step, storage: Storage): Promise<Step> {
  if (step.type !== "commit" && step.type !== "transaction") return step;
  const runs = await storage.runs.list({ sortBy: "createdAt", order: "asc", limit: 1_000 });
  return { ...step, intents: step.intents.map((intent) => resolveIntent(intent, runs)) };
}

function resolveIntent(intent: Intent, runs: readonly RunRecord[]): Intent {
  switch (intent.kind) {
    case "accept_run":
      return { ...resolveChild(intent, runs), ...(intent.from && { from: resolveCheckpoint(intent.from, runs) }) };
    case "settle_run": {
      const attempt = resolveAttempt(intent.attempt, runs);
      return { ...intent, attempt, taken: (intent.taken ?? []).map((name) => findRun(name, runs)?.id ?? name) };
    }
    case "answer_questions": {
      const run = findRun(intent.lineageId, runs);
      return run === undefined ? intent : { ...intent, lineageId: run.lineageId, threadId: run.threadId };
    }
    case "copy_thread":
      return { ...intent, ...(intent.at && { at: resolveCheckpoint(intent.at, runs) }) };
    case "move_head":
      return { ...intent, ...(intent.to && { to: resolveCheckpoint(intent.to, runs) }) };
    default:
      return resolveRun(intent, runs);
  }
}

function resolveChild(intent: AcceptRun, runs: readonly RunRecord[]): AcceptRun {
  if (intent.child === undefined) return intent;
  const attempt = resolveAttempt(intent.child.attempt, runs);
  const { lineageId, threadId } = attempt;
  const run = { ...intent.run, parentRunId: lineageId, parentThreadId: threadId };
  return { ...intent, run, child: { ...intent.child, attempt, family: [lineageId] } };
}

/** The newest of a run. */
function resolveCheckpoint(ref: CheckpointRef, runs: readonly RunRecord[]): CheckpointRef {
  const id = findRun(ref.id, runs)?.headCheckpointId;
  return id == null ? ref : { ...ref, id };
}

function resolveRun(intent: Intent, runs: readonly RunRecord[]): Intent {
  if ("attempt" in intent) return { ...intent, attempt: resolveAttempt(intent.attempt, runs) };
  if ("attempts" in intent) {
    return { ...intent, attempts: intent.attempts.map((attempt) => resolveAttempt(attempt, runs)) };
  }
  if (!("runId" in intent)) return intent;
  const run = findRun(intent.runId, runs);
  return run === undefined ? intent : { ...intent, runId: run.id, threadId: run.threadId };
}

function resolveAttempt(attempt: AttemptRef, runs: readonly RunRecord[]): AttemptRef {
  const run = findRun(attempt.runId, runs);
  if (run === undefined) return attempt;
  return {
    runId: run.id,
    threadId: run.threadId,
    lineageId: run.lineageId,
    attempt: attempt.attempt === 0 ? run.attempt : attempt.attempt,
  };
}

const groups = { running: (run: RunRecord) => run.status === "running", handed: isHandedOver };

function findRun(name: string, runs: readonly RunRecord[]): RunRecord | undefined {
  const [group, number] = name.split("#");
  if (number === undefined) return runs.find(({ id }) => id === name);
  const isNamed = groups[group as keyof typeof groups] ?? (() => true);
  const named = runs.filter(isNamed);
  return named[Number(number) % Math.max(named.length, 1)];
}

async function compare(a: Storage, b: Storage, earlier: StorageSnapshot | undefined): Promise<StorageSnapshot> {
  const snapshot = await checkInvariants(a, earlier);
  assert.deepEqual(await checkInvariants(b, earlier), snapshot, `${b.name} holds something else than ${a.name}`);
  for (const run of snapshot.runs.values()) await same(a, b, (storage) => readRun(storage, run));
  for (const thread of snapshot.threads.values()) await same(a, b, (storage) => readThread(storage, thread));
  await same(a, b, (storage) => readWork(storage, snapshot));
  return snapshot;
}

async function same(a: Storage, b: Storage, read: (storage: Storage) => Promise<unknown>): Promise<void> {
  assert.deepEqual(await read(b), await read(a), `${b.name} reads something else than ${a.name}`);
}

async function readRun({ runs, checkpoints }: Storage, run: RunRecord): Promise<unknown> {
  const { id, agent, status, threadId, headCheckpointId } = run;
  const filter = { agent, status: [status], threadId };
  return [
    await runs.get(id),
    await runs.count(filter),
    await runs.list({ ...filter, sortBy: "createdAt", order: "desc", limit: 3, after: { value: run.createdAt, id } }),
    headCheckpointId === null ? null : await checkpoints.chain(headCheckpointId, run.baseCheckpointId ?? undefined),
  ];
}

async function readThread({ threads, checkpoints, events }: Storage, thread: ThreadRecord): Promise<unknown> {
  const { id, headCheckpointId } = thread;
  const page = { sortBy: "updatedAt", order: "desc", limit: 3, after: { value: thread.updatedAt, id } } as const;
  return [
    await threads.get(id),
    await threads.isDeleted(id),
    await threads.list(page),
    await events.read({ stream: `t:${id}`, after: 2, limit: 3 }),
    headCheckpointId === null ? null : await checkpoints.chain(headCheckpointId),
    headCheckpointId === null ? null : await checkpoints.history(headCheckpointId, 5),
  ];
}

async function readWork({ work }: Storage, { runs }: StorageSnapshot): Promise<unknown> {
  const workers = [...new Set([...runs.values()].flatMap((run) => run.worker ?? []))].sort();
  const agents = [...new Set([...runs.values()].map((run) => run.agent))];
  const held = await Promise.all(workers.map((worker) => work.heldBy(worker)));
  const due = await work.due({ worker: workers[0] ?? "", deadWorkers: workers.slice(1, 2), limit: 1_000, agents });
  return {
    held: held.map((list) => list.map(({ id }) => id).sort()),
    tend: due.tend.map((run) => `${run.runId} of ${run.threadId}`).sort(),
    claimable: due.claimable,
    workers: [...due.workers].sort(),
    // What is due now changes what comes next: only without it is the next time one and the same for all.
    nextAt: due.tend.length === 0 ? due.nextAt : null,
  };
}
