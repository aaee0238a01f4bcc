/**
 * Where the attempts of a mortal process run. Once it is dead their code hears nothing any more and reaches nobody; what
 * runs outside of the process is ended, as the system would end it.
 */

import type { Attempt, AttemptSession, Executor, ExecutorHost } from "../../ports/executor.js";
import type { MortalProcess } from "./mortal-process.js";

export function mortalExecutor(inner: Executor, process: MortalProcess): Executor {
  return {
    name: inner.name,
    sharesMemory: inner.sharesMemory,
    execute: (attempt, session) =>
      process.inside(() => inner.execute(mortalAttempt(attempt, process), mortalSession(session, process))),
    async open(host: ExecutorHost) {
      await inner.open?.(host);
      process.onDeath(() => void inner.close?.(host).catch(() => {}));
    },
    close: (host) => process.inside(async () => inner.close?.(host)),
  };
}

/** Its signal stays silent: nobody is left to abort it. Programs end by force. */
function mortalAttempt(attempt: Attempt, process: MortalProcess): Attempt {
  return { ...attempt, fence: AbortSignal.any([attempt.fence, process.signal]) };
}

/** A step that begins in a dead process would do in the test what no dead process can do. */
function mortalSession(session: AttemptSession, process: MortalProcess): AttemptSession {
  return {
    emit: (...given) => process.inside(() => session.emit(...given)),
    delta: (...given) => {
      if (!process.isDead) session.delta(...given);
    },
    checkpoint: (...given) => process.inside(() => session.checkpoint(...given)),
    beginStep: (...given) => process.inside(() => session.beginStep(...given)),
    endStep: (...given) => process.inside(() => session.endStep(...given)),
    failStep: (...given) => {
      if (!process.isDead) session.failStep(...given);
    },
    ask: (...given) => process.inside(() => session.ask(...given)),
    sleep: (...given) => process.inside(() => session.sleep(...given)),
    startChild: (...given) => process.inside(() => session.startChild(...given)),
    childResult: (...given) => process.inside(() => session.childResult(...given)),
    takeSteered: () => process.inside(() => session.takeSteered()),
    nextSteered: () => process.inside(() => session.nextSteered()),
  };
}

/** The same wrapper for the same executor: an engine opens each of its executors once. */
export function mortalExecutors(process: MortalProcess): (inner: Executor) => Executor {
  const known = new Map<Executor, Executor>();
  return (inner) => {
    const wrapped = known.get(inner) ?? mortalExecutor(inner, process);
    known.set(inner, wrapped);
    return wrapped;
  };
}
