/** For tests of programs and of adapters: clocks that stand still, seeded ids, and the conformance suites. */

export type { StorageSnapshot } from "./check-invariants.js";
export { checkInvariants, readStorage } from "./check-invariants.js";
export type { ConformanceCase, ForeignTransaction, Skipped, StorageFixture } from "./conformance/conformance-case.js";
export type { AgentContext, ConformanceAgent, ExecutorAgentName } from "./conformance/executor-agents.js";
export { executorAgents } from "./conformance/executor-agents.js";
export type { ExecutorCase, ExecutorFixture } from "./conformance/executor-conformance.js";
export { executorConformance } from "./conformance/executor-conformance.js";
export { storageConformance } from "./conformance/storage-conformance.js";
export type { CrashAt } from "./crash/crash-plan.js";
export type { CrashPoint } from "./crash/crash-point.js";
export { crashPoints } from "./crash/crash-point.js";
export type { IdleOptions, ProcessOptions, TestEngine, TestEngineOptions } from "./create-test-engine.js";
export { createTestEngine } from "./create-test-engine.js";
export type { Violation } from "./history/check-history.js";
export { checkHistory, historyRules } from "./history/check-history.js";
export { Client } from "./history/client.js";
export { Dice } from "./history/dice.js";
export type { FinalState, History, HistoryEntry } from "./history/history.js";
export { HistoryFile } from "./history/history-file.js";
export { mergeEntries, readEntries } from "./history/merge-histories.js";
export type { FinalOptions } from "./history/read-final-state.js";
export { readFinalState } from "./history/read-final-state.js";
export type { RecordedProcessOptions } from "./history/recorded-process.js";
export { RecordedProcess } from "./history/recorded-process.js";
export type { Recorder } from "./history/recorder.js";
export type { AttemptScript, Op, ReadingPlan, StartPlan, Step as ClientStep } from "./history/script.js";
export type { ScriptedInput } from "./history/scripted-agent.js";
export { Tally } from "./history/tally.js";
export { inlineExecutorFixture } from "./inline-executor-fixture.js";
export type { AcceptOptions } from "./intents.js";
export {
  acceptRun,
  attemptOf,
  cancelRun,
  releaseRun,
  setKey,
  settleRun,
  snapshot,
  tendRun,
  testPolicy,
} from "./intents.js";
export type { ManualClock } from "./manual-clock.js";
export { manualClock } from "./manual-clock.js";
export { memoryFixture, preloadingFixture } from "./memory-fixture.js";
export { preloadingStorage } from "./preloading-storage.js";
export type { Step } from "./same-results.js";
export { sameResults } from "./same-results.js";
export { seededRandom } from "./seeded-random.js";
export { makePlan } from "./simulation/make-plan.js";
export type { Plan } from "./simulation/plan.js";
export type { Parts, ShrinkOptions, Shrunk } from "./simulation/shrink.js";
export { keep, partsOf, shrink } from "./simulation/shrink.js";
export type { SimulatedDatabase } from "./simulation/sim-worker.js";
export type { SimulationOptions, SimulationResult } from "./simulation/simulate.js";
export { simulate } from "./simulation/simulate.js";
export { StorageDriver } from "./storage-driver.js";
