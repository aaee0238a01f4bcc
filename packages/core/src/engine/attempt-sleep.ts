/** Sleeps: when one ends is stored when it begins, so that a later attempt sleeps only what is left. */

import type { RunRecord } from "../model/run.js";
import type { Wake } from "../ports/executor.js";
import type { AttemptMemory } from "./attempt-memory.js";
import type { AttemptPause } from "./attempt-pause.js";
import type { AttemptWriter } from "./attempt-writer.js";
import type { Core } from "./core.js";
import { endless, invalidArgument, requireDuration } from "./settings.js";

export interface SleepParts {
  readonly core: Core;
  readonly run: RunRecord;
  readonly memory: AttemptMemory;
  readonly pause: AttemptPause;
  readonly writer: AttemptWriter;
}

export class AttemptSleep {
  readonly #parts: SleepParts;
  #unnamed = 0;

  constructor(parts: SleepParts) {
    this.#parts = parts;
  }

  async sleep(wake: Wake, key = `#${++this.#unnamed}`): Promise<void> {
    const { core, pause } = this.#parts;
    const until = await pause.call(() => this.#untilOf(wake, key));
    const left = until - this.#now();
    if (left <= 0) return;
    let cancel = (): void => {};
    const over = new Promise<void>((resolve) => {
      cancel = core.clock.setTimer(left, resolve, "work");
    });
    try {
      await pause.wait({ until }, over);
    } finally {
      cancel();
    }
  }

  async #untilOf(wake: Wake, key: string): Promise<number> {
    const { memory, writer } = this.#parts;
    memory.claimKey("sleep", key);
    const known = await memory.recall("sleep", key);
    if (typeof known === "string") return Number(known);
    const until = "at" in wake ? checkTime(wake.at) : this.#now() + requireDuration("duration", wake.after);
    if (until > this.#now()) await writer.remember({ kind: "sleep", key, body: String(until) });
    return until;
  }

  /** The storage's: what claimed the run when its sleep was over must not find that it still has to sleep. */
  #now(): number {
    const { core, run } = this.#parts;
    const claimedAt = (run.leaseUntil ?? 0) - core.settings.lease;
    return Math.max(core.storageNow(), claimedAt);
  }
}

function checkTime(at: unknown): number {
  if (typeof at === "number" && Math.abs(at) <= endless) return Math.ceil(at);
  throw invalidArgument("date", at, "a valid date");
}
