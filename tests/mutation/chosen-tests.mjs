import { readdirSync } from "node:fs";
import { join } from "node:path";

/** In the core's source: all that are beside what they test. */
const source = "packages/core/src";
const folders = ["engine", "model", "model/intents", "runtime"];

/** The storage's contract, and promises to users that are quick to test on memory. Others need time, or many tries. */
const files = [
  "packages/core/test/memory-conformance.test.ts",
  "tests/busy-strategies.test.ts",
  "tests/children.test.ts",
  "tests/durability.test.ts",
  "tests/interrupts.test.ts",
  "tests/retries-and-timeouts.test.ts",
  "tests/rollback.test.ts",
  "tests/runs-start-and-settle.test.ts",
  "tests/steering.test.ts",
  "tests/steps.test.ts",
  "tests/streams.test.ts",
  "tests/threads.test.ts",
  "tests/time-travel.test.ts",
  "tests/values.test.ts",
];

/** In these files: much of something, to see what it costs, and long random input. */
const slow = [
  "alignArrays stays linear",
  "applyDelta splices more than the stack holds",
  "children, on memory slots",
  "orders as the UTF-8 bytes do",
  "properties holds along a thread",
  "properties the tree is the base",
  "streams, on memory a slow reader",
  "streams, on memory joined at any point",
];

/** Paths of test files. @param {string} root */
export function chosenTests(root) {
  const besideModules = folders.flatMap((folder) =>
    readdirSync(join(root, source, folder))
      .filter((name) => name.endsWith(".test.ts"))
      .map((name) => join(source, folder, name)),
  );
  return [...besideModules, ...files].map((file) => join(root, file));
}

/** A mutant that survives costs all tests that reach it: these would take most of the time. @param {string} id path#name */
export function isSlow(id) {
  return slow.some((name) => id.includes(`#${name}`));
}
