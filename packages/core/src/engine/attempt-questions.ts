/** Questions of one attempt: the answers that there are, and what it asks, to be stored by the settle. */

import type { NewQuestion } from "../model/intents/intent.js";
import type { Json } from "../model/json.js";
import { parseJson } from "../model/json.js";
import type { RunRecord } from "../model/run.js";
import type { AskOptions } from "../ports/executor.js";
import { checkAnswerSchema } from "./answer-schema.js";
import type { AttemptMemory } from "./attempt-memory.js";
import type { AttemptPause } from "./attempt-pause.js";
import { type BreakPlace, breakpointKey, isBreakpointKey } from "./breakpoints.js";
import { checkJson, requireOptions } from "./check-input.js";
import type { Core } from "./core.js";
import { persist } from "./persist.js";
import { invalidArgument, requireDuration } from "./settings.js";

export class AttemptQuestions {
  readonly #core: Core;
  readonly #memory: AttemptMemory;
  readonly #pause: AttemptPause;
  readonly #answers: ReadonlyMap<string, string>;
  readonly #asked: NewQuestion[] = [];

  private constructor(core: Core, memory: AttemptMemory, pause: AttemptPause, answers: ReadonlyMap<string, string>) {
    this.#core = core;
    this.#memory = memory;
    this.#pause = pause;
    this.#answers = answers;
  }

  /** Of a lineage's first run: before the first answer there is no other. */
  static unanswered(core: Core, memory: AttemptMemory, pause: AttemptPause): AttemptQuestions {
    return new AttemptQuestions(core, memory, pause, new Map());
  }

  static async load(core: Core, run: RunRecord, memory: AttemptMemory, pause: AttemptPause): Promise<AttemptQuestions> {
    if (run.id === run.lineageId) return AttemptQuestions.unanswered(core, memory, pause);
    const answers = new Map<string, string>();
    const questions = await persist(core, () => core.storage.lineages.questions(run.lineageId));
    for (const { key, status, answer } of questions) {
      if (status === "answered" && answer !== null) answers.set(key, answer);
    }
    return new AttemptQuestions(core, memory, pause, answers);
  }

  get asked(): readonly NewQuestion[] {
    return this.#asked;
  }

  async ask(key: string, payload: unknown, options: AskOptions = {}): Promise<Json> {
    this.#memory.claimKey("question", key);
    if (isBreakpointKey(key)) throw invalidArgument("key", key, "no breakpoint's");
    return this.#ask(key, payload, options);
  }

  /** Stop at a step, unless this breakpoint was resumed before. */
  async breakAt(place: BreakPlace, step: string): Promise<void> {
    await this.#ask(breakpointKey(place, step), { breakpoint: place, step }, {});
  }

  async #ask(key: string, payload: unknown, options: AskOptions): Promise<Json> {
    const answer = this.#answers.get(key);
    if (answer !== undefined) return parseJson(answer, `answer to "${key}"`);
    const question = newQuestion(this.#core, key, payload, options);
    this.#pause.beginToEnd();
    this.#asked.push(question);
    throw this.#pause.refusal;
  }
}

function newQuestion({ settings }: Core, key: string, payload: unknown, options: AskOptions): NewQuestion {
  requireOptions("options", options);
  const { schema, expiresIn } = options;
  return {
    key,
    payload: checkJson(`question "${key}"`, payload, settings.limits.event),
    schema: schema === undefined ? null : checkAnswerSchema(schema, settings.limits.event),
    expiresIn: expiresIn === undefined ? null : requireDuration("expiresIn", expiresIn, 1),
  };
}
