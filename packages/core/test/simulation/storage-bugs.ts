/** Bugs in what a storage reads and writes: guards left out, halves of transactions, numbers taken too early. */

import type { MemoryTables } from "../../dist/adapters/memory-tables.js";
import type { Changes, Intent, IntentResult, RunRecord, ThreadRecord } from "../../dist/storage.js";
import { HeddleError, isSettled } from "../../dist/storage.js";
import type { PlantedBug } from "./planted-bug.js";
import type { Plants } from "./planted-database.js";
import { plantedDatabase, writeLater } from "./planted-database.js";

const bug = (name: string, plants: Plants): PlantedBug => ({ name, database: plantedDatabase(plants) });
const is = (intent: Intent, ...kinds: Intent["kind"][]): boolean => kinds.includes(intent.kind);
const isEnd = (type: string): boolean => /^run_(succeeded|failed|canceled|interrupted)$/.test(type);

const mapRuns = (
  changes: Changes,
  change: (after: RunRecord, before: RunRecord | undefined) => RunRecord,
): Changes => ({
  ...changes,
  runs: changes.runs.map(({ before, after }) => ({ before, after: change(after, before) })),
});
const mapThreads = (
  changes: Changes,
  change: (after: ThreadRecord, before: ThreadRecord | undefined) => ThreadRecord,
): Changes => ({
  ...changes,
  threads: changes.threads.map(({ before, after }) => ({ before, after: change(after, before) })),
});
const settles = (changes: Changes): Changes["runs"][number] | undefined =>
  changes.runs.find(({ before, after }) => before?.active === true && isSettled(after.status));

export const guardBugs: readonly PlantedBug[] = [
  bug("the busy check is left out", {
    reads: (reader, intent) => ({
      thread(id) {
        const thread = reader.thread(id);
        return thread && is(intent, "accept_run") ? { ...thread, activeRunId: null } : thread;
      },
    }),
  }),
  bug("idempotency keys are not looked up", { reads: () => ({ key: () => undefined }) }),
  bug("idempotency keys are looked up after the busy check", {
    async commits(intent, commit, storage) {
      if (
        intent.kind === "accept_run" &&
        intent.run.threadId !== null &&
        intent.whenBusy === "reject" &&
        intent.run.delay === 0
      ) {
        const thread = await storage.threads.get(intent.run.threadId);
        const { idempotency: _, ...forgetful } = intent;
        if (thread?.activeRunId != null) return commit(forgetful);
      }
      return commit(intent);
    },
  }),
  bug("the fingerprint of an idempotency key is not compared", {
    reads: (reader, intent) => ({
      key(ref) {
        const key = reader.key(ref);
        const fingerprint = intent.kind === "accept_run" ? intent.idempotency?.fingerprint : undefined;
        return key && { ...key, fingerprint: fingerprint ?? key.fingerprint };
      },
    }),
  }),
  bug("fencing compares no attempt numbers", {
    async commits(intent, commit, storage) {
      if (!("attempt" in intent)) return commit(intent);
      const run = await storage.runs.get(intent.attempt.runId);
      return commit({ ...intent, attempt: { ...intent.attempt, attempt: run?.attempt ?? 0 } });
    },
  }),
  bug("a write whose answer was lost is written twice", {
    commits(intent, commit) {
      if (intent.kind !== "record_progress") return commit(intent);
      const { after: _, ...unguarded } = intent;
      return commit(unguarded);
    },
  }),
  bug("a settled run is written to again", {
    reads: (reader, intent) => ({
      run(id) {
        const run = reader.run(id);
        return run && is(intent, "record_progress") && isSettled(run.status) ? { ...run, status: "running" } : run;
      },
    }),
  }),
  bug("a settle does not look for a requested cancel", {
    reads: (reader, intent) => ({
      run(id) {
        const run = reader.run(id);
        return run && is(intent, "settle_run")
          ? { ...run, cancelRequestedAt: null, cancelReason: null, graceUntil: null }
          : run;
      },
    }),
  }),
  bug("a canceled run that is given back lives again", {
    reads: (reader, intent) => ({
      run(id) {
        const run = reader.run(id);
        return run && is(intent, "release_run", "tend_run")
          ? { ...run, cancelRequestedAt: null, cancelReason: null, graceUntil: null }
          : run;
      },
    }),
  }),
  bug("a lease is taken away before its time", {
    reads: (reader, intent) => ({
      run(id) {
        const run = reader.run(id);
        return run?.status === "running" && is(intent, "tend_run") ? { ...run, leaseUntil: 0 } : run;
      },
    }),
    ports: (storage) => ({
      work: {
        ...storage.work,
        async due(query) {
          const due = await storage.work.due(query);
          const running = await storage.runs.list({
            status: ["running"],
            limit: 10,
            sortBy: "createdAt",
            order: "asc",
          });
          return { ...due, tend: running.map(({ id, threadId }) => ({ runId: id, threadId })) };
        },
      },
    }),
  }),
  bug("a claim does not wait for a run's time", {
    reads: (reader) => ({ claimable: (query) => reader.claimable({ ...query, now: Number.MAX_SAFE_INTEGER }) }),
  }),
  bug("the queue gives out its newest run first", {
    reads: (reader) => ({ queue: (threadId, limit) => reader.queue(threadId, 1_000).slice(-limit) }),
  }),
  bug("a thread that is created again begins at number 1", { reads: () => ({ tombstone: () => undefined }) }),
  bug("keyed events are not remembered", { reads: () => ({ memo: () => undefined }) }),
  bug("a number is taken before the thread is locked", { reads: staleNumbers }),
  bug("the waiting runs of a deleted thread are not told", { reads: () => ({ unsettledRuns: () => [] }) }),
];

