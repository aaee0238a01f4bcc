/** Steps: what is done once per lineage, whatever is retried, crashes or resumes. */

import { HeddleError } from "../errors.js";
import { parseJson } from "../model/json.js";
import type { Breakpoints } from "../model/run.js";
import type { Remembered } from "../ports/executor.js";
import type { AttemptMemory } from "./attempt-memory.js";
import type { AttemptPause } from "./attempt-pause.js";
import type { AttemptQuestions } from "./attempt-questions.js";
import type { AttemptWriter } from "./attempt-writer.js";
import { type BreakPlace, breaks } from "./breakpoints.js";
import { checkJson } from "./check-input.js";
import type { Limits } from "./settings.js";

export interface StepParts {
  readonly memory: AttemptMemory;
  readonly pause: AttemptPause;
  readonly writer: AttemptWriter;
  readonly questions: AttemptQuestions;
  readonly limits: Limits;
  readonly breakpoints: Breakpoints | undefined;
}

export class AttemptSteps {
  readonly #parts: StepParts;
  readonly #inFlight = new Set<string>();

  constructor(parts: StepParts) {
    this.#parts = parts;
  }

  async begin(key: string): Promise<Remembered | undefined> {
    const { memory, pause } = this.#parts;
    memory.claimKey("step", key);
    const body = await memory.recall("step", key);
    if (!pause.isGoing) throw pause.refusal;
    if (body !== undefined) {
      await this.#break("after", key);
      return remembered(key, body);
    }
    await this.#break("before", key);
    this.#inFlight.add(key);
    pause.stepBegins();
    return undefined;
  }

  async end(key: string, result: unknown): Promise<Remembered> {
    this.#takeFlying(key);
    try {
      const body = await this.#store(key, result);
      await this.#break("after", key);
      return remembered(key, body);
    } finally {
      this.#parts.pause.stepEnds();
    }
  }

  fail(key: string): void {
    this.#takeFlying(key);
    this.#parts.pause.stepEnds();
  }

  async #store(key: string, result: unknown): Promise<string | null> {
    const { writer, limits } = this.#parts;
    const body = result === undefined ? null : checkJson(`result of step "${key}"`, result, limits.step);
    await writer.remember({ kind: "step", key, body });
    return body;
  }

  async #break(place: BreakPlace, key: string): Promise<void> {
    const { questions, breakpoints } = this.#parts;
    if (breakpoints !== undefined && breaks(breakpoints, place, key)) await questions.breakAt(place, key);
  }

  #takeFlying(key: string): void {
    if (this.#inFlight.delete(key)) return;
    throw new HeddleError("INVALID_ARGUMENT", `No step "${key}" is in flight.`, { details: { field: "key", key } });
  }
}

function remembered(key: string, body: string | null): Remembered {
  return body === null ? {} : { value: parseJson(body, `result of step "${key}"`) };
}
