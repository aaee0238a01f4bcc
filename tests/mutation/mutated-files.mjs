/** Globs of what is mutated. */
export const mutatedFiles = [
  "packages/core/src/model/**/*.ts",
  // What writes for an attempt, and what commits.
  "packages/core/src/engine/attempt-values.ts",
  "packages/core/src/engine/attempt-verdict.ts",
  "packages/core/src/engine/attempt-writer.ts",
  "packages/core/src/runtime/committer.ts",
  "packages/core/src/runtime/outbox.ts",
  "packages/core/src/runtime/stragglers.ts",
  "!**/*.test.ts",
];
