/**
 * A storage on a server, for tests whose time stands still: their clock waits for each call to come back, and the
 * storages of one database hint each other at once, instead of when the server's notification arrives.
 */

import type { Effect, Storage, StorageTransaction } from "@heddle/core/storage";
import type { ManualClock } from "@heddle/core/testing";

/** Those who watch one database, each with the storage that it watches through. */
export type Watchers = Set<{ readonly storage: object; readonly hint: () => void }>;

export function inVirtualTime<Host>(storage: Storage<Host>, watchers: Watchers): Storage<Host> {
  let clock: ManualClock | undefined;
  const waited = <Result>(work: Promise<Result>): Promise<Result> => {
    clock?.waitFor(work);
    return work;
  };
  const hintOthers = (): void => {
    for (const watcher of watchers) {
      const isShared = [...watchers].filter((other) => other.storage === storage).length > 1;
      if (watcher.storage !== storage || isShared)
        void (clock?.turn() ?? Promise.resolve()).then(() => watchers.has(watcher) && watcher.hint());
    }
  };
  const told = async <Result>(work: Promise<Result>): Promise<Result> => {
    const result = await work;
    hintOthers();
    return result;
  };
  return {
    name: storage.name,
    deltas: storage.deltas,
    open: (context) => {
      clock = "waitFor" in context.clock ? (context.clock as ManualClock) : undefined;
      return waited(storage.open(context));
    },
    close: () => waited(storage.close()),
    commit: (intents) => waited(told(storage.commit(intents))),
    transaction: (body) => told(stepwise(storage, body, waited)),
    runs: waitedMethods(storage.runs, waited),
    threads: waitedMethods(storage.threads, waited),
    checkpoints: waitedMethods(storage.checkpoints, waited),
    events: waitedMethods(storage.events, waited),
    lineages: waitedMethods(storage.lineages, waited),
    work: {
      ...waitedMethods(storage.work, waited),
      watch: (hint) => {
        const watcher = { storage, hint };
        watchers.add(watcher);
        return () => void watchers.delete(watcher);
      },
    },
  };
}

type Waited = <Result>(work: Promise<Result>) => Promise<Result>;
type Outcome<Result> = Promise<{ readonly result: Result; readonly effects: readonly Effect[] }>;

/** The body waits for the test, so only what comes before and after it is waited for. */
function stepwise<Host, Result>(
  storage: Storage<Host>,
  body: (tx: StorageTransaction<Host>) => Promise<Result>,
  waited: Waited,
): Outcome<Result> {
  let begun = (): void => {};
  void waited(
    new Promise<void>((resolve) => {
      begun = resolve;
    }),
  );
  let ended = (): void => {};
  const outcome = storage.transaction(async (tx) => {
    begun();
    try {
      return await body({ host: tx.host, apply: (intent) => waited(tx.apply(intent)) });
    } finally {
      void waited(
        new Promise<void>((resolve) => {
          ended = resolve;
        }),
      );
    }
  });
  const over = (): void => {
    begun();
    ended();
  };
  outcome.then(over, over);
  return outcome;
}

function waitedMethods<Reader extends object>(reader: Reader, waited: Waited): Reader {
  const entries = Object.entries(reader).map(([name, method]) => {
    return [name, (...given: unknown[]) => waited((method as (...given: unknown[]) => Promise<unknown>)(...given))];
  });
  return Object.fromEntries(entries) as Reader;
}
