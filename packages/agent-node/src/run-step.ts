/** A step's code, tried as often as its options say. What it comes to is told to the engine, which remembers it. */

import { setTimeout as sleep } from "node:timers/promises";
import type { StepContext, StepOptions } from "./context.js";
import { EngineError } from "./context.js";

type Work = (step: StepContext) => unknown;

const longestDelay = 60_000;

export async function tryOften(key: string, work: Work, options: StepOptions, signal: AbortSignal): Promise<unknown> {
  const { maxFailures = 1, delay = 1_000 } = options.retry ?? {};
  for (let tries = 1; ; tries++) {
    try {
      return await tryOnce(key, work, tries, options.timeout, signal);
    } catch (error) {
      const ended = error instanceof EngineError && error.code === "ATTEMPT_ENDED";
      if (ended || signal.aborted || tries >= maxFailures) throw error;
      const wait = Math.min(delay * 2 ** (tries - 1), longestDelay) * Math.random();
      await sleep(wait, undefined, { signal });
    }
  }
}

async function tryOnce(
  key: string,
  work: Work,
  tries: number,
  timeout: number | undefined,
  signal: AbortSignal,
): Promise<unknown> {
  signal.throwIfAborted();
  if (timeout === undefined) return work({ signal, tries });
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = new EngineError({ code: "STEP_TIMEOUT", message: `Step "${key}" took longer than ${timeout} ms.` });
      reject(error);
      abort.abort(error);
    }, timeout);
  });
  try {
    return await Promise.race([work({ signal: AbortSignal.any([signal, abort.signal]), tries }), tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