/** Every fifth append goes on from the number that the one before it went on from. */
function staleNumbers(reader: Parameters<NonNullable<Plants["reads"]>>[0], intent: Intent) {
  return {
    thread(id: string) {
      const thread = reader.thread(id);
      if (thread === undefined || !is(intent, "record_progress")) return thread;
      return thread.lastSeq % 5 === 4 ? { ...thread, lastSeq: thread.lastSeq - 1 } : thread;
    },
  };
}

export const writeBugs: readonly PlantedBug[] = [
  bug("a settle forgets the terminal event", {
    writes: (changes) => (settles(changes) === undefined ? changes : withoutEnd(changes)),
  }),
  bug("the next run is promoted outside the transaction", { writes: promoteLater }),
  bug("a settle does not move the head", {
    writes: (changes) =>
      settles(changes) === undefined
        ? changes
        : mapThreads(changes, (after, before) => ({ ...after, headCheckpointId: before?.headCheckpointId ?? null })),
  }),
  bug("a settle does not release the mutex", {
    writes: (changes) =>
      settles(changes) === undefined
        ? changes
        : mapThreads(changes, (after, before) => ({
            ...after,
            activeRunId: after.activeRunId ?? before?.activeRunId ?? null,
          })),
  }),
  bug("a checkpoint names its grandparent as its parent", {
    writes: (changes, { checkpoints }) => ({
      ...changes,
      checkpoints: changes.checkpoints.map((each) => ({
        ...each,
        parentId: checkpoints.get(each.parentId ?? "")?.parentId ?? each.parentId,
      })),
    }),
  }),
  bug("a failed run takes its checkpoints back", { writes: rollBackFailed }),
  bug("a number is left out", {
    writes: (changes) =>
      mapThreads(changes, (after, before) =>
        after.lastSeq > (before?.lastSeq ?? 0) && after.lastSeq % 7 === 0
          ? { ...after, lastSeq: after.lastSeq + 1 }
          : after,
      ),
  }),
  bug("failures are not counted", {
    writes: (changes) => mapRuns(changes, (after, before) => ({ ...after, failures: before?.failures ?? 0 })),
  }),
  bug("crashes are not counted", {
    writes: (changes) => mapRuns(changes, (after, before) => ({ ...after, crashes: before?.crashes ?? 0 })),
  }),
  bug("a backoff is not written", {
    writes: (changes) =>
      mapRuns(changes, (after, before) =>
        before?.status === "running" && after.status === "pending"
          ? { ...after, availableAt: before.availableAt }
          : after,
      ),
  }),
  bug("a deleted thread stays", {
    writes: (changes) => ({ ...changes, removals: changes.removals.filter(({ type }) => type !== "thread") }),
  }),
  bug("a promoted run still counts as waiting", {
    writes: (changes) =>
      settles(changes) === undefined
        ? changes
        : mapThreads(changes, (after, before) => ({ ...after, queueLength: before?.queueLength ?? 0 })),
  }),
  bug("a commit is answered and then rolled back", { commits: forgetSome() }),
  bug("a refused start leaves its run behind", {
    async commits(intent, commit) {
      const result = await commit(intent);
      if (intent.kind === "accept_run" && !result.ok && result.error.code === "THREAD_BUSY")
        await commit({ ...intent, whenBusy: "enqueue" });
      return result;
    },
  }),
  bug("one refusal fails its neighbours after they are written", { ports: refuseTogether }),
];

