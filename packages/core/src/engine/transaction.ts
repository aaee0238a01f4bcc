/** A host's transaction: its own rows and run starts commit or roll back together. */

import { AsyncLocalStorage } from "node:async_hooks";
import { HeddleError } from "../errors.js";
import type { Intent, IntentKind, IntentOf, IntentValues } from "../model/intents/intent.js";
import type { StorageTransaction } from "../ports/storage.js";
import { isUnknownOutcome } from "../runtime/committer.js";
import type { Core } from "./core.js";
import type { AnyTransaction, Transaction } from "./host-transaction.js";
import { transactionState } from "./host-transaction.js";

/** What hides in a `Transaction`. */
interface State {
  readonly core: Core;
  readonly tx: StorageTransaction<unknown>;
  open: boolean;
}

/** Tells a call made inside a transaction's callback from any other. */
const scope = new AsyncLocalStorage<State>();

export async function runTransaction<Host, Result>(
  core: Core,
  body: (tx: Transaction<Host>) => Promise<Result>,
): Promise<Result> {
  refuseInTransaction(core);
  const transaction = core.storage.transaction(async (storageTx) => {
    const state: State = { core, tx: storageTx, open: true };
    try {
      return await scope.run(state, () => body({ host: storageTx.host as Host, [transactionState]: state }));
    } finally {
      state.open = false;
    }
  });
  const { result, effects } = await transaction.catch((error: unknown) => {
    if (isUnknownOutcome(error)) core.catchUp();
    throw error;
  });
  core.tell(effects);
  return result;
}

/** Waiting for the storage inside one's own transaction would never end. @throws HeddleError TRANSACTION_MISUSE */
export function refuseInTransaction(core: Core): void {
  const around = scope.getStore();
  if (around?.core !== core || !around.open) return;
  throw new HeddleError(
    "TRANSACTION_MISUSE",
    'Inside a transaction pass "{ tx }" to start and create, and do everything else after it: it would wait for the ' +
      "transaction to end, for ever.",
  );
}

/** Apply an intent inside a transaction of this engine. */
export async function applyIn<Kind extends IntentKind>(
  core: Core,
  tx: AnyTransaction,
  intent: IntentOf<Kind>,
): Promise<IntentValues[Kind]> {
  const state = (tx as Partial<Transaction> | undefined)?.[transactionState] as State | undefined;
  if (state === undefined) return applyInForeign(core, tx, intent);
  if (state.core !== core) throw foreignTransaction();
  if (!state.open) {
    throw new HeddleError("TRANSACTION_CLOSED", "The transaction has ended: await everything inside its callback.");
  }
  return (await state.tx.apply(intent as Intent)) as IntentValues[Kind];
}

async function applyInForeign<Kind extends IntentKind>(
  core: Core,
  tx: AnyTransaction,
  intent: IntentOf<Kind>,
): Promise<IntentValues[Kind]> {
  const adopted = core.storage.adopt?.(tx);
  if (adopted === undefined) throw foreignTransaction();
  return (await adopted.apply(intent as Intent)) as IntentValues[Kind];
}

function foreignTransaction(): HeddleError {
  return new HeddleError(
    "FOREIGN_TRANSACTION",
    '"tx" is neither a transaction of this engine, from engine.transaction(), nor one that its storage can join.',
  );
}
