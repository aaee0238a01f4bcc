import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, onTestFailed } from "vitest";

const made: string[] = [];

/** A new directory for one test. Where the test fails, the wreck stays. */
export function testDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "heddle-sqlite-"));
  made.push(directory);
  onTestFailed(() => {
    made.splice(made.indexOf(directory), 1);
    console.error(`kept for inspection: ${directory}`);
  });
  return directory;
}

afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true, force: true });
});
