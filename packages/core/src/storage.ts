/** For authors of storages: the records, the intents, and how they are applied. */

export type { HeddleErrorCode, HeddleErrorOptions } from "./errors.js";
export { HeddleError } from "./errors.js";
export type { CheckpointEncoding, CheckpointHead, CheckpointKind, CheckpointRecord } from "./model/checkpoint.js";
export type { DeltaFrame, EventRecord } from "./model/event.js";
export { storedPayload, streamOf, succeededPayload, threadStream } from "./model/event.js";
export { applyIntents, splitBatch } from "./model/intents/apply-intents.js";
export type { Effect, Intent, IntentKind, IntentOf, IntentValues } from "./model/intents/intent.js";
export type { Needs } from "./model/intents/needs.js";
export { needsOf } from "./model/intents/needs.js";
export type { MemoKind, MemoRecord, MemoRef } from "./model/memo.js";
export { memoId } from "./model/memo.js";
export type { QuestionRecord, QuestionRef } from "./model/question.js";
export { questionId, questionRefOf } from "./model/question.js";
export type { BusyStrategy, RunRecord, RunStatus, SettledStatus } from "./model/run.js";
export { awaitedBy, endsLineage, isSettled, never, settledStatuses, sourcesOf } from "./model/run.js";
export type { KeyRecord, ThreadRecord, ThreadStatus, TombstoneRecord } from "./model/thread.js";
export { threadStatus } from "./model/thread.js";
export type {
  Change,
  Changes,
  CheckpointLink,
  ClaimQuery,
  KeyRef,
  OriginRecord,
  RecordReader,
  Removal,
} from "./model/unit-of-work.js";
export { byUrgency, isClaimable, isHandedOver, isQueued, keyId, UnitOfWork } from "./model/unit-of-work.js";
export type { Clock } from "./ports/clock.js";
export type {
  ChainBodies,
  CheckpointChain,
  CheckpointPage,
  CheckpointReader,
  DeltaRelay,
  DueQuery,
  DueRun,
  DueWork,
  EventQuery,
  EventReader,
  IntentResult,
  LineageReader,
  MetadataFilter,
  Page,
  RelayedFrame,
  RunFilter,
  RunQuery,
  RunReader,
  Storage,
  StorageContext,
  StorageTransaction,
  ThreadFilter,
  ThreadQuery,
  ThreadReader,
  ThreadUsage,
  Usage,
  WorkReader,
} from "./ports/storage.js";
