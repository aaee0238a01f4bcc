/** One intent, applied to a unit of work: the only place where commands become changes. */

import type { UnitOfWork } from "../unit-of-work.js";
import { acceptRun } from "./accept-run.js";
import { answerQuestions } from "./answer-questions.js";
import { cancelRun, deleteRun } from "./cancel-run.js";
import { claimRuns, extendLeases } from "./claim-runs.js";
import { collectCheckpoints, pruneCheckpoints } from "./collect-checkpoints.js";
import { recordProgress, releaseRun, settleRun } from "./drive-attempt.js";
import type { IntentKind, IntentOf, IntentValues } from "./intent.js";
import { copyThread, createThread, deleteThread, updateThread } from "./manage-thread.js";
import { moveHead } from "./move-head.js";
import { tendRun } from "./tend-run.js";

type Handlers = {
  readonly [Kind in IntentKind]: (uow: UnitOfWork, intent: IntentOf<Kind>) => IntentValues[Kind];
};

const handlers: Handlers = {
  accept_run: acceptRun,
  claim_runs: claimRuns,
  extend_leases: extendLeases,
  record_progress: recordProgress,
  settle_run: settleRun,
  release_run: releaseRun,
  cancel_run: cancelRun,
  tend_run: tendRun,
  answer_questions: answerQuestions,
  delete_run: deleteRun,
  create_thread: createThread,
  update_thread: updateThread,
  copy_thread: copyThread,
  move_head: moveHead,
  prune_checkpoints: pruneCheckpoints,
  delete_thread: deleteThread,
  collect_checkpoints: collectCheckpoints,
};

/** @throws HeddleError when the intent is refused; then it has changed nothing */
export function applyIntent<Kind extends IntentKind>(uow: UnitOfWork, intent: IntentOf<Kind>): IntentValues[Kind] {
  return handlers[intent.kind as Kind](uow, intent);
}
