/**
 * Writing what must not be lost: while the storage is busy, full or away, try again; the lease, not a counter, decides
 * how long it makes sense (the storage refuses with LEASE_LOST once somebody else has the run). A closing engine gives up
 * when its leases have run out.
 */

import type { HeddleErrorCode } from "../errors.js";
import { HeddleError } from "../errors.js";
import type { Core } from "./core.js";

const passing: ReadonlySet<HeddleErrorCode> = new Set(["STORAGE_BUSY", "STORAGE_FULL", "STORAGE_UNAVAILABLE"]);
const firstWait = 20;
const longestWait = 1_000;

/** @param write may be called again though its outcome is unknown: doing it twice must be the same as once */
export function persist<Value>(core: Core, write: () => Promise<Value>): Promise<Value> {
  return write().catch((error: unknown) => tryAgain(core, write, error));
}

async function tryAgain<Value>(core: Core, write: () => Promise<Value>, failure: unknown): Promise<Value> {
  let error = failure;
  for (let wait = firstWait; ; wait = Math.min(wait * 2, longestWait)) {
    if (!HeddleError.is(error) || !passing.has(error.code) || core.givesUp()) throw error;
    core.report(error, "a write that is tried again");
    await new Promise<void>((resolve) => core.clock.setTimer(wait, resolve, "work"));
    try {
      return await write();
    } catch (thrown) {
      error = thrown;
    }
  }
}
