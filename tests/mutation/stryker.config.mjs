import { fileURLToPath } from "node:url";
import { mutatedFiles } from "./mutated-files.mjs";

const plugin = (/** @type {string} */ file) => fileURLToPath(new URL(file, import.meta.url));

/** @type {import("@stryker-mutator/api/core").PartialStrykerOptions} */
export default {
  plugins: [plugin("test-runner.mjs"), plugin("error-prose.mjs")],
  testRunner: "loaded",
  ignorers: ["error-prose"],
  mutate: mutatedFiles,
  // What tests do not need is not copied.
  ignorePatterns: [
    ".work",
    "bench",
    "dist",
    "docs",
    "examples",
    "packages/agent-*",
    "packages/executor-*",
    "tests/proofs",
  ],
  coverageAnalysis: "perTest",
  // What runs only while a module is loaded would cost a load each: tables of constants, and the compiler reads those.
  ignoreStatic: true,
  // The test runner notices by itself what hangs; this is for what never gives the event loop back.
  timeoutMS: 20_000,
  concurrency: 1,
  tempDirName: ".work/mutation/sandbox",
  reporters: ["progress-append-only", "json"],
  jsonReporter: { fileName: ".work/mutation/report.json" },
  incremental: true,
  incrementalFile: ".work/mutation/incremental.json",
  allowConsoleColors: false,
};
