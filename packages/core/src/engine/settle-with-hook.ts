/** A settle and the host's own rows, in one transaction. */

import { HeddleError } from "../errors.js";
import type { SettleRun } from "../model/intents/intent.js";
import type { RunRecord } from "../model/run.js";
import type { SettledRun } from "../model/run-view.js";
import { viewRun } from "../model/run-view.js";
import type { Agent } from "./agent.js";
import type { Core } from "./core.js";
import { persist } from "./persist.js";
import { runErrorOf } from "./run-error.js";
import { applyIn, runTransaction } from "./transaction.js";

/** Tells what the hook threw from what the storage did. */
class HookFailed extends Error {}

/** @throws HeddleError LEASE_LOST, STORAGE_… */
export async function settleWithHook(core: Core, agent: Agent, intent: SettleRun): Promise<RunRecord> {
  try {
    return await persist(core, () => settleOnce(core, agent, intent));
  } catch (error) {
    if (!(error instanceof HookFailed)) throw error;
    core.report(error.cause, `the settle hook of agent ${agent.name}`);
    return persist(core, () => core.committer.commit<"settle_run">(failed(intent, error.cause)));
  }
}

function settleOnce(core: Core, agent: Agent, intent: SettleRun): Promise<RunRecord> {
  return runTransaction(core, async (tx) => {
    const settled = await applyIn<"settle_run">(core, tx, intent);
    try {
      await agent.onSettle?.(tx, viewRun(settled) as SettledRun);
    } catch (error) {
      // The storage's own troubles are tried again; what the hook threw would be thrown again.
      throw isStorageTrouble(error) ? error : new HookFailed("the settle hook threw", { cause: error });
    }
    return settled;
  });
}

function isStorageTrouble(error: unknown): boolean {
  return HeddleError.is(error) && error.code.startsWith("STORAGE_");
}

/** Without the hook's rows, and without calling it again. */
function failed(intent: SettleRun, cause: unknown): SettleRun {
  const thrown = runErrorOf(cause);
  const message = `The settle hook threw: ${thrown.message}`;
  const { checkpoint: _, ...rest } = intent;
  return {
    ...rest,
    outcome: { status: "failed", error: { ...thrown, code: "SETTLE_HOOK_FAILED", message }, counts: "none" },
  };
}
