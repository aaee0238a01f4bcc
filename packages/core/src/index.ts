/** Heddle: durable runs and threads for AI agents, inside your own process. */

export { agentContext } from "./adapters/agent-context.js";
export { inlineExecutor } from "./adapters/inline-executor.js";
export { memoryStorage } from "./adapters/memory-storage.js";
export { createEngine } from "./create-engine.js";
export type {
  Agent,
  AgentContext,
  AgentDefinition,
  AgentLike,
  AgentResult,
  AnyJson,
  AnyValues,
  ConfigOf,
  InputOf,
  OutputOf,
  ValuesUpdate,
} from "./engine/agent.js";
export { defineAgent } from "./engine/agent.js";
export type { Artifact } from "./engine/artifacts.js";
export type { EditedValues } from "./engine/edit-values.js";
export type { Engine, EngineOptions } from "./engine/engine.js";
export type { ExplainedState, Explanation, OpenQuestion } from "./engine/explain.js";
export type {
  AgentDeltas,
  AgentEvents,
  AskedQuestion,
  DeltaOptions,
  Emit,
  EmitOptions,
  EngineEvents,
  MessageContent,
  SendDelta,
} from "./engine/frames.js";
export { isDelta, isEvent } from "./engine/frames.js";
export type { AnyTransaction, ForeignTransaction, Transaction } from "./engine/host-transaction.js";
export type { FrameStream, StreamOptions } from "./engine/open-stream.js";
export type { PageOf, PageOptions } from "./engine/page.js";
export type { Question } from "./engine/question-view.js";
export type { CancelOptions, CancelResult, RunHandle, RunOutcome, WaitOptions } from "./engine/run-handle.js";
export type {
  CancelManyOptions,
  Runs,
  RunsFilter,
  RunsListOptions,
  StartOne,
} from "./engine/runs.js";
export type {
  CheckpointRetention,
  EngineSettings,
  Limits,
  RetentionSettings,
  SettingsInput,
} from "./engine/settings.js";
export { defaultSettings } from "./engine/settings.js";
export type { StartOptions, StatelessStartOptions, ThreadStartOptions } from "./engine/start-run.js";
export type {
  Checkpoint,
  CopyOptions,
  HistoryOptions,
  PruneOptions,
  ThreadHandle,
  ThreadStorage,
  ThreadUpdate,
  UpdateValuesOptions,
  ValuesOf,
} from "./engine/thread-handle.js";
export type {
  CreateThreadOptions,
  ThreadOptions,
  Threads,
  ThreadsFilter,
  ThreadsListOptions,
} from "./engine/threads.js";
export type { HeddleErrorCode, HeddleErrorOptions } from "./errors.js";
export { errorCodes, HeddleError } from "./errors.js";
export type { CheckpointKind } from "./model/checkpoint.js";
export type {
  DeltaFrame,
  DroppedFrame,
  EventFrame,
  RunFrame,
  SnapshotFrame,
  ThreadChangeFrame,
  ThreadFrame,
} from "./model/event.js";
export type { Json, JsonArray, JsonObject } from "./model/json.js";
export type { Remove } from "./model/reconcile.js";
export { REMOVE } from "./model/reconcile.js";
export type {
  Breakpoints,
  BusyStrategy,
  CancelReason,
  Durability,
  RetryPolicy,
  RunError,
  RunStatus,
  SettledStatus,
} from "./model/run.js";
export type {
  CanceledRun,
  FailedRun,
  InterruptedRun,
  PendingRun,
  Run,
  RunningRun,
  SettledRun,
  SucceededRun,
} from "./model/run-view.js";
export type { ThreadStatus } from "./model/thread.js";
export type { Thread } from "./model/thread-view.js";
export type {
  Child,
  ChildOptions,
  ChildRef,
  InterruptOptions,
  SleepOptions,
  StepContext,
  StepOptions,
  StepRetry,
} from "./ports/agent-calls.js";
export type {
  AskOptions,
  Attempt,
  AttemptResult,
  AttemptSession,
  Executor,
  ExecutorHost,
  Remembered,
  SteeredMessage,
  Wake,
} from "./ports/executor.js";
export { AttemptEnded } from "./ports/executor.js";
export type { ThreadUsage, Usage } from "./ports/storage.js";
export type { LifecycleEvents, LifecycleListener, LifecycleType } from "./runtime/lifecycle.js";
