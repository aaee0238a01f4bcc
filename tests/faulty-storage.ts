/** A storage between engine and database on which a test can lay faults: errors, silence, a death of the process. */

import type { HeddleErrorCode } from "@heddle/core";
import { HeddleError } from "@heddle/core";
import type { Intent, IntentKind, Storage } from "@heddle/core/storage";

export interface FaultyStorage {
  readonly wrap: (storage: Storage) => Storage;
  /** Called before each call; may throw, or wait. `intents`: of a commit. */
  before: (call: string, intents: readonly Intent[]) => Promise<void> | void;
  /** Called after each call that went well; may throw: the outcome then is unknown to the caller. */
  after: (call: string, intents: readonly Intent[]) => Promise<void> | void;
  /** From now on no call reaches the database or is answered, until `thaw`: the process is stopped. */
  freeze(): void;
  /** What waited goes on. */
  thaw(): void;
  /** No hints of others' commits come through, as where a notification is lost. Set it before the engine starts. */
  deaf: boolean;
}

export function faultyStorage(): FaultyStorage {
  let frozen: Promise<void> | undefined;
  let release = (): void => {};
  const faults: FaultyStorage = {
    before: () => {},
    after: () => {},
    deaf: false,
    freeze() {
      frozen ??= new Promise((resolve) => {
        release = resolve;
      });
    },
    thaw() {
      frozen = undefined;
      release();
    },
    wrap: (storage) => wrapped(storage),
  };
  const guard = <Args extends unknown[], Answer>(name: string, call: (...args: Args) => Promise<Answer>) => {
    return async (...args: Args): Promise<Answer> => {
      const intents = name === "commit" ? (args[0] as readonly Intent[]) : [];
      if (frozen !== undefined) await frozen;
      await faults.before(name, intents);
      const answer = await call(...args);
      await faults.after(name, intents);
      if (frozen !== undefined) await frozen;
      return answer;
    };
  };
  const wrapped = (storage: Storage): Storage => {
    const { runs, threads, checkpoints, events, lineages, work } = storage;
    return {
      name: storage.name,
      deltas: storage.deltas,
      open: guard("open", (context) => storage.open(context)),
      close: () => storage.close(),
      commit: guard("commit", (intents) => storage.commit(intents)),
      transaction: guard("transaction", (body) => storage.transaction(body)) as Storage["transaction"],
      runs: {
        get: guard("runs.get", (id) => runs.get(id)),
        list: guard("runs.list", (query) => runs.list(query)),
        count: guard("runs.count", (filter) => runs.count(filter)),
      },
      threads: {
        get: guard("threads.get", (id) => threads.get(id)),
        isDeleted: guard("threads.isDeleted", (id) => threads.isDeleted(id)),
        list: guard("threads.list", (query) => threads.list(query)),
        count: guard("threads.count", (filter) => threads.count(filter)),
        usage: guard("threads.usage", (id) => threads.usage(id)),
      },
      checkpoints: {
        get: guard("checkpoints.get", (id) => checkpoints.get(id)),
        chain: guard("checkpoints.chain", (id, since) => checkpoints.chain(id, since)),
        history: guard("checkpoints.history", (id, limit) => checkpoints.history(id, limit)),
        ofThread: guard("checkpoints.ofThread", (id, page) => checkpoints.ofThread(id, page)),
      },
      events: { read: guard("events.read", (query) => events.read(query)) },
      lineages: {
        memo: guard("lineages.memo", (ref) => lineages.memo(ref)),
        memos: guard("lineages.memos", (lineageId, limit) => lineages.memos(lineageId, limit)),
        questions: guard("lineages.questions", (lineageId) => lineages.questions(lineageId)),
        openQuestions: guard("lineages.openQuestions", (threadId, limit) => lineages.openQuestions(threadId, limit)),
      },
      work: {
        due: guard("work.due", (query) => work.due(query)),
        heldBy: guard("work.heldBy", (worker) => work.heldBy(worker)),
        announce: guard("work.announce", (worker) => work.announce(worker)),
        findDead: guard("work.findDead", (workers) => work.findDead(workers)),
        watch: (hint) => (faults.deaf ? () => {} : work.watch(hint)),
      },
    };
  };
  return faults;
}

/** Fails the next `times` commits that hold an intent of this kind, before anything is written. */
export function failCommits(kind: IntentKind, times: number, error: () => unknown): FaultyStorage["before"] {
  let left = times;
  return (_, intents) => {
    if (left === 0 || !intents.some((intent) => intent.kind === kind)) return;
    left--;
    throw error();
  };
}

export function storageError(code: HeddleErrorCode): HeddleError {
  return new HeddleError(code, "injected by a test");
}
