/** How a storage turns a batch of intents into changes and answers. */

import { HeddleError } from "../../errors.js";
import type { UnitOfWork } from "../unit-of-work.js";
import { applyIntent } from "./apply-intent.js";
import type { Effect, Intent, IntentKind, IntentValues } from "./intent.js";

export type IntentAnswer =
  | { readonly ok: true; readonly value: IntentValues[IntentKind]; readonly effects: readonly Effect[] }
  | { readonly ok: false; readonly error: HeddleError };

/**
 * Apply intents in order to one unit of work; a refused one answers with its error and changes nothing.
 * Anything else that is thrown is a fault of the transaction as a whole and passes through.
 */
export function applyIntents(uow: UnitOfWork, intents: readonly Intent[]): IntentAnswer[] {
  return intents.map((intent) => {
    try {
      const value = applyIntent(uow, intent);
      return { ok: true, value, effects: uow.takeEffects() };
    } catch (error) {
      if (HeddleError.is(error)) return { ok: false, error };
      throw error;
    }
  });
}

/**
 * Intents that remove rows are applied alone: a transaction's changes are written row by row in a fixed order, and a
 * row that is removed and written again in one transaction has no place in it.
 */
export function splitBatch(intents: readonly Intent[]): Intent[][] {
  const batches: Intent[][] = [];
  let open: Intent[] | undefined;
  for (const intent of intents) {
    if (removesRows(intent.kind)) {
      batches.push([intent]);
      open = undefined;
    } else if (open === undefined) {
      open = [intent];
      batches.push(open);
    } else open.push(intent);
  }
  return batches;
}

function removesRows(kind: IntentKind): boolean {
  return (
    kind === "delete_thread" || kind === "delete_run" || kind === "collect_checkpoints" || kind === "prune_checkpoints"
  );
}
