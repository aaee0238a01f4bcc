/** What the agent of one attempt may do meanwhile, put together from its parts. */

import type { AttemptSession } from "../ports/executor.js";
import type { AttemptChildren } from "./attempt-children.js";
import type { AttemptPause } from "./attempt-pause.js";
import type { AttemptQuestions } from "./attempt-questions.js";
import type { AttemptSleep } from "./attempt-sleep.js";
import type { AttemptSteering } from "./attempt-steering.js";
import type { AttemptSteps } from "./attempt-steps.js";
import type { AttemptWriter } from "./attempt-writer.js";

export interface SessionParts {
  readonly pause: AttemptPause;
  readonly writer: AttemptWriter;
  readonly steps: AttemptSteps;
  readonly questions: AttemptQuestions;
  readonly sleeps: AttemptSleep;
  readonly children: AttemptChildren;
  readonly steering: AttemptSteering;
}

export function attemptSession(parts: SessionParts): AttemptSession {
  const { pause, writer, steps, questions, sleeps, children, steering } = parts;
  return {
    emit: (type, payload, options) => pause.call(() => writer.emit(type, payload, options?.key)),
    delta: (type, payload, options) => {
      if (pause.isGoing) writer.delta(type, payload, options);
    },
    checkpoint: (values) => pause.call(() => writer.checkpoint(values)),
    beginStep: (key) => pause.call(() => steps.begin(key)),
    endStep: (key, result) => steps.end(key, result),
    failStep: (key) => steps.fail(key),
    ask: (key, payload, options) => questions.ask(key, payload, options),
    sleep: (wake, key) => sleeps.sleep(wake, key),
    startChild: (key, agent, input, options) => children.start(key, agent, input, options),
    childResult: (key) => children.result(key),
    takeSteered: () => pause.call(() => steering.take()),
    nextSteered: () => pause.call(() => steering.next()),
  };
}
