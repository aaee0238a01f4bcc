/**
 * What an agent's function is called with, made of an attempt and its session: for every executor whose agents are
 * functions, in whichever process they run.
 */

import { lazyProperties } from "../model/lazy-properties.js";
import type {
  Child,
  ChildOptions,
  InterruptOptions,
  SleepOptions,
  StepContext,
  StepOptions,
} from "../ports/agent-calls.js";
import type { Attempt, AttemptSession, SteeredMessage, Wake } from "../ports/executor.js";

import { askWithSchema } from "./ask-with-schema.js";
import { requireOptions } from "./require-options.js";
import { runStep } from "./run-step.js";

const withSignal = lazyProperties<Attempt, Pick<Attempt, "signal">>({ signal: (attempt) => attempt.signal });

/** Typed for users by `AgentContext` in `engine/agent.ts`. */
export function agentContext(attempt: Attempt, session: AttemptSession): object {
  const context = {
    input: attempt.input,
    values: attempt.values,
    config: attempt.config,
    runId: attempt.runId,
    threadId: attempt.threadId ?? undefined,
    metadata: attempt.metadata,
    attempt: attempt.attempt,
    resumed: attempt.resumed,
    emit: session.emit.bind(session),
    delta: session.delta.bind(session),
    checkpoint: session.checkpoint.bind(session),
    step: (key: string, work: (step: StepContext) => unknown, options?: StepOptions) =>
      heard(runStep(attempt, session, key, work, options)),
    interrupt: (key: string, payload: unknown, options?: InterruptOptions) =>
      heard(askWithSchema(session, key, payload, options)),
    sleep: (after: number, options?: SleepOptions) => heard(sleep(session, { after }, options)),
    start: (key: string, agent: { readonly name: string }, input: unknown, options?: ChildOptions) =>
      heard(startChild(session, key, agent, input, options)),
    sleepUntil: (date: Date | number, options?: SleepOptions) =>
      heard(sleep(session, { at: date instanceof Date ? date.getTime() : date }, options)),
    steered: () => steered(session),
    takeSteered: () => heard(session.takeSteered()),
  };
  return withSignal(context, attempt);
}

async function sleep(session: AttemptSession, wake: Wake, options: SleepOptions = {}): Promise<void> {
  requireOptions(options);
  await session.sleep(wake, options.key);
}

async function startChild(
  session: AttemptSession,
  key: string,
  agent: { readonly name: string },
  input: unknown,
  options?: ChildOptions,
): Promise<Child> {
  const { runId } = await session.startChild(key, agent?.name, input, options);
  return { runId, result: () => heard(session.childResult(key)) };
}

async function* steered(session: AttemptSession): AsyncGenerator<SteeredMessage, void, undefined> {
  for (;;) {
    const message = await heard(session.nextSteered());
    if (message === undefined) return;
    yield message;
  }
}

/** What an agent left unawaited when its attempt ended is no reason to end the process: the engine knows. */
function heard<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  return promise;
}
