/** What anybody saw of the values of threads. */

import type { SeenValues } from "../history.js";
import type { Facts } from "./facts.js";
import { answered, mayBeRolledBack, nameOf, writerOf } from "./facts.js";

export interface Seen {
  readonly threadId: string;
  readonly values: SeenValues;
  readonly by: string;
  /** Not before this place in the history. */
  readonly from: number;
  /** The run whose attempt it was. */
  readonly runId: string | undefined;
}

/** All states of threads that anybody saw, in the order of the history; the final ones last. */
export function* allSeen({ attempts, calls, finalThreads, history }: Facts): Generator<Seen> {
  for (const { threadId, seen, runId, attempt, from } of attempts)
    if (threadId !== null) yield { threadId, values: seen, by: `attempt ${attempt} of ${runId}`, from, runId };
  for (const { command, answer, number, frames, from } of calls) {
    const by = { by: `call ${number}`, from, runId: undefined };
    const values = answered(answer, "values")?.values;
    if (values !== undefined && command.kind === "values") yield { threadId: command.threadId, values, ...by };
    const first = frames[0]?.frame;
    if (first?.kind === "snapshot" && command.kind === "read_thread")
      yield { threadId: command.threadId, values: first.values, ...by };
  }
  const from = history.entries.length;
  for (const { id, values } of finalThreads.values())
    yield { threadId: id, values, by: "the storage", from, runId: undefined };
}

/** A state of a thread less what its runs wrote that was taken back, or may have been. */
export function withoutRolledBack({ runs }: Facts): (threadId: string, values: SeenValues) => SeenValues {
  const byThread = new Map<string, Set<string>>();
  for (const run of runs.values()) {
    if (run.threadId === null || !mayBeRolledBack(run)) continue;
    byThread.set(run.threadId, (byThread.get(run.threadId) ?? new Set()).add(nameOf(run)));
  }
  return (threadId, values) => {
    const gone = byThread.get(threadId);
    if (gone === undefined) return values;
    const log = values.log.filter((token) => !gone.has(writerOf(token)));
    return log.length === values.log.length ? values : { log, count: log.length };
  };
}
