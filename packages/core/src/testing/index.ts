/** For tests of programs and of adapters: clocks that stand still, seeded ids, and the conformance suites. */

export type { StorageSnapshot } from "./check-invariants.js";
export { checkInvariants, readStorage } from "./check-invariants.js";
export type { ConformanceCase, Skipped, StorageFixture } from "./conformance/conformance-case.js";
export type { AgentContext, ConformanceAgent, ExecutorAgentName } from "./conformance/executor-agents.js";
export { executorAgents } from "./conformance/executor-agents.js";
export type { ExecutorCase, ExecutorFixture } from "./conformance/executor-conformance.js";
export { executorConformance } from "./conformance/executor-conformance.js";
export { storageConformance } from "./conformance/storage-conformance.js";
export type { IdleOptions, TestEngine, TestEngineOptions } from "./create-test-engine.js";
export { createTestEngine } from "./create-test-engine.js";
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
export { StorageDriver } from "./storage-driver.js";
