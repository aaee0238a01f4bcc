/** Steps: what is done once per lineage, whatever is retried, crashes or resumes. */

import { HeddleError } from "../errors.js";
import { parseJson } from "../model/json.js";
import type { Remembered } from "../ports/executor.js";
import type { AttemptMemory } from "./attempt-memory.js";
import type { AttemptPause } from "./attempt-pause.js";
import type { AttemptWriter } from "./attempt-writer.js";
import { checkJson } from "./check-input.js";
import type { Limits } from "./settings.js";

export interface StepParts {
  readonly memory: AttemptMemory;
  readonly pause: AttemptPause;
  readonly writer: AttemptWriter;
  readonly limits: Limits;
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
    if (body !== undefined) return remembered(key, body);
    this.#inFlight.add(key);
    pause.stepBegins();
    return undefined;
  }

  async end(key: string, result: unknown): Promise<Remembered> {
    const { pause, writer, limits } = this.#parts;
    this.#takeFlying(key);
    try {
      const body = result === undefined ? null : checkJson(`result of step "${key}"`, result, limits.step);
      await writer.remember({ kind: "step", key, body });
      return remembered(key, body);
    } finally {
      pause.stepEnds();
    }
  }

  fail(key: string): void {
    this.#takeFlying(key);
    this.#parts.pause.stepEnds();
  }

  #takeFlying(key: string): void {
    if (this.#inFlight.delete(key)) return;
    throw new HeddleError("INVALID_ARGUMENT", `No step "${key}" is in flight.`, { details: { field: "key", key } });
  }
}

function remembered(key: string, body: string | null): Remembered {
  return body === null ? {} : { value: parseJson(body, `result of step "${key}"`) };
}
