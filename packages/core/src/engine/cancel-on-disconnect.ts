import { HeddleError } from "../errors.js";
import type { RunRecord } from "../model/run.js";
import type { Core } from "./core.js";

/** Whoever waited for the run has left. Nobody hears of a failure; that the run has gone meanwhile is none. */
export async function cancelOnDisconnect(core: Core, run: Pick<RunRecord, "id" | "threadId">): Promise<void> {
  try {
    await core.cancel(run, { kind: "disconnect" });
  } catch (error) {
    if (!HeddleError.is(error, "RUN_NOT_FOUND")) core.report(error, "cancel on disconnect");
  }
}
