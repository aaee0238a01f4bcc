/** Runs an agent's function in this process: no isolation, no copying, values keep their identity. */

import type { Attempt, AttemptResult, AttemptSession, Executor } from "../ports/executor.js";

interface InlineAgent {
  readonly name: string;
  run(context: object): unknown;
}

export const inlineExecutor: Executor = {
  name: "inline",
  sharesMemory: true,
  async execute(attempt, session): Promise<AttemptResult> {
    const agent = attempt.agent as InlineAgent;
    const result: unknown = await agent.run(contextOf(attempt, session));
    return (result ?? {}) as AttemptResult;
  },
};

function contextOf(attempt: Attempt, session: AttemptSession): object {
  return {
    input: attempt.input,
    values: attempt.values,
    config: attempt.config,
    runId: attempt.runId,
    threadId: attempt.threadId ?? undefined,
    metadata: attempt.metadata,
    attempt: attempt.attempt,
    signal: attempt.signal,
    emit: session.emit.bind(session),
    delta: session.delta.bind(session),
    checkpoint: session.checkpoint.bind(session),
  };
}
