/** For tests: virtual time, seeded ids, and the suites that prove a storage or an executor. */

export { createTestEngine } from "./create-test-engine.js";
export type { IdleOptions, TestEngine, TestEngineOptions } from "./create-test-engine.js";
export { manualClock } from "./manual-clock.js";
export type { ManualClock } from "./manual-clock.js";
export { seededRandom } from "./seeded-random.js";