function withoutEnd(changes: Changes): Changes {
  const ends = changes.events.filter(({ type }) => isEnd(type)).map(({ runId }) => runId);
  const fewer = { ...changes, events: changes.events.filter(({ type }) => !isEnd(type)) };
  const shorter = mapRuns(fewer, (after) =>
    ends.includes(after.id) ? { ...after, lastSeq: after.lastSeq - 1 } : after,
  );
  return mapThreads(shorter, (after) => ({ ...after, lastSeq: after.lastSeq - ends.length }));
}

let promotions = 0;

/** In a transaction of its own, two turns later; every eighth time the process dies in between. */
function promoteLater(changes: Changes, tables: MemoryTables): Changes {
  const settled = settles(changes);
  const promoted = changes.runs.find(
    ({ before, after }) => before?.active === false && after.active && after.status === "pending",
  );
  const thread = changes.threads.find(({ after }) => after.activeRunId === promoted?.after.id);
  if (settled === undefined || promoted?.before === undefined || thread === undefined) return changes;
  const queueLength = thread.after.queueLength + 1;
  const promote = (): void => {
    const now = tables.threads.get(thread.after.id);
    if (now === undefined || now.activeRunId !== null) return;
    writeLater(tables, {
      threads: [{ before: now, after: { ...now, activeRunId: promoted.after.id, queueLength: now.queueLength - 1 } }],
      runs: [promoted],
    });
  };
  if (++promotions % 8 !== 0) setImmediate(() => setImmediate(promote));
  return {
    ...changes,
    runs: changes.runs.filter((change) => change !== promoted),
    threads: [
      ...changes.threads.filter((change) => change !== thread),
      { before: thread.before, after: { ...thread.after, activeRunId: null, queueLength } },
    ],
  };
}

function rollBackFailed(changes: Changes): Changes {
  const failed = settles(changes)?.after;
  if (failed?.status !== "failed") return changes;
  return {
    ...changes,
    checkpoints: changes.checkpoints.map((each) =>
      each.runId === failed.id ? { ...each, parentId: failed.baseCheckpointId } : each,
    ),
  };
}

/** Every twentieth start is answered, told to all, and forgotten. */
function forgetSome(): NonNullable<Plants["commits"]> {
  let count = 0;
  return async (intent, commit, storage): Promise<IntentResult> => {
    if (intent.kind !== "accept_run" || ++count % 20 !== 0) return commit(intent);
    let result: IntentResult | undefined;
    const forgotten = storage.transaction(async (tx) => {
      const value = await tx.apply(intent);
      result = { ok: true, value, effects: [] };
      throw new Error("never mind");
    });
    await forgotten.catch(() => {});
    return result ?? commit(intent);
  };
}

function refuseTogether(
  storage: Parameters<NonNullable<Plants["ports"]>>[0],
): ReturnType<NonNullable<Plants["ports"]>> {
  return {
    async commit(intents) {
      const results = await storage.commit(intents);
      const refused = results.find((result) => !result.ok);
      if (refused === undefined || refused.ok || !HeddleError.is(refused.error)) return results;
      return results.map(() => refused);
    },
  };
}
